import Catalogue
import Format
import Foundation
import Testing
import Units

@testable import Control

/// A catalogue that somebody made: sound by its checksums, and full of the largest numbers.
@Suite struct LargestFiguresTests {
    private let demo: DemoPool
    private var path: String { demo.directory.cataloguePath }

    /// - Parameter seconds: of all times.
    private func makeCatalogue(seconds: Int64) throws {
        #expect(demo.create().status == 0)
        var catalogue = try Catalogue(openingAt: path)
        var (pool, devices) = (catalogue.pool, catalogue.devices)
        try catalogue.close()
        pool.createdSeconds = seconds
        pool.laneCount = .max
        for index in devices.indices {
            devices[index].byteCount = .max
            devices[index].segmentByteCount = .max
            devices[index].segmentCount = index == 0 ? .max : 1
        }
        try FileManager.default.removeItem(atPath: path)
        try Catalogue.create(at: path, pool: pool, devices: devices)
        catalogue = try Catalogue(openingAt: path)
        try catalogue.commit(image(seconds: seconds))
        try catalogue.close()
    }

    private func image(seconds: Int64) -> CheckpointImage {
        let segment = SegmentAddress(device: DeviceIndex(1), index: SegmentIndex(.max))
        var image = CheckpointImage(
            position: LanePosition(
                lane: LaneIndex(.max),
                segment: segment,
                segmentSequence: .max,
                blockOffset: .max,
                nextRecord: RecordNumber(.max),
                previousChecksum: .max,
                checkpoint: .max,
                witnessed: .max,
                mirror: MirrorState(begin: .max, end: .max, checksum: .max)
            )
        )
        image.volumes = (1...3).map { number in
            VolumeRow(
                identifier: Identifier(high: .max, low: number),
                name: "volume\(number)",
                byteCount: .max,
                lane: LaneIndex(.max),
                tree: TreeIdentifier(.max - number),
                state: .live,
                createdSeconds: seconds,
                ownedBlockCount: .max
            )
        }
        for index: UInt32 in [0, 7, .max] {
            image.segments.append(
                SegmentRow(
                    address: SegmentAddress(device: DeviceIndex(1), index: SegmentIndex(index)),
                    lane: LaneIndex(.max),
                    stream: .cold,
                    sequence: .max,
                    nonce: .max,
                    liveBlockCount: .max,
                    writtenBlockCount: .max
                )
            )
        }
        image.leaves = [(LeafKey(tree: TreeIdentifier(.max - 1), index: .max), [1])]
        image.events = [EventRow(seconds: seconds, type: "test", text: "of any time")]
        return image
    }

    init() throws { demo = try DemoPool() }

    @Test(arguments: [Int64.max, .min])
    func `every command that shows them prints them, or says what is wrong`(seconds: Int64) throws {
        try makeCatalogue(seconds: seconds)
        let shown = [
            ["pool", "list"], ["pool", "status", "demo"],
            ["volume", "list", "demo"], ["events", "demo"], ["pool", "scrub", "status", "demo"],
            ["inspect", path], ["inspect", path, "segment"],
            ["inspect", path, "leaf", "\(UInt64.max - 1)"],
        ]
        for command in shown {
            for format in [[], ["--json"]] {
                let outcome = demo.run(command + format)
                #expect(outcome.status <= 2, "\(command): \(outcome.errors)")
            }
        }
        let refused = [["check", "demo"], ["explain", "demo/volume1"]]
        for command in refused {
            let outcome = demo.run(command)
            #expect(outcome.status != 0 && !outcome.errors.isEmpty, "\(command)")
        }
        let destroyed = demo.run("pool", "destroy", "demo", "--yes", "--force")
        #expect(destroyed.status == 0, "\(destroyed.errors)")
    }
}
