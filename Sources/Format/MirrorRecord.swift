package import Units

// A record of the mirror: what checkpoints tell the catalogue, told to flash as well.  One to 256
// blocks.  Little-endian.  Any change is a new version.
//
//     offset  size  field
//          0     8  magic             "ISOMIRRO"
//          8     2  version           1
//         10     2  lane              whose mirror it is
//         12     4  checksum          CRC-32C of the whole record, this field as zero
//         16    16  poolIdentifier
//         32     8  place             first block of the record, counted over all laps of the ring
//         40     4  blockCount        of the record
//         44     4  byteCount         of the items
//         48     4  previousChecksum  checksum of the record before; zero for a lane's first one
//         52    12  reserved          zero
//         64     -  items             `MirrorItem`, one behind the other; then zeros
//
// A lane's mirror is a ring of blocks behind the last segments of the flash devices: a slice of
// each of them, in their order.  A place is a block of the ring, counted on and on: an older lap,
// and a record that a crash took back, have another place or another record before them.

/// How far a lane's mirror has come.
package struct MirrorState: Hashable, Sendable {
    /// From this place on the records say everything; nil when there is no such place.
    package var begin: UInt64?
    /// The place behind the last record.
    package var end: UInt64
    /// Of the last record; zero when there is none.
    package var checksum: UInt32

    package init(begin: UInt64?, end: UInt64, checksum: UInt32) {
        self.begin = begin
        self.end = end
        self.checksum = checksum
    }

    /// Of a lane that has made no checkpoint: there is nothing to be said.
    package static var empty: MirrorState { MirrorState(begin: 0, end: 0, checksum: 0) }
}

/// What opens a record of the mirror.
package struct MirrorRecord: Equatable, Sendable {
    package var poolIdentifier: PoolIdentifier
    package var lane: LaneIndex
    package var place: UInt64
    package var blockCount: Int
    /// Of the items.
    package var byteCount: Int
    package var previousChecksum: UInt32

    package init(
        poolIdentifier: PoolIdentifier,
        lane: LaneIndex,
        place: UInt64,
        blockCount: Int,
        byteCount: Int,
        previousChecksum: UInt32
    ) {
        self.poolIdentifier = poolIdentifier
        self.lane = lane
        self.place = place
        self.blockCount = blockCount
        self.byteCount = byteCount
        self.previousChecksum = previousChecksum
    }

    package static var magic: UInt64 { 0x4F52_5249_4D4F_5349 }
    package static var version: UInt16 { 1 }
    package static var blockCountMax: Int { 256 }
    /// Blocks that have room for the largest item: a leaf.
    package static var blockCountMin: Int { 8 }
    /// Where the items begin, in bytes.
    package static var itemsOffset: Int { 64 }

    /// Blocks of a record with so many bytes of items.
    package static func blockCount(itemByteCount: Int) -> Int {
        let block = Geometry.blockByteCount
        return (itemsOffset + itemByteCount + block - 1) / block
    }
}

extension MirrorRecord {
    package enum Layout {
        package static var magic: Field<UInt64> { Preamble.Layout.magic }
        package static var version: Field<UInt16> { Preamble.Layout.version }
        package static var lane: Field<UInt16> { Field(at: 10) }
        package static var checksum: Field<UInt32> { Preamble.Layout.checksum }
        package static var poolIdentifier: Field<Identifier> { Field(at: 16) }
        package static var place: Field<UInt64> { Field(at: 32) }
        package static var blockCount: Field<UInt32> { Field(at: 40) }
        package static var byteCount: Field<UInt32> { Field(at: 44) }
        package static var previousChecksum: Field<UInt32> { Field(at: 48) }
        package static var reserved: Stretch { Stretch(at: 52, byteCount: 12) }

        package static var rows: [LayoutRow] {
            [
                magic.row("magic"), version.row("version"), lane.row("lane"),
                checksum.row("checksum"), poolIdentifier.row("poolIdentifier"),
                place.row("place"), blockCount.row("blockCount"), byteCount.row("byteCount"),
                previousChecksum.row("previousChecksum"), reserved.row("reserved"),
            ]
        }
    }

    /// Writes the header before the items that are in `bytes` already, and zeros behind them.
    /// Returns the record's checksum.
    ///
    /// - Parameter bytes: `blockCount` blocks.
    package func seal(_ bytes: inout MutableRawSpan) -> UInt32 {
        let end = Self.itemsOffset + byteCount
        invariant(
            bytes.byteCount == blockCount * Geometry.blockByteCount && end <= bytes.byteCount,
            "a record fills its blocks"
        )
        bytes.zero(in: 0..<Self.itemsOffset)
        bytes.zero(in: end..<bytes.byteCount)
        bytes.store(lane.rawValue, in: Layout.lane)
        bytes.store(poolIdentifier, in: Layout.poolIdentifier)
        bytes.store(place, in: Layout.place)
        bytes.store(UInt32(blockCount), in: Layout.blockCount)
        bytes.store(UInt32(byteCount), in: Layout.byteCount)
        bytes.store(previousChecksum, in: Layout.previousChecksum)
        return Preamble.seal(&bytes, magic: Self.magic, version: Self.version)
    }

    /// How many blocks the record has that begins with `block`, by its own words; nil when it is
    /// none.
    package static func claimedBlockCount(in block: RawSpan) -> Int? {
        guard block.byteCount >= itemsOffset, block.load(Layout.magic) == magic else { return nil }
        let count = Int(block.load(Layout.blockCount))
        return (1...blockCountMax).contains(count) ? count : nil
    }

    /// Reads the header of the record that fills `bytes`, and its checksum; believes nothing before
    /// that is right.
    package static func decode(
        _ bytes: RawSpan
    ) throws(FormatError) -> (record: MirrorRecord, checksum: UInt32) {
        guard bytes.byteCount >= Geometry.blockByteCount else {
            throw .truncated(
                structure: "mirror",
                needed: Geometry.blockByteCount,
                found: bytes.byteCount
            )
        }
        try Preamble.check(bytes, structure: "mirror", magic: magic, version: version)
        let record = MirrorRecord(
            poolIdentifier: bytes.load(Layout.poolIdentifier),
            lane: LaneIndex(bytes.load(Layout.lane)),
            place: bytes.load(Layout.place),
            blockCount: Int(bytes.load(Layout.blockCount)),
            byteCount: Int(bytes.load(Layout.byteCount)),
            previousChecksum: bytes.load(Layout.previousChecksum)
        )
        guard record.blockCount * Geometry.blockByteCount == bytes.byteCount else {
            throw .field(
                structure: "mirror",
                field: "blockCount",
                found: UInt64(record.blockCount)
            )
        }
        guard record.byteCount <= bytes.byteCount - itemsOffset else {
            throw .field(structure: "mirror", field: "byteCount", found: UInt64(record.byteCount))
        }
        guard bytes.isZero(in: Layout.reserved.range),
            bytes.isZero(in: (itemsOffset + record.byteCount)..<bytes.byteCount)
        else { throw .field(structure: "mirror", field: "reserved", found: 1) }
        return (record, bytes.load(Layout.checksum))
    }
}
