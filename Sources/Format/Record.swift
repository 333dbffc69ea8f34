package import Units

// The record, one append to a segment: a header block, data blocks, and the header again as a tail.
// Little-endian.  Any change is a new version.
//
//     offset  size  field
//          0     8  magic             "ISORECRD"
//          8     2  version           1
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
//         80    16  reserved          zero
//         96  4000  entries           then zeros
//
// The checksum starts from the segment's nonce, drawn at random when the segment was opened: bytes
// that a host wrote can never pass for a record.  The tail is the header with its flag set: one bad
// sector never takes away the knowledge of which blocks a record changed.
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

    package static var magic: UInt64 { 0x4452_4345_524F_5349 }
    package static var version: UInt16 { 1 }
    package static var byteCount: Int { Geometry.blockByteCount }
    package static var tableOffset: Int { 96 }
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
        incarnation: UInt32
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
    }

    /// Completes a header block whose entries are already in place; returns its checksum.
    ///
    /// Bytes behind the table must be zero.
    @discardableResult
    package func seal(into block: inout MutableRawSpan, nonce: UInt64) -> UInt32 {
        invariant(block.byteCount == Self.byteCount, "a record header fills one block")
        block.storeBytes(of: Self.magic, toByteOffset: 0, as: UInt64.self)
        block.storeBytes(of: Self.version, toByteOffset: 8, as: UInt16.self)
        block.storeBytes(of: stream.rawValue, toByteOffset: 10, as: UInt8.self)
        block.storeBytes(of: isTail ? 1 : 0, toByteOffset: 11, as: UInt8.self)
        block.storeBytes(of: 0, toByteOffset: 12, as: UInt32.self)
        block.storeBytes(of: segmentSequence, toByteOffset: 16, as: UInt64.self)
        block.storeBytes(of: segmentIndex.rawValue, toByteOffset: 24, as: UInt32.self)
        block.storeBytes(of: blockOffset, toByteOffset: 28, as: UInt32.self)
        block.storeBytes(of: number.rawValue, toByteOffset: 32, as: UInt64.self)
        block.storeBytes(of: durableThrough.rawValue, toByteOffset: 40, as: UInt64.self)
        block.storeBytes(of: firstSequence.rawValue, toByteOffset: 48, as: UInt64.self)
        block.storeBytes(of: entryCount, toByteOffset: 56, as: UInt32.self)
        block.storeBytes(of: dataBlockCount, toByteOffset: 60, as: UInt32.self)
        block.storeBytes(of: previousChecksum, toByteOffset: 64, as: UInt32.self)
        block.storeBytes(of: lane.rawValue, toByteOffset: 68, as: UInt16.self)
        block.storeBytes(of: device.rawValue, toByteOffset: 70, as: UInt8.self)
        block.storeBytes(of: 0, toByteOffset: 71, as: UInt8.self)
        block.storeBytes(of: tableByteCount, toByteOffset: 72, as: UInt32.self)
        block.storeBytes(of: incarnation, toByteOffset: 76, as: UInt32.self)
        block.storeBytes(of: 0, toByteOffset: 80, as: UInt64.self)
        block.storeBytes(of: 0, toByteOffset: 88, as: UInt64.self)
        let checksum = Self.checksum(of: block.bytes, nonce: nonce)
        block.storeBytes(of: checksum, toByteOffset: 12, as: UInt32.self)
        return checksum
    }

    /// Reads the header at the start of `block`; believes nothing before the checksum.
    package init(decoding block: RawSpan, nonce: UInt64) throws(FormatError) {
        guard block.byteCount >= Self.byteCount else {
            throw .truncated(structure: "record", needed: Self.byteCount, found: block.byteCount)
        }
        guard block.word64(at: 0) == Self.magic else { throw .noMagic(structure: "record") }
        let found = block.word32(at: 12)
        let expected = Self.checksum(of: block.extracting(0..<Self.byteCount), nonce: nonce)
        guard found == expected else {
            throw .checksum(structure: "record", expected: expected, found: found)
        }
        guard block.word16(at: 8) == Self.version else {
            throw .unknownVersion(structure: "record", found: block.word16(at: 8))
        }
        guard let stream = StreamKind(rawValue: block.byte(at: 10)) else {
            throw .field(structure: "record", field: "stream", found: UInt64(block.byte(at: 10)))
        }
        guard block.byte(at: 11) <= 1 else {
            throw .field(structure: "record", field: "flags", found: UInt64(block.byte(at: 11)))
        }
        guard block.byte(at: 71) == 0, block.word64(at: 80) == 0, block.word64(at: 88) == 0 else {
            throw .field(structure: "record", field: "reserved", found: block.word64(at: 80))
        }
        let table = block.word32(at: 72)
        guard table <= UInt32(Self.tableByteCountMax) else {
            throw .field(structure: "record", field: "tableByteCount", found: UInt64(table))
        }
        self.init(
            stream: stream,
            segmentSequence: block.word64(at: 16),
            segmentIndex: SegmentIndex(block.word32(at: 24)),
            blockOffset: block.word32(at: 28),
            number: RecordNumber(block.word64(at: 32)),
            durableThrough: RecordNumber(block.word64(at: 40)),
            firstSequence: SequenceNumber(block.word64(at: 48)),
            entryCount: block.word32(at: 56),
            dataBlockCount: block.word32(at: 60),
            previousChecksum: block.word32(at: 64),
            lane: LaneIndex(block.word16(at: 68)),
            device: DeviceIndex(block.byte(at: 70)),
            tableByteCount: table,
            incarnation: block.word32(at: 76)
        )
        isTail = block.byte(at: 11) == 1
    }

    private static func checksum(of block: RawSpan, nonce: UInt64) -> UInt32 {
        Checksum.crc32c(block, skipping: 12, from: UInt32(truncatingIfNeeded: nonce ^ nonce >> 32))
    }
}
