import Format
import Testing
import Units

@Suite struct MirrorTests {
    private func items(
        _ bytes: [UInt8],
        lane: LaneIndex = Sample.control.lane
    ) throws(FormatError) -> [MirrorItem] {
        let (record, _) = try MirrorRecord.decode(bytes.raw)
        var offset = MirrorRecord.itemsOffset
        let end = offset + record.byteCount
        var items: [MirrorItem] = []
        while offset < end {
            items.append(try MirrorItem(decoding: bytes.raw, at: &offset, end: end, lane: lane))
        }
        return items
    }

    @Test func `a record says what was put into it`() throws {
        let bytes = Sample.mirror()
        let (record, checksum) = try MirrorRecord.decode(bytes.raw)
        let byteCount = Sample.mirrorItems.reduce(0) { $0 + $1.byteCount }
        #expect(record == Sample.mirrorRecord(byteCount: byteCount))
        #expect(checksum == bytes.raw.word32(at: 12))
        #expect(try items(bytes) == Sample.mirrorItems)
        #expect(MirrorRecord.claimedBlockCount(in: bytes.raw) == 1)
    }

    @Test func `a volume of another lane is refused`() {
        #expect(throws: FormatError.misplaced(structure: "volume", field: "lane")) {
            try items(Sample.mirror(), lane: LaneIndex(9))
        }
    }

    /// Items are changed at random and given a checksum that fits.
    @Test func `items that are accepted are ones that are written`() {
        var accepted = 0
        for seed in 0..<6000 {
            var random = SeededGenerator(seed: UInt64(seed))
            var bytes = Sample.mirror()
            for _ in 0...random.number(below: 3) {
                let place = random.number(below: 1600)
                bytes[place] ^= 1 << UInt8(random.number(below: 8))
            }
            Bytes.fixChecksum(&bytes)
            do throws(FormatError) {
                let (record, _) = try MirrorRecord.decode(bytes.raw)
                let found = try items(bytes)
                let again = Bytes.block { bytes in
                    var place = MirrorRecord.itemsOffset
                    for item in found {
                        item.store(into: &bytes, at: place)
                        place += item.byteCount
                    }
                    _ = record.seal(&bytes)
                }
                #expect(again == bytes, "seed \(seed)")
                accepted += 1
            } catch {
                continue
            }
        }
        #expect(accepted > 100)
    }

    @Test(arguments: [0, 257, .max] as [UInt32])
    func `a claim of too many blocks, or of none, is no record`(count: UInt32) {
        var bytes = Sample.mirror()
        Bytes.change(&bytes) { count.store(into: &$0, at: 40) }
        #expect(MirrorRecord.claimedBlockCount(in: bytes.raw) == nil)
    }

    @Test func `the largest leaf fits the smallest record that a lane may fill`() {
        var states = [BlockState](repeating: .absent, count: LeafFormat.blockCount)
        for block in states.indices {
            states[block] = BlockState(
                kind: .stored,
                flash: Location(device: DeviceIndex(31), block: 1 << 39 | UInt64(block) * 977),
                disk: Location(device: DeviceIndex(30), block: UInt64(block) * 0x7FFF_FFFF),
                sequence: SequenceNumber(UInt64(block) &* 0x9E37_79B9_7F4A_7C15),
                checksum: .max,
                writer: UInt16(block)
            )
        }
        let writers = (0..<512).map { VolumeIdentifier(high: 1, low: UInt64($0) + 1) }
        let item = MirrorItem.leaf(
            tree: Sample.tree,
            index: 0,
            bytes: Leaf.encode(states, writers: writers)
        )
        let room = MirrorRecord.blockCountMin * 4096 - MirrorRecord.itemsOffset
        #expect(item.byteCount <= room)
    }
}
