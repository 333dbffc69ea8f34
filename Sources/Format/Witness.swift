package import Units

// The witness of a lane: how far the pool had come, told by a device; one block, in three places.
// Little-endian.  Any change is a new version.
//
//     offset  size  field
//          0     8  magic             "ISOWITNS"
//          8     2  version           2
//         10     1  deviceIndex       of this device
//         11     1  place             0 to 2: which of the lane's three it is
//         12     4  checksum          CRC-32C of the block, this field as zero
//         16    16  poolIdentifier
//         32    16  deviceIdentifier
//         48     2  lane
//         50     2  reserved          zero
//         52     4  incarnation       of the pool when this was written
//         56     8  number            grows with every write of the lane's witness; modulo 3 it is
//                                     the place
//         64     8  checkpoint        number of the lane's newest checkpoint; none is zero
//         72  4024  reserved          zero
//
// Written to every device when the pool is opened, before it serves, and to flash before segments
// that a checkpoint gave back are used again.  So a catalogue that is older than a witness does not
// know what became of its segments, and a device whose witness is older than the catalogue says
// missed what others were told.

/// How far one lane of a pool had come, as one device was told.
package struct Witness: Equatable, Sendable {
    package var poolIdentifier: PoolIdentifier
    package var deviceIdentifier: DeviceIdentifier
    package var deviceIndex: DeviceIndex
    package var lane: LaneIndex
    package var incarnation: UInt32
    package var number: UInt64
    package var checkpoint: UInt64

    package init(
        poolIdentifier: PoolIdentifier,
        deviceIdentifier: DeviceIdentifier,
        deviceIndex: DeviceIndex,
        lane: LaneIndex,
        incarnation: UInt32,
        number: UInt64,
        checkpoint: UInt64
    ) {
        self.poolIdentifier = poolIdentifier
        self.deviceIdentifier = deviceIdentifier
        self.deviceIndex = deviceIndex
        self.lane = lane
        self.incarnation = incarnation
        self.number = number
        self.checkpoint = checkpoint
    }

    package static var magic: UInt64 { 0x534E_5449_574F_5349 }
    package static var version: UInt16 { 2 }
    package static var byteCount: Int { Geometry.blockByteCount }
    /// Places of a lane's witness on a device: while one is written, and a second one was damaged
    /// unseen, the third is whole.
    package static var placeCount: Int { 3 }

    /// The block of the device at which a witness of this number lies.
    package var block: UInt64 {
        DeviceLayout.witnessBlock(lane: lane, place: Int(number % UInt64(Self.placeCount)))
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
        package static var reservedHead: Stretch { Stretch(at: 50, byteCount: 2) }
        package static var incarnation: Field<UInt32> { Field(at: 52) }
        package static var number: Field<UInt64> { Field(at: 56) }
        package static var checkpoint: Field<UInt64> { Field(at: 64) }
        package static var reserved: Stretch { Stretch(at: 72, byteCount: 4024) }

        package static var rows: [LayoutRow] {
            [
                magic.row("magic"), version.row("version"), deviceIndex.row("deviceIndex"),
                place.row("place"), checksum.row("checksum"),
                poolIdentifier.row("poolIdentifier"), deviceIdentifier.row("deviceIdentifier"),
                lane.row("lane"), reservedHead.row("reserved"), incarnation.row("incarnation"),
                number.row("number"), checkpoint.row("checkpoint"), reserved.row("reserved"),
            ]
        }
    }

    /// Writes the witness over all of `block`, which is one block long.
    package func encode(into block: inout MutableRawSpan) {
        invariant(block.byteCount == Self.byteCount, "a witness fills one block")
        block.zero()
        block.store(deviceIndex.rawValue, in: Layout.deviceIndex)
        block.store(UInt8(number % UInt64(Self.placeCount)), in: Layout.place)
        block.store(poolIdentifier, in: Layout.poolIdentifier)
        block.store(deviceIdentifier, in: Layout.deviceIdentifier)
        block.store(lane.rawValue, in: Layout.lane)
        block.store(incarnation, in: Layout.incarnation)
        block.store(number, in: Layout.number)
        block.store(checkpoint, in: Layout.checkpoint)
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
        let number = block.load(Layout.number)
        guard UInt64(block.load(Layout.place)) == number % UInt64(Self.placeCount) else {
            throw .field(
                structure: "witness",
                field: "place",
                found: UInt64(block.load(Layout.place))
            )
        }
        guard block.isZero(in: Layout.reservedHead.range), block.isZero(in: Layout.reserved.range)
        else { throw .field(structure: "witness", field: "reserved", found: 1) }
        self.init(
            poolIdentifier: block.load(Layout.poolIdentifier),
            deviceIdentifier: block.load(Layout.deviceIdentifier),
            deviceIndex: DeviceIndex(block.load(Layout.deviceIndex)),
            lane: LaneIndex(block.load(Layout.lane)),
            incarnation: block.load(Layout.incarnation),
            number: number,
            checkpoint: block.load(Layout.checkpoint)
        )
    }
}
