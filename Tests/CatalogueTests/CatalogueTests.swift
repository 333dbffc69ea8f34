import Testing
import Units

@testable import Catalogue

@Suite struct CatalogueTests {
    @Test func `a new catalogue holds its pool and devices and nothing else`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        #expect(catalogue.pool == Sample.pool)
        #expect(catalogue.devices == Sample.devices)
        #expect(catalogue.wasClosedCleanly)
        #expect(try catalogue.findings().isEmpty)
        let contents = try catalogue.contents()
        #expect(contents.incarnation == 0)
        #expect(contents.volumes.isEmpty && contents.trees.isEmpty && contents.segments.isEmpty)
        #expect(contents.positions.isEmpty && contents.leafKeys.isEmpty)
        try catalogue.close()
    }

    @Test func `the last incarnation that devices were told of is kept`() throws {
        let place = try Place(pool: Sample.pool)
        var catalogue = try Catalogue(openingAt: place.path)
        #expect(try catalogue.contents().witnessedIncarnation == 0)
        let incarnation = try catalogue.nextIncarnation()
        try catalogue.begin(incarnation: incarnation, logEnds: [])
        try catalogue.noteWitnessed(incarnation)
        try catalogue.close()
        catalogue = try Catalogue(openingAt: place.path)
        #expect(try catalogue.contents().witnessedIncarnation == incarnation)
        #expect(try catalogue.nextIncarnation() == incarnation + 1)
        try catalogue.close()
    }

    @Test(arguments: ["age.pool", "age.0"])
    func `an age that nobody writes is refused`(key: String) throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        for value in ["", "-1", "1 2 3", "x"] {
            try catalogue.set(key, value)
            #expect(throws: CatalogueError.self) { try catalogue.contents() }
        }
        try catalogue.set(key, key == "age.pool" ? "7" : "7 6")
        _ = try catalogue.contents()
        try catalogue.close()
    }

    @Test func `rows with the largest numbers come back after a restart`() throws {
        let place = try Place(pool: Sample.pool)
        var image = CheckpointImage(position: Sample.position(.max))
        image.volumes = [Sample.volume(0), Sample.volume(1, state: .destroyed)]
        image.trees = [
            TreeRow(
                identifier: TreeIdentifier(.max),
                parent: nil,
                volume: Sample.volume(0).identifier
            ),
            TreeRow(
                identifier: TreeIdentifier(.max - 1),
                parent: TreeIdentifier(.max),
                volume: Sample.volume(1).identifier
            ),
        ]
        image.segments = [Sample.segment(0), Sample.segment(.max, sequence: 1 << 63)]
        let bytes = (0..<8192).map { UInt8(truncatingIfNeeded: $0) }
        image.leaves = [
            (Sample.key(.max, .max), bytes), (Sample.key(0, 0), [0]),
            (Sample.key(1 << 63, 1), [1, 2]), (Sample.key(1, 1 << 63), [3]),
        ]
        image.heat = [(Sample.key(.max, .max), [9, 9])]
        var catalogue = try Catalogue(openingAt: place.path)
        try catalogue.commit(image)
        var empty = CheckpointImage(position: Sample.position(1))
        empty.position.segment = nil
        try catalogue.commit(empty)
        try catalogue.close()

        catalogue = try Catalogue(openingAt: place.path)
        let contents = try catalogue.contents()
        #expect(Set(contents.volumes) == Set(image.volumes))
        #expect(Set(contents.trees) == Set(image.trees))
        #expect(contents.segments == image.segments)
        #expect(contents.positions == [empty.position, image.position])
        #expect(contents.leafKeys == image.leaves.map(\.key).sorted())
        for leaf in image.leaves {
            #expect(try catalogue.load(leaf.key).bytes == leaf.bytes)
        }
        #expect(try catalogue.load(Sample.key(.max, .max)).heat == [9, 9])
        #expect(try catalogue.load(Sample.key(0, 0)).heat == [])
        try catalogue.close()
    }

    @Test func `a commit replaces rows and leaves and removes what is empty or freed`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        try catalogue.commit(Sample.image(number: 1, leafCount: 4))
        var second = CheckpointImage(position: Sample.position(0, record: 2))
        second.leaves = [(Sample.key(1, 0), []), (Sample.key(1, 1), [7])]
        second.heat = [(Sample.key(1, 2), []), (Sample.key(1, 3), [8])]
        second.freedSegments = [Sample.segment(0).address, Sample.segment(5).address]
        second.segments = [Sample.segment(0, sequence: 2)]
        try catalogue.commit(second)

        let contents = try catalogue.contents()
        #expect(contents.leafKeys == [1, 2, 3].map { Sample.key(1, $0) })
        #expect(contents.segments == second.segments)
        #expect(contents.positions == [second.position])
        let removed = try catalogue.load(Sample.key(1, 0))
        #expect(removed.bytes.isEmpty && removed.heat.isEmpty)
        #expect(try catalogue.load(Sample.key(1, 1)).bytes == [7])
        #expect(try catalogue.load(Sample.key(1, 1)).heat.count == 64)
        #expect(try catalogue.load(Sample.key(1, 2)).heat.isEmpty)
        #expect(try catalogue.load(Sample.key(1, 3)).heat == [8])

        var third = CheckpointImage(position: Sample.position(0, record: 3))
        third.freedSegments = [Sample.segment(0).address]
        try catalogue.commit(third)
        #expect(try catalogue.contents().segments.isEmpty)
        try catalogue.close()
    }

    @Test func `a forgotten volume takes its trees and their heat along`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        var image = Sample.image(number: 1, leafCount: 3)
        image.volumes = [Sample.volume(0), Sample.volume(1)]
        image.trees = [
            TreeRow(
                identifier: TreeIdentifier(1),
                parent: nil,
                volume: Sample.volume(0).identifier
            ),
            TreeRow(
                identifier: TreeIdentifier(2),
                parent: nil,
                volume: Sample.volume(1).identifier
            ),
        ]
        image.leaves.append((Sample.key(2, 0), [1]))
        try catalogue.commit(image)
        var second = CheckpointImage(position: Sample.position(0, record: 2))
        second.leaves = (0..<3).map { (Sample.key(1, $0), []) }
        second.heat = [(Sample.key(1, 0), [5])]
        second.forgottenVolumes = [Sample.volume(0).identifier]
        try catalogue.commit(second)
        let contents = try catalogue.contents()
        #expect(contents.volumes == [Sample.volume(1)])
        #expect(contents.trees == [image.trees[1]])
        #expect(contents.leafKeys == [Sample.key(2, 0)])
        #expect(try catalogue.load(Sample.key(1, 0)).heat.isEmpty)
        try catalogue.close()
    }

    @Test func `every opening of a pool gets a number of its own`() throws {
        let place = try Place(pool: Sample.pool)
        for expected in UInt32(1)...3 {
            let catalogue = try Catalogue(openingAt: place.path)
            #expect(try catalogue.nextIncarnation() == expected)
            let ends = (UInt16(0)..<2).map {
                LogEnd(
                    lane: LaneIndex($0),
                    nextRecord: RecordNumber(.max - UInt64(expected)),
                    segmentSequence: .max - 7,
                    incarnation: expected
                )
            }
            try catalogue.begin(incarnation: expected, logEnds: ends)
            let contents = try catalogue.contents()
            #expect(contents.incarnation == expected && contents.logEnds == ends)
            try catalogue.close()
        }
    }

    @Test func `events are numbered and only the newest are kept`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        #expect(try catalogue.newestEventNumber() == 0)
        func event(_ number: Int) -> EventRow {
            EventRow(seconds: Int64(number), type: "test", text: "event \(number)")
        }
        try catalogue.append((1...9_999).map(event))
        #expect(try catalogue.events(countMax: 20_000).count == 9_999)
        var image = CheckpointImage(position: Sample.position(0))
        image.events = (10_000...10_003).map(event)
        try catalogue.commit(image)
        let events = try catalogue.events(countMax: 20_000)
        #expect(events.count == Catalogue.eventCountMax)
        #expect(events.first == Numbered(number: 4, row: event(4)))
        #expect(events.last == Numbered(number: 10_003, row: event(10_003)))
        #expect(try catalogue.events(after: 10_001, countMax: 1).map(\.number) == [10_002])
        #expect(try catalogue.events(after: .max, countMax: 1).isEmpty)
        #expect(try catalogue.newestEventNumber() == 10_003)
        try catalogue.close()
    }

    @Test func `a long text is cut at a character`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        let text = String(repeating: "aé", count: 5_000)
        try catalogue.append([EventRow(seconds: 0, type: "test", text: text)])
        let kept = try #require(try catalogue.events(countMax: 1).first).row.text
        #expect(kept.utf8.count == 4_096 && text.hasPrefix(kept))
        try catalogue.close()
    }

    @Test func `history and settings come back`() throws {
        let place = try Place(pool: Sample.pool)
        var catalogue = try Catalogue(openingAt: place.path)
        let row = HistoryRow(
            seconds: 12,
            user: "alice@host",
            processIdentifier: .max,
            commandLine: "isotherm volume create tank/a 10G",
            result: "done"
        )
        try catalogue.append(row)
        try catalogue.set("policy.target", "0.8")
        try catalogue.set("policy.gone", "x")
        try catalogue.set("other", "")
        try catalogue.set("policy.gone", nil)
        try catalogue.close()
        catalogue = try Catalogue(openingAt: place.path)
        #expect(try catalogue.history(countMax: 10) == [Numbered(number: 1, row: row)])
        #expect(try catalogue.setting("policy.target") == "0.8")
        #expect(try catalogue.setting("policy.gone") == nil)
        #expect(try catalogue.setting("other") == "")
        #expect(try catalogue.settings(withPrefix: "policy.").map(\.key) == ["policy.target"])
        let long = String(repeating: "x", count: Catalogue.settingValueByteCountMax + 1)
        #expect(
            failure { () throws(CatalogueError) in try catalogue.set("long", long) }
                == .settingTooLarge(
                    path: place.path,
                    key: "long",
                    byteCount: 65_537,
                    byteCountMax: 65_536
                )
        )
        try catalogue.close()
    }

    @Test func `a copy can be opened beside the original`() throws {
        let place = try Place(pool: Sample.pool)
        let other = try Place()
        let catalogue = try Catalogue(openingAt: place.path)
        try catalogue.commit(Sample.image(number: 1, leafCount: 10))
        try catalogue.copy(to: other.path)
        let copy = try Catalogue(openingAt: other.path)
        #expect(try copy.contents().leafKeys == catalogue.contents().leafKeys)
        try copy.close()
        try catalogue.close()
    }

    @Test func `the log stays short and is gone after a clean close`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        for number in UInt64(1)...12 {
            try catalogue.commit(Sample.image(number: number, leafCount: 1_000, byteCount: 6_000))
        }
        // One commit's frames may come on top of the limit, and each frame has 24 more bytes.
        let bytesMax = UInt64(Catalogue.logFrameCountMax + 4_000) * 4_120
        let logByteCount = try #require(FilePlace.byteCount(of: place.path + "-wal"))
        #expect(logByteCount > 0 && logByteCount < bytesMax)
        try catalogue.close()
        #expect(FilePlace.byteCount(of: place.path + "-wal") == nil)
        #expect(FilePlace.byteCount(of: place.path + "-shm") == nil)
        let again = try Catalogue(openingAt: place.path)
        #expect(try again.findings().isEmpty)
        #expect(try again.load(Sample.key(1, 999)).bytes == [UInt8](repeating: 12, count: 6_000))
        try again.close()
    }
}
