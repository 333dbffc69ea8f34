import Catalogue
import Testing
import Units

@testable import Simulation

struct SimulatedCatalogueTests {
    private func position(_ lane: UInt16, record: UInt64) -> LanePosition {
        LanePosition(
            lane: LaneIndex(lane),
            segment: nil,
            segmentSequence: 0,
            blockOffset: 0,
            nextRecord: RecordNumber(record),
            previousChecksum: 0
        )
    }

    private func leafImage(_ index: UInt64, bytes: [UInt8], record: UInt64) -> CheckpointImage {
        var image = CheckpointImage(position: position(0, record: record))
        image.leaves = [(LeafKey(tree: TreeIdentifier(1), index: index), bytes)]
        return image
    }

    private func catalogue(seed: UInt64) -> SimulatedCatalogue {
        SimulatedCatalogue(
            laneCount: 1,
            loadNanoseconds: 10,
            commitNanoseconds: 100,
            slowOneIn: 0,
            seed: seed,
            journal: Journal()
        )
    }

    @Test func `what is committed is loaded, and a removed leaf is gone`() {
        var tables = CatalogueTables()
        let segment = SegmentRow(
            address: SegmentAddress(device: DeviceIndex(0), index: SegmentIndex(3)),
            lane: LaneIndex(0),
            stream: .host,
            sequence: 9,
            nonce: 8,
            liveBlockCount: 7,
            writtenBlockCount: 9
        )
        var image = leafImage(4, bytes: [1, 2, 3], record: 5)
        image.segments = [segment]
        tables.apply(image)
        let key = LeafKey(tree: TreeIdentifier(1), index: 4)
        #expect(tables.leaf(key).bytes == [1, 2, 3])
        #expect(tables.contents.segments == [segment])
        #expect(tables.contents.positions == [position(0, record: 5)])
        #expect(tables.contents.leafKeys == [key])
        var removal = leafImage(4, bytes: [], record: 6)
        removal.freedSegments = [segment.address]
        tables.apply(removal)
        #expect(tables.leaf(key).bytes.isEmpty)
        #expect(tables.contents.segments.isEmpty)
        #expect(tables.contents.leafKeys.isEmpty)
    }

    @Test func `requests of a lane are answered in order`() {
        let catalogue = catalogue(seed: 1)
        let key = LeafKey(tree: TreeIdentifier(1), index: 0)
        #expect(
            catalogue.submit(.commit(leafImage(0, bytes: [7], record: 1)), lane: LaneIndex(0))
                != nil
        )
        #expect(catalogue.submit(.load(key), lane: LaneIndex(0)) == nil)
        guard case .committed = catalogue.finish(lane: LaneIndex(0)).answer else {
            Issue.record("the commit is answered first")
            return
        }
        guard case .loaded(let leaf) = catalogue.finish(lane: LaneIndex(0)).answer else {
            Issue.record("the load is answered second")
            return
        }
        #expect(leaf.bytes == [7])
    }

    @Test func `a commit in flight at a crash is done whole or not at all`() {
        var outcomes: Set<Int> = []
        for seed in 0..<30 {
            let catalogue = catalogue(seed: UInt64(seed))
            for count in 1...3 {
                let image = leafImage(0, bytes: [UInt8(count)], record: UInt64(count))
                _ = catalogue.submit(.commit(image), lane: LaneIndex(0))
            }
            catalogue.crash()
            let leaf = catalogue.tables.leaf(LeafKey(tree: TreeIdentifier(1), index: 0)).bytes
            let record = catalogue.tables.contents.positions.first?.nextRecord.rawValue ?? 0
            #expect(leaf.first.map(UInt64.init) ?? 0 == record)
            outcomes.insert(Int(record))
        }
        #expect(outcomes == [0, 1, 2, 3])
    }
}
