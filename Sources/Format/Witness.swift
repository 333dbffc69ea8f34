package import Units

// The witness of a lane: how far the pool had come, and all that it takes to go on from there
// without the catalogue; one block, in four places.  Little-endian.  Any change is a new version.
//
//     offset  size  field
//          0     8  magic                "ISOWITNS"
//          8     2  version              4
//         10     1  deviceIndex          of this device
//         11     1  place                0 to 3: which of the lane's four it is
//         12     4  checksum             CRC-32C of the block, this field as zero
//         16    16  poolIdentifier
//         32    16  deviceIdentifier
//         48     2  lane
//         50     1  segmentKind          0x11 the log has no segment, 0x22 it has
//         51     1  segmentDevice        zero when none
//         52     4  incarnation          of the pool when this was written
//         56     8  number               grows with everything that the lane tells
//         64     8  checkpoint           number of the lane's newest checkpoint; none is zero
//         72     8  witnessed            a checkpoint of which all flash devices had been told
//         80     4  witnessedIncarnation the last one of which all devices had been told
//         84     4  segmentIndex         of the log at the checkpoint; zero when none
//         88     8  segmentSequence      of the newest segment that the log had then
//         96     4  blockOffset          in that segment, where the next record would begin
//        100     4  previousChecksum     of the record before that
//        104     8  nextRecord           its number
//        112     8  logEnd               record at which the log ended when the incarnation began
//        120     1  mirrorKind           0x11 it is not whole, 0x22 it is
//        121     3  reserved             zero
//        124     4  mirrorChecksum       of the mirror's last record; zero when there is none
//        128     8  mirrorBegin          first block of the mirror that counts; zero if not whole
//        136     8  mirrorEnd            the block behind its last record
//        144     8  logEndSegment        sequence of the newest segment then; zero when none
//        152  3944  reserved             zero
//
// Written to every device when the pool is opened, before it serves, and to flash behind every
// checkpoint, before segments that it gave back are used again.  So a catalogue that is older than
// a witness does not know what became of its segments, and a device whose witness is older than
// the catalogue says missed what others were told.
//
// Places are written in pairs, and not the pair that holds the newest witness: while two are
// written, and one of the others was damaged unseen, the fourth is whole.

/// How far one lane of a pool had come, as one device was told.
package struct Witness: Equatable, Sendable {
    package var poolIdentifier: PoolIdentifier
    package var deviceIdentifier: DeviceIdentifier
    package var deviceIndex: DeviceIndex
    package var lane: LaneIndex
    /// Which of the lane's places on the device it lies in.
    package var place: Int
    package var incarnation: UInt32
    package var number: UInt64
    package var checkpoint: UInt64
    /// A checkpoint of which every flash device had been told.
    package var witnessed: UInt64
    /// The last incarnation of which every device had been told.
    package var witnessedIncarnation: UInt32
    /// Where the log stood at the checkpoint.
    package var log: LogPlace
    /// The record at which the log ended when the incarnation began.
    package var logEnd: RecordNumber
    /// Sequence number of the newest segment that the log had then; none is zero.
    package var logEndSegment: UInt64
    package var mirror: MirrorState

    package init(
        poolIdentifier: PoolIdentifier,
        deviceIdentifier: DeviceIdentifier,
        deviceIndex: DeviceIndex,
        lane: LaneIndex,
        place: Int,
        incarnation: UInt32,
        number: UInt64,
        checkpoint: UInt64,
        witnessed: UInt64,
        witnessedIncarnation: UInt32,
        log: LogPlace,
        logEnd: RecordNumber,
        logEndSegment: UInt64,
        mirror: MirrorState
    ) {
        self.poolIdentifier = poolIdentifier
        self.deviceIdentifier = deviceIdentifier
        self.deviceIndex = deviceIndex
        self.lane = lane
        self.place = place
        self.incarnation = incarnation
        self.number = number
        self.checkpoint = checkpoint
        self.witnessed = witnessed
        self.witnessedIncarnation = witnessedIncarnation
        self.log = log
        self.logEnd = logEnd
        self.logEndSegment = logEndSegment
        self.mirror = mirror
    }

    package static var magic: UInt64 { 0x534E_5449_574F_5349 }
    package static var version: UInt16 { 4 }
    package static var byteCount: Int { Geometry.blockByteCount }
    /// Places of a lane's witness on a device.
    package static var placeCount: Int { 4 }
    /// Places that are written with one witness.
    package static var pairCount: Int { placeCount / 2 }

    /// The block of the device at which it lies.
    package var block: UInt64 { DeviceLayout.witnessBlock(lane: lane, place: place) }
}

/// Where a log stands: replay begins here.
package struct LogPlace: Hashable, Sendable {
    /// The open host segment; nil before the first record.
    package var segment: SegmentAddress?
    /// Of that segment, or of one before the next that is opened.
    package var segmentSequence: UInt64
    /// Block of the segment at which the next record would begin.
    package var blockOffset: UInt32
    package var nextRecord: RecordNumber
    /// Of the record before that.
    package var previousChecksum: UInt32

    package init(
        segment: SegmentAddress?,
        segmentSequence: UInt64,
        blockOffset: UInt32,
        nextRecord: RecordNumber,
        previousChecksum: UInt32
    ) {
        self.segment = segment
        self.segmentSequence = segmentSequence
        self.blockOffset = blockOffset
        self.nextRecord = nextRecord
        self.previousChecksum = previousChecksum
    }
}

extension Witness {
    package enum Layout {
        package static var magic: Field<UInt64> { Preamble.Layout.magic }
        package static var version: Field<UInt16> { Preamble.Layout.version }
        package static var deviceIndex: Field<UInt8> { Field(at: 10) }
        package static var place: Field<UInt8> { Field(at: 11) }
        package static var checksum: Field<UInt32> { Preamble.Layout.checksum }
        package static var poolIdentifier: Field<Identifier> { Field(at: 16) }
        package static var deviceIdentifier: Field<Identifier> { Field(at: 32) }
        package static var lane: Field<UInt16> { Field(at: 48) }
        package static var segmentKind: Field<UInt8> { Field(at: 50) }
        package static var segmentDevice: Field<UInt8> { Field(at: 51) }
        package static var incarnation: Field<UInt32> { Field(at: 52) }
        package static var number: Field<UInt64> { Field(at: 56) }
        package static var checkpoint: Field<UInt64> { Field(at: 64) }
        package static var witnessed: Field<UInt64> { Field(at: 72) }
        package static var witnessedIncarnation: Field<UInt32> { Field(at: 80) }
        package static var segmentIndex: Field<UInt32> { Field(at: 84) }
        package static var segmentSequence: Field<UInt64> { Field(at: 88) }
        package static var blockOffset: Field<UInt32> { Field(at: 96) }
        package static var previousChecksum: Field<UInt32> { Field(at: 100) }
        package static var nextRecord: Field<UInt64> { Field(at: 104) }
        package static var logEnd: Field<UInt64> { Field(at: 112) }
        package static var mirrorKind: Field<UInt8> { Field(at: 120) }
        package static var reservedMirror: Stretch { Stretch(at: 121, byteCount: 3) }
        package static var mirrorChecksum: Field<UInt32> { Field(at: 124) }
        package static var mirrorBegin: Field<UInt64> { Field(at: 128) }
        package static var mirrorEnd: Field<UInt64> { Field(at: 136) }
        package static var logEndSegment: Field<UInt64> { Field(at: 144) }
        package static var reserved: Stretch { Stretch(at: 152, byteCount: 3944) }

        package static var rows: [LayoutRow] {
            [
                magic.row("magic"), version.row("version"), deviceIndex.row("deviceIndex"),
                place.row("place"), checksum.row("checksum"),
                poolIdentifier.row("poolIdentifier"), deviceIdentifier.row("deviceIdentifier"),
                lane.row("lane"), segmentKind.row("segmentKind"),
                segmentDevice.row("segmentDevice"), incarnation.row("incarnation"),
                number.row("number"), checkpoint.row("checkpoint"), witnessed.row("witnessed"),
                witnessedIncarnation.row("witnessedIncarnation"),
                segmentIndex.row("segmentIndex"), segmentSequence.row("segmentSequence"),
                blockOffset.row("blockOffset"), previousChecksum.row("previousChecksum"),
                nextRecord.row("nextRecord"), logEnd.row("logEnd"), mirrorKind.row("mirrorKind"),
                reservedMirror.row("reserved"), mirrorChecksum.row("mirrorChecksum"),
                mirrorBegin.row("mirrorBegin"), mirrorEnd.row("mirrorEnd"),
                logEndSegment.row("logEndSegment"), reserved.row("reserved"),
            ]
        }

        static var isNone: UInt8 { 0x11 }
        static var isThere: UInt8 { 0x22 }
    }

    /// Writes the witness over all of `block`, which is one block long.
    package func encode(into block: inout MutableRawSpan) {
        invariant(block.byteCount == Self.byteCount, "a witness fills one block")
        block.zero()
        block.store(deviceIndex.rawValue, in: Layout.deviceIndex)
        block.store(UInt8(place), in: Layout.place)
        block.store(poolIdentifier, in: Layout.poolIdentifier)
        block.store(deviceIdentifier, in: Layout.deviceIdentifier)
        block.store(lane.rawValue, in: Layout.lane)
        block.store(incarnation, in: Layout.incarnation)
        block.store(number, in: Layout.number)
        block.store(checkpoint, in: Layout.checkpoint)
        block.store(witnessed, in: Layout.witnessed)
        block.store(witnessedIncarnation, in: Layout.witnessedIncarnation)
        if let segment = log.segment {
            block.store(Layout.isThere, in: Layout.segmentKind)
            block.store(segment.device.rawValue, in: Layout.segmentDevice)
            block.store(segment.index.rawValue, in: Layout.segmentIndex)
        } else {
            block.store(Layout.isNone, in: Layout.segmentKind)
        }
        block.store(log.segmentSequence, in: Layout.segmentSequence)
        block.store(log.blockOffset, in: Layout.blockOffset)
        block.store(log.previousChecksum, in: Layout.previousChecksum)
        block.store(log.nextRecord.rawValue, in: Layout.nextRecord)
        block.store(logEnd.rawValue, in: Layout.logEnd)
        block.store(
            mirror.begin == nil ? Layout.isNone : Layout.isThere,
            in: Layout.mirrorKind
        )
        block.store(mirror.checksum, in: Layout.mirrorChecksum)
        block.store(mirror.begin ?? 0, in: Layout.mirrorBegin)
        block.store(mirror.end, in: Layout.mirrorEnd)
        block.store(logEndSegment, in: Layout.logEndSegment)
        Preamble.seal(&block, magic: Self.magic, version: Self.version)
    }

    /// Reads the witness at the start of `block`; believes nothing before the checksum.
    package init(decoding block: RawSpan) throws(FormatError) {
        guard block.byteCount >= Self.byteCount else {
            throw .truncated(structure: "witness", needed: Self.byteCount, found: block.byteCount)
        }
        let block = block.extracting(0..<Self.byteCount)
        try Preamble.check(
            block,
            structure: "witness",
            magic: Self.magic,
            version: Self.version
        )
        let place = Int(block.load(Layout.place))
        guard place < Self.placeCount else {
            throw .field(structure: "witness", field: "place", found: UInt64(place))
        }
        guard block.isZero(in: Layout.reservedMirror.range),
            block.isZero(in: Layout.reserved.range)
        else { throw .field(structure: "witness", field: "reserved", found: 1) }
        self.init(
            poolIdentifier: block.load(Layout.poolIdentifier),
            deviceIdentifier: block.load(Layout.deviceIdentifier),
            deviceIndex: DeviceIndex(block.load(Layout.deviceIndex)),
            lane: LaneIndex(block.load(Layout.lane)),
            place: place,
            incarnation: block.load(Layout.incarnation),
            number: block.load(Layout.number),
            checkpoint: block.load(Layout.checkpoint),
            witnessed: block.load(Layout.witnessed),
            witnessedIncarnation: block.load(Layout.witnessedIncarnation),
            log: try Self.log(in: block),
            logEnd: RecordNumber(block.load(Layout.logEnd)),
            logEndSegment: block.load(Layout.logEndSegment),
            mirror: try Self.mirror(in: block)
        )
    }

    private static func log(in block: RawSpan) throws(FormatError) -> LogPlace {
        let kind = block.load(Layout.segmentKind)
        let address = SegmentAddress(
            device: DeviceIndex(block.load(Layout.segmentDevice)),
            index: SegmentIndex(block.load(Layout.segmentIndex))
        )
        guard
            kind == Layout.isThere
                || kind == Layout.isNone && address.device.rawValue == 0
                    && address.index.rawValue == 0
        else {
            throw .field(structure: "witness", field: "segmentKind", found: UInt64(kind))
        }
        return LogPlace(
            segment: kind == Layout.isThere ? address : nil,
            segmentSequence: block.load(Layout.segmentSequence),
            blockOffset: block.load(Layout.blockOffset),
            nextRecord: RecordNumber(block.load(Layout.nextRecord)),
            previousChecksum: block.load(Layout.previousChecksum)
        )
    }

    private static func mirror(in block: RawSpan) throws(FormatError) -> MirrorState {
        let kind = block.load(Layout.mirrorKind)
        let begin = block.load(Layout.mirrorBegin)
        let end = block.load(Layout.mirrorEnd)
        guard kind == Layout.isThere && begin <= end || kind == Layout.isNone && begin == 0 else {
            throw .field(structure: "witness", field: "mirrorBegin", found: begin)
        }
        return MirrorState(
            begin: kind == Layout.isThere ? begin : nil,
            end: end,
            checksum: block.load(Layout.mirrorChecksum)
        )
    }
}
