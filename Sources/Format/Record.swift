package import Units

// The record, one append to a segment: a header block, data blocks, and the header again as a tail.
// Little-endian.  Any change is a new version.
//
//     offset  size  field
//          0     8  magic             "ISORECRD"
//          8     2  version           2; in version 1 the poolIdentifier is reserved, zero
//         10     1  stream            StreamKind
//         11     1  flags             bit 0: this is the tail copy
//         12     4  checksum          CRC-32C of the block, this field as zero, from the nonce
//         16     8  segmentSequence   of the segment that it was written to
//         24     4  segmentIndex      where the segment believes it lies
//         28     4  blockOffset       of the header, in blocks from the segment's start
//         32     8  number            RecordNumber, consecutive in the lane's stream
//         40     8  durableThrough    the highest number known flushed when this was written
//         48     8  firstSequence     of entry 0; entry k has firstSequence + k
//         56     4  entryCount
//         60     4  dataBlockCount    between header and tail
//         64     4  previousChecksum  checksum field of the stream's previous header; 0 for none
//         68     2  lane
//         70     1  device
//         71     1  reserved          zero
//         72     4  tableByteCount    bytes of entries
//         76     4  incarnation       of the pool when this was written
//         80    16  poolIdentifier    catches what a device still holds of another pool
//         96  4000  entries           then zeros
//
// The checksum starts from the segment's nonce, drawn at random when the segment was opened: bytes
// that a host wrote can never pass for a record.  The tail is the header with its flag set: one bad
// sector never takes away the knowledge of which blocks a record changed.  Header and tail of a
// segment's first record say all that the segment's own header says, so that no bad sector takes
// away a segment either; the nonce is that from which both their checksums start.
//
// An entry: 32 bytes, then what its kind adds.
//
//     offset  size  field
//          0    16  volume            high word, low word
//         16     8  address           first block of the volume
//         24     4  blockCount
//         28     1  kind              EntryKind
//         29     1  detail            of a control entry: ControlKind; else zero
//         30     2  payloadByteCount  of a control entry; else zero
//         32     -  data: blockCount x CRC-32C (4).  copy: blockCount x {sequence 8, CRC-32C 4}.
//                   control: payload, padded with zeros to a multiple of 4.  Others: nothing.
package struct RecordHeader: Equatable, Sendable {
    package var stream: StreamKind
    package var isTail: Bool
    package var segmentSequence: UInt64
    package var segmentIndex: SegmentIndex
    package var blockOffset: UInt32
    package var number: RecordNumber
    package var durableThrough: RecordNumber
    package var firstSequence: SequenceNumber
    package var entryCount: UInt32
    package var dataBlockCount: UInt32
    package var previousChecksum: UInt32
    package var lane: LaneIndex
    package var device: DeviceIndex
    package var tableByteCount: UInt32
    package var incarnation: UInt32
    /// Nil in a record of version 1, which does not say it.
    package var poolIdentifier: PoolIdentifier?

    package static var magic: UInt64 { 0x4452_4345_524F_5349 }
    package static var version: UInt16 { 2 }
    package static var byteCount: Int { Geometry.blockByteCount }
    package static var tableOffset: Int { Layout.table.offset }
    package static var tableByteCountMax: Int { byteCount - tableOffset }
    /// Blocks that a record has beside its data: the header and its tail.
    package static var overheadBlockCount: Int { 2 }

    package init(
        stream: StreamKind,
        segmentSequence: UInt64,
        segmentIndex: SegmentIndex,
        blockOffset: UInt32,
        number: RecordNumber,
        durableThrough: RecordNumber,
        firstSequence: SequenceNumber,
        entryCount: UInt32,
        dataBlockCount: UInt32,
        previousChecksum: UInt32,
        lane: LaneIndex,
        device: DeviceIndex,
        tableByteCount: UInt32,
        incarnation: UInt32,
        poolIdentifier: PoolIdentifier?
    ) {
        self.stream = stream
        isTail = false
        self.segmentSequence = segmentSequence
        self.segmentIndex = segmentIndex
        self.blockOffset = blockOffset
        self.number = number
        self.durableThrough = durableThrough
        self.firstSequence = firstSequence
        self.entryCount = entryCount
        self.dataBlockCount = dataBlockCount
        self.previousChecksum = previousChecksum
        self.lane = lane
        self.device = device
        self.tableByteCount = tableByteCount
        self.incarnation = incarnation
        self.poolIdentifier = poolIdentifier
    }
}

extension RecordHeader {
    package enum Layout {
        package static var magic: Field<UInt64> { Preamble.Layout.magic }
        package static var version: Field<UInt16> { Preamble.Layout.version }
        package static var stream: Field<UInt8> { Field(at: 10) }
        package static var flags: Field<UInt8> { Field(at: 11) }
        package static var checksum: Field<UInt32> { Preamble.Layout.checksum }
        package static var segmentSequence: Field<UInt64> { Field(at: 16) }
        package static var segmentIndex: Field<UInt32> { Field(at: 24) }
        package static var blockOffset: Field<UInt32> { Field(at: 28) }
        package static var number: Field<UInt64> { Field(at: 32) }
        package static var durableThrough: Field<UInt64> { Field(at: 40) }
        package static var firstSequence: Field<UInt64> { Field(at: 48) }
        package static var entryCount: Field<UInt32> { Field(at: 56) }
        package static var dataBlockCount: Field<UInt32> { Field(at: 60) }
        package static var previousChecksum: Field<UInt32> { Field(at: 64) }
        package static var lane: Field<UInt16> { Field(at: 68) }
        package static var device: Field<UInt8> { Field(at: 70) }
        package static var reservedByte: Field<UInt8> { Field(at: 71) }
        package static var tableByteCount: Field<UInt32> { Field(at: 72) }
        package static var incarnation: Field<UInt32> { Field(at: 76) }
        package static var poolIdentifier: Field<Identifier> { Field(at: 80) }
        package static var table: Stretch { Stretch(at: 96, byteCount: 4000) }

        package static var rows: [LayoutRow] {
            [
                magic.row("magic"), version.row("version"), stream.row("stream"),
                flags.row("flags"), checksum.row("checksum"),
                segmentSequence.row("segmentSequence"), segmentIndex.row("segmentIndex"),
                blockOffset.row("blockOffset"), number.row("number"),
                durableThrough.row("durableThrough"), firstSequence.row("firstSequence"),
                entryCount.row("entryCount"), dataBlockCount.row("dataBlockCount"),
                previousChecksum.row("previousChecksum"), lane.row("lane"),
                device.row("device"), reservedByte.row("reserved"),
                tableByteCount.row("tableByteCount"), incarnation.row("incarnation"),
                poolIdentifier.row("poolIdentifier"), table.row("table"),
            ]
        }
    }
}
