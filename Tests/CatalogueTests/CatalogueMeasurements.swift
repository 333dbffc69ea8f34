import Foundation
import Synchronization
import Testing
import Units

@testable import Catalogue

/// Figures, one line of JSON each.  They take a minute and some gigabytes, so they run on request:
///
///     ISOTHERM_MEASURE=1 swift test -c release -Xswiftc -enable-testing \
///         --filter CatalogueMeasurements
@Suite(
    .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["ISOTHERM_MEASURE"] != nil)
)
struct CatalogueMeasurements {
    private static var leafCount: UInt64 { 1_000_000 }

    @Test func `commit, load and open with a million leaves`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<16_384).map { _ in UInt8.random(in: 0...255, using: &generator) }

        let fill = try seconds {
            for start in stride(from: 0, to: Self.leafCount, by: 10_000) {
                try catalogue.commit(
                    image(of: start..<(start + 10_000)) {
                        Array(bytes.prefix(512 + Int($0 % 1_500)))
                    }
                )
            }
        }
        report("fill", ["leaves": Double(Self.leafCount), "seconds": fill])
        try measureCommits(catalogue, bytes, leafCount: 1_000, &generator)
        try measureCommits(catalogue, bytes, leafCount: 10_000, &generator)
        try measureLoads(catalogue, &generator)
        let close = try seconds { try catalogue.close() }
        try measureLoadsBesideCommits(place, bytes, &generator)
        try measureOpening(place, close: close)
    }

    private func measureCommits(
        _ catalogue: Catalogue,
        _ bytes: [UInt8],
        leafCount: Int,
        _ generator: inout SystemRandomNumberGenerator
    ) throws {
        let byteCount = 6 << 10
        var commits: [Double] = []
        var moves: [Double] = []
        for _ in 0..<10 {
            let indices = (0..<leafCount).map { _ in
                UInt64.random(in: 0..<Self.leafCount, using: &generator)
            }
            let start = Int.random(in: 0...(bytes.count - byteCount), using: &generator)
            let changed = image(of: indices) { _ in Array(bytes[start..<(start + byteCount)]) }
            commits.append(try seconds { try catalogue.commit(changed) { _ in } })
            moves.append(try seconds { try catalogue.moveLog() })
        }
        let median = commits.sorted()[5]
        report(
            "commit",
            [
                "leaves": Double(leafCount), "leafBytes": Double(byteCount),
                "medianMilliseconds": median * 1e3, "worstMilliseconds": (commits.max() ?? 0) * 1e3,
                "rowsPerSecond": Double(leafCount) / median,
                "megabytesPerSecond": Double(leafCount * byteCount) / median / 1e6,
                "moveLogMedianMilliseconds": moves.sorted()[5] * 1e3,
            ]
        )
    }

    private func measureLoads(
        _ catalogue: Catalogue,
        _ generator: inout SystemRandomNumberGenerator
    ) throws {
        var loads: [Double] = []
        for _ in 0..<10_000 {
            let key = Sample.key(1, UInt64.random(in: 0..<Self.leafCount, using: &generator))
            loads.append(try seconds { _ = try catalogue.load(key) })
        }
        loads.sort()
        report(
            "load",
            ["medianMicroseconds": loads[5_000] * 1e6, "p99Microseconds": loads[9_900] * 1e6]
        )
    }

    /// One lane commits without a pause while another loads one leaf after the other.
    private func measureLoadsBesideCommits(
        _ place: Place,
        _ bytes: [UInt8],
        _ generator: inout SystemRandomNumberGenerator
    ) throws {
        let commitAnswered = Semaphore()
        let loadAnswered = Semaphore()
        let service = CatalogueService(try Catalogue(openingAt: place.path)) { lane, _ in
            (lane.rawValue == 0 ? commitAnswered : loadAnswered).signal()
        }
        let isOver = Flag()
        let images = (0..<20).map { _ in
            let indices = (0..<2_000).map { _ in
                UInt64.random(in: 0..<Self.leafCount, using: &generator)
            }
            return image(of: indices) { _ in Array(bytes.prefix(6 << 10)) }
        }
        ServiceThread.start {
            for image in images {
                service.submit(.commit(image), from: LaneIndex(0))
                commitAnswered.wait()
            }
            isOver.value.store(true, ordering: .relaxed)
        }
        var loads: [Double] = []
        while !isOver.value.load(ordering: .relaxed) {
            let key = Sample.key(1, UInt64.random(in: 0..<Self.leafCount, using: &generator))
            loads.append(
                seconds {
                    service.submit(.load(key), from: LaneIndex(1))
                    loadAnswered.wait()
                }
            )
        }
        try service.close()
        loads.sort()
        report(
            "load beside commits of 2,000 leaves",
            [
                "loads": Double(loads.count),
                "medianMicroseconds": loads[loads.count / 2] * 1e6,
                "p99Microseconds": loads[loads.count * 99 / 100] * 1e6,
                "p999Microseconds": loads[loads.count * 999 / 1_000] * 1e6,
                "worstMicroseconds": (loads.last ?? 0) * 1e6,
            ]
        )
    }

    private func measureOpening(_ place: Place, close: Double) throws {
        let size = Double(FilePlace.byteCount(of: place.path) ?? 0)
        forgetCached(place.path)
        var opened: Catalogue?
        let open = try seconds { opened = try Catalogue(openingAt: place.path) }
        let catalogue = try #require(opened)
        var count = 0
        let list = try seconds { count = try catalogue.contents().leafKeys.count }
        #expect(count == Int(Self.leafCount))
        let check = try seconds {
            let findings = try catalogue.findings()
            #expect(findings.isEmpty)
        }
        try catalogue.close()
        report(
            "open, nothing cached",
            [
                "fileMegabytes": size / 1e6, "openSeconds": open, "contentsSeconds": list,
                "quickCheckSeconds": check, "closeSeconds": close,
            ]
        )
    }

    /// Drops what the system keeps of a file in memory.
    private func forgetCached(_ path: String) {
        let descriptor = unsafe open(path, O_RDONLY)
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        close(descriptor)
    }

    private func image(
        of indices: some Sequence<UInt64>,
        _ bytes: (UInt64) -> [UInt8]
    ) -> CheckpointImage {
        var image = CheckpointImage(position: Sample.position(0))
        image.leaves = indices.map { (Sample.key(1, $0), bytes($0)) }
        return image
    }

    private func seconds(_ body: () throws -> Void) rethrows -> Double {
        let duration = try ContinuousClock().measure(body).components
        return Double(duration.seconds) + Double(duration.attoseconds) / 1e18
    }

    private func report(_ name: String, _ figures: [String: Double]) {
        let fields = figures.sorted { $0.key < $1.key }.map { key, value in
            "\"\(key)\": \(String(format: "%.6g", value))"
        }
        print("{\"measurement\": \"\(name)\", \(fields.joined(separator: ", "))}")
    }
}

private final class Flag: Sendable {
    let value = Atomic<Bool>(false)
}
