// A leaf of the map as the catalogue holds it.  Little-endian.  Any change is a new version.
//
//     offset  size  field
//          0     8  magic        "ISOMLEAF"
//          8     2  version      1
//         10     2  writerCount  0...512
//         12     4  checksum     CRC-32C of all bytes, this field as zero
//         16     8  tree         whose leaf this is
//         24     8  index        which of the tree's, in units of 2 MiB of address space
//         32     2  runCount     0...512
//         34     6  reserved     zero
//         40     -  writers      writerCount identities of 16 bytes: high word, low word
//          -     -  runs         runCount x 8 bytes
//          -     -  flash        column: the place of each block that lies on flash
//          -     -  disk         column: the place of each block that lies on disk
//          -     -  sequence     column: one for each block in a run
//          -     -  checksums    CRC-32C of each stored or poisoned block, 4 bytes
//
// A run says what neighbouring blocks have in common.
//
//          0     2  start        first block, 0...511
//          2     2  count        1...512
//          4     1  kind         BlockState.Kind: zero, stored or poisoned
//          5     1  places       bit 0: on flash, bit 1: on disk
//          6     2  writer       index into the writers
//
// Runs are in the order of their blocks and do not overlap.  A block in no run is absent.  A column
// has a value for each block whose run asks for one, in the order of the blocks; `LeafColumn` says
// how it is grouped: what was written in sequence takes a few bytes, what is scattered takes 8 a
// block, each column for itself.  A leaf written in sequence has about 2.3 KiB, nearly all of it
// checksums; one of 512 scattered blocks about 10 KiB, 14 KiB if each lies on both tiers.

/// The stored form of a leaf: the states of 512 blocks.
package enum LeafFormat {
    package enum Layout {
        package static var magic: Field<UInt64> { Preamble.Layout.magic }
        package static var version: Field<UInt16> { Preamble.Layout.version }
        package static var writerCount: Field<UInt16> { Field(at: 10) }
        package static var checksum: Field<UInt32> { Preamble.Layout.checksum }
        package static var tree: Field<UInt64> { Field(at: 16) }
        package static var index: Field<UInt64> { Field(at: 24) }
        package static var runCount: Field<UInt16> { Field(at: 32) }
        package static var reserved: Stretch { Stretch(at: 34, byteCount: 6) }

        package static var rows: [LayoutRow] {
            [
                magic.row("magic"), version.row("version"), writerCount.row("writerCount"),
                checksum.row("checksum"), tree.row("tree"), index.row("index"),
                runCount.row("runCount"), reserved.row("reserved"),
            ]
        }

        package static var byteCount: Int { 40 }
        package static var writerByteCount: Int { 16 }
        package static var runByteCount: Int { 8 }
    }

    package static var magic: UInt64 { 0x4641_454C_4D4F_5349 }
    package static var version: UInt16 { 1 }
    package static var blockCount: Int { 512 }
    /// No leaf has more: each block has one.
    package static var writerCountMax: Int { blockCount }

    /// What neighbouring blocks have in common.
    struct Run: Equatable {
        var start: UInt16
        var count: UInt16
        var kindCode: UInt8
        var places: UInt8
        var writer: UInt16

        static var onFlash: UInt8 { 1 }
        static var onDisk: UInt8 { 2 }

        var isOnFlash: Bool { places & Self.onFlash != 0 }
        var isOnDisk: Bool { places & Self.onDisk != 0 }
        /// A reserved zero has no data that a checksum could be of.
        var hasChecksums: Bool { kindCode != BlockState.Kind.zero.rawValue }
        var range: Range<Int> { Int(start)..<(Int(start) + Int(count)) }

        init(start: UInt16, count: UInt16, kindCode: UInt8, places: UInt8, writer: UInt16) {
            self.start = start
            self.count = count
            self.kindCode = kindCode
            self.places = places
            self.writer = writer
        }

        /// Reads the run at `offset`, as it stands there.
        init(in bytes: RawSpan, at offset: Int) {
            start = bytes.word16(at: offset)
            count = bytes.word16(at: offset + 2)
            kindCode = bytes.byte(at: offset + 4)
            places = bytes.byte(at: offset + 5)
            writer = bytes.word16(at: offset + 6)
        }

        func store(into bytes: inout MutableRawSpan, at offset: Int) {
            start.store(into: &bytes, at: offset)
            count.store(into: &bytes, at: offset + 2)
            kindCode.store(into: &bytes, at: offset + 4)
            places.store(into: &bytes, at: offset + 5)
            writer.store(into: &bytes, at: offset + 6)
        }
    }
}
