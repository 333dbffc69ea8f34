package import Units

// The header that opens every segment, one block.  Little-endian.  Any change is a new version.
//
//     offset  size  field
//          0     8  magic             "ISOSEGMT"
//          8     2  version           1
//         10     1  stream            StreamKind
//         11     1  deviceIndex       place of the device in the pool's list
//         12     4  checksum          CRC-32C of the block, this field as zero
//         16    16  poolIdentifier    catches a device that belongs to another pool
//         32    16  deviceIdentifier  catches a segment of another device
//         48     4  segmentIndex      where it believes it lies; catches misdirected writes
//         52     4  incarnation       of the pool when the segment was opened
//         56     8  segmentSequence   grows with every segment that the pool opens; from one
//         64     8  firstRecord       RecordNumber of the first record in it
//         72     8  nonce             drawn at random; seeds the checksums of its record headers
//         80     8  openedSeconds     since 1970, signed, for people
//         88     2  lane
//         90     1  previousKind      0x11 there is none, 0x22 there is one
//         91     1  previousDevice    of the lane's stream's previous segment; zero when none
//         92     4  previousIndex     zero when none
//         96     8  previousSequence  its segmentSequence; zero when none
//        104  3992  reserved          zero
//
// A segment that is reused gets a new header first.  Records of its earlier use carry another
// segmentSequence and a checksum from another nonce, so that they can not pass for its records.

/// The first block of a segment: whose it is, where it lies and what it continues.
package struct SegmentHeader: Equatable, Sendable {
    package var poolIdentifier: PoolIdentifier
    package var deviceIdentifier: DeviceIdentifier
    package var deviceIndex: DeviceIndex
    package var segmentIndex: SegmentIndex
    package var segmentSequence: UInt64
    package var lane: LaneIndex
    package var stream: StreamKind
    package var incarnation: UInt32
    package var firstRecord: RecordNumber
    package var nonce: UInt64
    /// The segment that the lane's stream filled before this one; nil for the stream's first.
    package var previous: SegmentLink?
    /// Seconds since 1970, for people; nothing is decided by it.
    package var openedSeconds: Int64

    package init(
        poolIdentifier: PoolIdentifier,
        deviceIdentifier: DeviceIdentifier,
        deviceIndex: DeviceIndex,
        segmentIndex: SegmentIndex,
        segmentSequence: UInt64,
        lane: LaneIndex,
        stream: StreamKind,
        incarnation: UInt32,
        firstRecord: RecordNumber,
        nonce: UInt64,
        previous: SegmentLink?,
        openedSeconds: Int64
    ) {
        self.poolIdentifier = poolIdentifier
        self.deviceIdentifier = deviceIdentifier
        self.deviceIndex = deviceIndex
        self.segmentIndex = segmentIndex
        self.segmentSequence = segmentSequence
        self.lane = lane
        self.stream = stream
        self.incarnation = incarnation
        self.firstRecord = firstRecord
        self.nonce = nonce
        self.previous = previous
        self.openedSeconds = openedSeconds
    }

    package static var magic: UInt64 { 0x544D_4745_534F_5349 }
    package static var version: UInt16 { 1 }
    package static var byteCount: Int { Geometry.blockByteCount }

    /// Where the segment lies in its pool.
    package var address: SegmentAddress {
        SegmentAddress(device: deviceIndex, index: segmentIndex)
    }
}

/// A segment in one of its uses: a reused segment has the same address and another sequence.
package struct SegmentLink: Hashable, Sendable {
    package var address: SegmentAddress
    package var sequence: UInt64
    package init(address: SegmentAddress, sequence: UInt64) {
        self.address = address
        self.sequence = sequence
    }
}

extension SegmentHeader {
    package enum Layout {
        package static var magic: Field<UInt64> { Preamble.Layout.magic }
        package static var version: Field<UInt16> { Preamble.Layout.version }
        package static var stream: Field<UInt8> { Field(at: 10) }
        package static var deviceIndex: Field<UInt8> { Field(at: 11) }
        package static var checksum: Field<UInt32> { Preamble.Layout.checksum }
        package static var poolIdentifier: Field<Identifier> { Field(at: 16) }
        package static var deviceIdentifier: Field<Identifier> { Field(at: 32) }
        package static var segmentIndex: Field<UInt32> { Field(at: 48) }
        package static var incarnation: Field<UInt32> { Field(at: 52) }
        package static var segmentSequence: Field<UInt64> { Field(at: 56) }
        package static var firstRecord: Field<UInt64> { Field(at: 64) }
        package static var nonce: Field<UInt64> { Field(at: 72) }
        package static var openedSeconds: Field<Int64> { Field(at: 80) }
        package static var lane: Field<UInt16> { Field(at: 88) }
        package static var previousKind: Field<UInt8> { Field(at: 90) }
        package static var previousDevice: Field<UInt8> { Field(at: 91) }
        package static var previousIndex: Field<UInt32> { Field(at: 92) }
        package static var previousSequence: Field<UInt64> { Field(at: 96) }
        package static var reserved: Stretch { Stretch(at: 104, byteCount: 3992) }

        package static var rows: [LayoutRow] {
            [
                magic.row("magic"), version.row("version"), stream.row("stream"),
                deviceIndex.row("deviceIndex"), checksum.row("checksum"),
                poolIdentifier.row("poolIdentifier"), deviceIdentifier.row("deviceIdentifier"),
                segmentIndex.row("segmentIndex"), incarnation.row("incarnation"),
                segmentSequence.row("segmentSequence"), firstRecord.row("firstRecord"),
                nonce.row("nonce"), openedSeconds.row("openedSeconds"), lane.row("lane"),
                previousKind.row("previousKind"), previousDevice.row("previousDevice"),
                previousIndex.row("previousIndex"), previousSequence.row("previousSequence"),
                reserved.row("reserved"),
            ]
        }

        static var previousIsNone: UInt8 { 0x11 }
        static var previousIsSegment: UInt8 { 0x22 }
    }

    /// Writes the header over all of `block`, which is one block long.
    package func encode(into block: inout MutableRawSpan) {
        invariant(block.byteCount == Self.byteCount, "a segment header fills one block")
        invariant(segmentSequence > 0, "the pool counts its segments from one")
        block.zero()
        block.store(stream.rawValue, in: Layout.stream)
        block.store(deviceIndex.rawValue, in: Layout.deviceIndex)
        block.store(poolIdentifier, in: Layout.poolIdentifier)
        block.store(deviceIdentifier, in: Layout.deviceIdentifier)
        block.store(segmentIndex.rawValue, in: Layout.segmentIndex)
        block.store(incarnation, in: Layout.incarnation)
        block.store(segmentSequence, in: Layout.segmentSequence)
        block.store(firstRecord.rawValue, in: Layout.firstRecord)
        block.store(nonce, in: Layout.nonce)
        block.store(openedSeconds, in: Layout.openedSeconds)
        block.store(lane.rawValue, in: Layout.lane)
        if let previous {
            block.store(Layout.previousIsSegment, in: Layout.previousKind)
            block.store(previous.address.device.rawValue, in: Layout.previousDevice)
            block.store(previous.address.index.rawValue, in: Layout.previousIndex)
            block.store(previous.sequence, in: Layout.previousSequence)
        } else {
            block.store(Layout.previousIsNone, in: Layout.previousKind)
        }
        Preamble.seal(&block, magic: Self.magic, version: Self.version)
    }

    /// Reads the header at the start of `block`; believes nothing before the checksum.
    ///
    /// Whether it is the header of the segment that was asked for is for `check` to say.
    package init(decoding block: RawSpan) throws(FormatError) {
        guard block.byteCount >= Self.byteCount else {
            throw .truncated(
                structure: "segment",
                needed: Self.byteCount,
                found: block.byteCount
            )
        }
        let block = block.extracting(0..<Self.byteCount)
        try Preamble.check(
            block,
            structure: "segment",
            magic: Self.magic,
            version: Self.version
        )
        guard let stream = StreamKind(rawValue: block.load(Layout.stream)) else {
            throw .field(
                structure: "segment",
                field: "stream",
                found: UInt64(block.load(Layout.stream))
            )
        }
        guard block.load(Layout.segmentSequence) > 0 else {
            throw .field(structure: "segment", field: "segmentSequence", found: 0)
        }
        guard block.isZero(in: Layout.reserved.range) else {
            throw .field(structure: "segment", field: "reserved", found: 1)
        }
        self.init(
            poolIdentifier: block.load(Layout.poolIdentifier),
            deviceIdentifier: block.load(Layout.deviceIdentifier),
            deviceIndex: DeviceIndex(block.load(Layout.deviceIndex)),
            segmentIndex: SegmentIndex(block.load(Layout.segmentIndex)),
            segmentSequence: block.load(Layout.segmentSequence),
            lane: LaneIndex(block.load(Layout.lane)),
            stream: stream,
            incarnation: block.load(Layout.incarnation),
            firstRecord: RecordNumber(block.load(Layout.firstRecord)),
            nonce: block.load(Layout.nonce),
            previous: try Self.previous(in: block),
            openedSeconds: block.load(Layout.openedSeconds)
        )
    }

    /// Refuses a header that is whole but not that of segment `address` of this pool and device.
    package func check(
        pool: PoolIdentifier,
        device: DeviceIdentifier,
        address: SegmentAddress
    ) throws(FormatError) {
        guard poolIdentifier == pool else {
            throw .misplaced(structure: "segment", field: "poolIdentifier")
        }
        guard deviceIdentifier == device else {
            throw .misplaced(structure: "segment", field: "deviceIdentifier")
        }
        guard deviceIndex == address.device else {
            throw .misplaced(structure: "segment", field: "deviceIndex")
        }
        guard segmentIndex == address.index else {
            throw .misplaced(structure: "segment", field: "segmentIndex")
        }
    }

    private static func previous(in block: RawSpan) throws(FormatError) -> SegmentLink? {
        let kind = block.load(Layout.previousKind)
        let device = block.load(Layout.previousDevice)
        let index = block.load(Layout.previousIndex)
        let sequence = block.load(Layout.previousSequence)
        switch kind {
        case Layout.previousIsNone:
            guard device == 0, index == 0, sequence == 0 else {
                throw .field(structure: "segment", field: "previousSequence", found: sequence)
            }
            return nil
        case Layout.previousIsSegment:
            let address = SegmentAddress(device: DeviceIndex(device), index: SegmentIndex(index))
            return SegmentLink(address: address, sequence: sequence)
        default:
            throw .field(structure: "segment", field: "previousKind", found: UInt64(kind))
        }
    }
}

extension SegmentHeader {
    /// The header as lines of text, for `isotherm inspect`.
    package func describe() -> String {
        let before =
            previous.map { link in
                "segment \(link.address.index.rawValue) of device \(link.address.device.rawValue), "
                    + "sequence \(link.sequence)"
            } ?? "none"
        return """
            segment header version \(Self.version)
              pool            \(poolIdentifier)
              device          \(deviceIdentifier), index \(deviceIndex.rawValue)
              segment         \(segmentIndex.rawValue), sequence \(segmentSequence)
              lane            \(lane.rawValue), stream \(stream)
              incarnation     \(incarnation)
              first record    \(firstRecord.rawValue)
              nonce           \(HexText.of(nonce))
              previous        \(before)
              opened          \(openedSeconds) seconds since 1970
            """
    }
}
