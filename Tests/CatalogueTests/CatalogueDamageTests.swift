import Foundation
import Testing
import Units

@testable import Catalogue

/// What a pool is opened by is what was written, or it is refused.
@Suite struct CatalogueDamageTests {
    private struct Known: Hashable {
        var pool: PoolRow
        var devices: [DeviceRow]
        var contents: String

        init(openingAt path: String) throws(CatalogueError) {
            let catalogue = try Catalogue(openingAt: path)
            pool = catalogue.pool
            devices = catalogue.devices
            do throws(CatalogueError) {
                contents = "\(try catalogue.contents())"
            } catch {
                try catalogue.close()
                throw error
            }
            try catalogue.close()
        }
    }

    /// A catalogue with rows in every table that a pool is opened by.
    private func place(leafCount: Int) throws -> Place {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        try catalogue.begin(
            incarnation: 7,
            logEnds: [
                LogEnd(
                    lane: LaneIndex(0),
                    nextRecord: RecordNumber(9),
                    segmentSequence: 5,
                    incarnation: 7
                )
            ]
        )
        try catalogue.noteWitnessed(7)
        var image = Sample.image(number: 5, leafCount: leafCount, byteCount: 40)
        image.volumes = (0..<20).map { Sample.volume($0) }
        image.trees = image.volumes.map {
            TreeRow(identifier: $0.tree, parent: nil, volume: $0.identifier)
        }
        image.segments = (0..<60).map { Sample.segment($0, sequence: UInt64($0)) }
        image.scrubs = [ScrubRow(lane: LaneIndex(0), role: .disk)]
        try catalogue.commit(image)
        try catalogue.close()
        return place
    }

    /// One bit turned, anywhere in the file.
    @Test func `no bit turns into another pool`() throws {
        let place = try place(leafCount: 300)
        let known = try Known(openingAt: place.path)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: place.path))
        let damaged = try Place()
        var refusedCount = 0
        // A prime step: every bit of a byte, and some in every page.
        for bit in stride(from: 3, to: bytes.count * 8, by: 1_621) {
            var copy = bytes
            copy[bit / 8] ^= 1 << UInt8(bit % 8)
            try copy.write(to: URL(fileURLWithPath: damaged.path))
            do throws(CatalogueError) {
                let found = try Known(openingAt: damaged.path)
                #expect(found == known, "bit \(bit % 8) of byte \(bit / 8)")
            } catch {
                refusedCount += 1
            }
            for suffix in ["-wal", "-shm", "-journal"] {
                try? FileManager.default.removeItem(atPath: damaged.path + suffix)
            }
        }
        // Free space, leaves and events are most of the file, and none of this test's matter.
        #expect(refusedCount > 25)
    }

    @Test(arguments: [
        "DELETE FROM leaves WHERE leaf = 17", "UPDATE leaves SET leaf = 900 WHERE leaf = 17",
        "INSERT INTO leaves (tree, leaf, bytes) VALUES (1, 900, x'00')",
        "DELETE FROM settings WHERE key = 'leaves'",
    ])
    func `leaves that are missing or too many are refused`(sql: String) throws {
        let place = try place(leafCount: 30)
        _ = try Known(openingAt: place.path)
        try place.change(sql)
        let error = failure { () throws(CatalogueError) in try Known(openingAt: place.path) }
        guard case .value(_, "leaves", "tree or leaf", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `leaves are counted over commits that add, replace and remove`() throws {
        let place = try place(leafCount: 30)
        let catalogue = try Catalogue(openingAt: place.path)
        var image = CheckpointImage(position: Sample.position(0, record: 6))
        image.leaves = [
            (Sample.key(1, 3), []), (Sample.key(1, 4), [1, 2]), (Sample.key(2, 4), [1, 2]),
            (Sample.key(9, 9), []), (Sample.key(2, 4), []), (Sample.key(.max, .max), [3]),
        ]
        try catalogue.commit(image)
        #expect(try catalogue.contents().leafKeys.count == 30)
        try catalogue.close()
        _ = try Known(openingAt: place.path)
    }
}
