internal import Foundation
internal import IO
internal import Testing
internal import Units

enum DriveTraces {
    static var directory: String? {
        ProcessInfo.processInfo.environment["ISOTHERM_TRACES"].map { $0 + "/hdd-validation/" }
    }
}

/// Replays requests whose response times were measured on four real drives, and compares the
/// distribution of the model's response times with the measured one by the root of the mean square
/// of the horizontal distance between the two.
///
/// Geometry and seek curves come from files beside the traces; command overheads are read off the
/// traces themselves and stand in the table below.  Runs where `ISOTHERM_TRACES` names a directory
/// with `hdd-validation` in it.
@Suite(.enabled(if: DriveTraces.directory != nil))
struct ModelDiskValidationTests {
    struct Drive: Sendable {
        var name: String
        var hasWriteCache: Bool
        /// Microseconds.
        var readOverhead: UInt64
        var writeOverhead: UInt64
        var bufferReadOverhead: UInt64
        var bufferWriteOverhead: UInt64
        var sectorTransferNanoseconds: UInt64
        /// Of a request, in percent: what is read before it goes to the host, and what has come
        /// from the host before it is written.
        var readStartPercent: Int
        var writeStartPercent: Int
        var segmentCount: Int
        var segmentSectorCount: Int
    }

    static let drives = [
        Drive(
            name: "barracuda",
            hasWriteCache: true,
            readOverhead: 600,
            writeOverhead: 0,
            bufferReadOverhead: 456,
            bufferWriteOverhead: 1040,
            sectorTransferNanoseconds: 102_500,
            readStartPercent: 0,
            writeStartPercent: 100,
            segmentCount: 3,
            segmentSectorCount: 281
        ),
        Drive(
            name: "cheetah9LP",
            hasWriteCache: true,
            readOverhead: 280,
            writeOverhead: 0,
            bufferReadOverhead: 120,
            bufferWriteOverhead: 600,
            sectorTransferNanoseconds: 102_500,
            readStartPercent: 0,
            writeStartPercent: 100,
            segmentCount: 3,
            segmentSectorCount: 561
        ),
        Drive(
            name: "atlas10k",
            hasWriteCache: true,
            readOverhead: 100,
            writeOverhead: 0,
            bufferReadOverhead: 184,
            bufferWriteOverhead: 230,
            sectorTransferNanoseconds: 102_500,
            readStartPercent: 0,
            writeStartPercent: 100,
            segmentCount: 10,
            segmentSectorCount: 374
        ),
        Drive(
            name: "hp_c2247a",
            hasWriteCache: false,
            readOverhead: 560,
            writeOverhead: 1500,
            bufferReadOverhead: 1000,
            bufferWriteOverhead: 820,
            sectorTransferNanoseconds: 170_100,
            readStartPercent: 75,
            writeStartPercent: 25,
            segmentCount: 2,
            segmentSectorCount: 256
        ),
    ]

    /// Greatest distance, in milliseconds, that the models are held to.
    static let distanceMax = 0.5

    @Test(arguments: drives.indices)
    func `the model answers as the drive did`(_ index: Int) throws {
        let drive = Self.drives[index]
        let requests = try Self.requests(drive.name)
        let measured = requests.map(\.responseMilliseconds).sorted()
        let modelled = Self.replay(requests, on: try Self.profile(of: drive)).sorted()
        #expect(measured.count == modelled.count)
        var sum = 0.0
        for (real, model) in zip(measured, modelled) { sum += (real - model) * (real - model) }
        let distance = (sum / Double(measured.count)).squareRoot()
        func line(_ sorted: [Double]) -> String {
            let mean = sorted.reduce(0, +) / Double(sorted.count)
            let points = [0.1, 0.25, 0.5, 0.75, 0.9, 0.99].map { part in
                sorted[Int(Double(sorted.count) * part)]
            }
            return ([mean] + points).map { "\(($0 * 100).rounded() / 100)" }.joined(separator: " ")
        }
        print("\(drive.name): rms distance \(distance) ms; mean p10 p25 p50 p75 p90 p99")
        print("    measured \(line(measured))")
        print("    modelled \(line(modelled))")
        #expect(distance <= Self.distanceMax)
    }

    // MARK: Replay

    struct Request {
        var isRead: Bool
        var sector: UInt64
        var sectorCount: UInt64
        var responseMilliseconds: Double
        var gapNanoseconds: UInt64
    }

    /// One request at a time, each as long after the one before as it was on the drive.
    static func replay(_ requests: [Request], on profile: DiskProfile) -> [Double] {
        var model = DiskModel(profile: profile)
        var clock: UInt64 = 1_000_000_000
        var responses: [Double] = []
        for request in requests {
            model.submit(
                request.isRead ? .read : .write,
                offset: request.sector * 512,
                byteCount: request.sectorCount * 512,
                token: 1,
                at: Instant(nanoseconds: clock)
            )
            var done: UInt64?
            while done == nil, let event = model.nextEvent {
                model.advance(to: event)
                done = model.nextFinished()?.instant.nanoseconds
            }
            let end = done ?? clock
            responses.append(Double(end - clock) / 1e6)
            clock = end + request.gapNanoseconds
        }
        return responses
    }

    // MARK: Files

    static func text(_ name: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["gzip", "-dc", (DriveTraces.directory ?? "") + name]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }

    /// Lines of `R|W mark first-sector sectors response-us gap-us`.
    static func requests(_ drive: String) throws -> [Request] {
        try text(drive + ".trace.gz").split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count == 6, let sector = UInt64(fields[2]),
                let sectorCount = UInt64(fields[3]), let response = Double(fields[4]),
                let gap = Double(fields[5])
            else { return nil }
            return Request(
                isRead: fields[0] == "R",
                sector: sector,
                sectorCount: sectorCount,
                responseMilliseconds: response / 1000,
                gapNanoseconds: UInt64(gap * 1000)
            )
        }
    }

    static func profile(of drive: Drive) throws -> DiskProfile {
        let model = try text(drive.name + ".model.gz")
        /// Every number that stands behind `key =`.
        func numbers(_ key: String) -> [Double] {
            model.split(separator: "\n").compactMap { line in
                let parts = line.split(separator: "=")
                guard parts.count == 2,
                    parts[0].trimmingCharacters(in: .whitespaces) == key
                else { return nil }
                return Double(parts[1].trimmingCharacters(in: CharacterSet(charactersIn: " ,\r\t")))
            }
        }
        func nanoseconds(_ key: String) -> UInt64 { UInt64((numbers(key).first ?? 0) * 1e6) }
        let firsts = numbers("First cylinder number")
        let sectors = numbers("Blocks per track")
        let trackSkews = numbers("Skew for track switch")
        let cylinderSkews = numbers("Skew for cylinder switch")
        let cylinderCount = Int(numbers("Number of cylinders").first ?? 0)
        let zones = firsts.indices.map { index in
            let next = index + 1 < firsts.count ? Int(firsts[index + 1]) : cylinderCount
            return DiskProfile.Zone(
                cylinderCount: next - Int(firsts[index]),
                sectorsPerTrack: Int(sectors[index]),
                trackSkew: Int(trackSkews[index]),
                cylinderSkew: Int(cylinderSkews[index])
            )
        }
        let segmentByteCount = drive.segmentSectorCount * 512
        var profile = DiskProfile(
            name: drive.name,
            sectorByteCount: 512,
            rotation: UInt64(60e9 / (numbers("Rotation speed (in rpms)").first ?? 7200)),
            surfaceCount: Int(numbers("Number of data surfaces").first ?? 1),
            zones: zones,
            seek: try seekCurve(of: drive.name),
            headSwitch: nanoseconds("Head switch time"),
            writeSettle: nanoseconds("Add. write settling delay"),
            readOverhead: drive.readOverhead * 1000,
            writeOverhead: drive.writeOverhead * 1000,
            bufferReadOverhead: drive.bufferReadOverhead * 1000,
            bufferWriteOverhead: drive.bufferWriteOverhead * 1000,
            sectorTransfer: drive.sectorTransferNanoseconds,
            readSegmentCount: drive.segmentCount,
            readSegmentByteCount: segmentByteCount,
            readAheadByteCount: segmentByteCount,
            readsAheadAlways: true,
            writeBufferByteCount: drive.hasWriteCache ? segmentByteCount : 0,
            writeRunCountMax: 4,
            queueDepth: 32,
            deadline: 250_000_000
        )
        profile.readStartPercent = drive.readStartPercent
        profile.writeStartPercent = drive.writeStartPercent
        return profile
    }

    private static func seekCurve(of drive: String) throws -> DiskProfile.SeekCurve {
        if drive == "hp_c2247a" {
            return .twoPieces(
                first: [
                    2_890_000, 3_680_000, 3_810_000, 3_980_000, 4_270_000, 4_650_000, 4_520_000,
                    4_650_000, 4_820_000, 4_990_000,
                ],
                threshold: 300,
                a: 3.81e6,
                b: 0.33e6,
                c: 7.75e6,
                e: 0.0059e6
            )
        }
        var distances: [Int] = []
        var times: [UInt64] = []
        for line in try text(drive + ".seek.gz").split(separator: "\n") {
            let fields = line.split(separator: ",")
            guard fields.count == 2, let distance = Int(fields[0]),
                let time = Double(fields[1].trimmingCharacters(in: .whitespaces))
            else { continue }
            distances.append(distance)
            times.append(UInt64(time * 1e6))
        }
        return .measured(distances: distances, times: times)
    }
}
