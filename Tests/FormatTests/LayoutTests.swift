import Format
import Testing

/// The fields of each structure fill its size, in order and without overlap.
@Suite struct LayoutTests {
    static let structures: [(name: String, rows: [LayoutRow], byteCount: Int)] = [
        ("segment header", SegmentHeader.Layout.rows, SegmentHeader.byteCount),
        ("record header", RecordHeader.Layout.rows, RecordHeader.byteCount),
        ("superblock", Superblock.Layout.rows, Superblock.byteCount),
        ("device entry", Superblock.EntryLayout.rows, Superblock.EntryLayout.entryByteCount),
        ("volume", VolumeControl.Layout.rows, VolumeControl.Layout.fixedByteCount),
        ("leaf", LeafFormat.Layout.rows, LeafFormat.Layout.byteCount),
        ("witness", Witness.Layout.rows, Witness.byteCount),
        ("mirror record", MirrorRecord.Layout.rows, MirrorRecord.itemsOffset),
        ("heat", HeatFormat.Layout.rows, HeatFormat.byteCount),
    ]

    @Test(arguments: structures.indices)
    func `fields do not overlap and fill the size`(index: Int) {
        let structure = Self.structures[index]
        var end = 0
        for row in structure.rows.sorted(by: { $0.offset < $1.offset }) {
            #expect(row.offset == end, "\(structure.name): \(row.name) at \(row.offset)")
            #expect(row.byteCount > 0)
            end = row.offset + row.byteCount
        }
        #expect(end == structure.byteCount, "\(structure.name)")
    }

    @Test func `the device table has room for as many devices as a pool may have`() {
        let room = Superblock.Layout.devices.byteCount / Superblock.EntryLayout.entryByteCount
        #expect(room == Superblock.deviceCountMax)
    }

    @Test func `no two structures share a magic`() {
        let magics = [
            SegmentHeader.magic, RecordHeader.magic, Superblock.magic, LeafFormat.magic,
            HeatFormat.magic, Witness.magic, MirrorRecord.magic,
        ]
        #expect(Set(magics).count == magics.count)
    }
}
