import Format
import Units

/// One value of each structure; the golden bytes are theirs.
enum Sample {
    static let pool = PoolIdentifier(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)
    static let device = DeviceIdentifier(high: 0x1021_3243_5465_7687, low: 0x98A9_BACB_DCED_FE0F)
    static let flash = DeviceIdentifier(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F11)
    static let volume = VolumeIdentifier(high: 0xF0E1_D2C3_B4A5_9687, low: 0x7869_5A4B_3C2D_1E0F)
    static let clone = VolumeIdentifier(high: 0xDEAD_BEEF_0011_2233, low: 0x4455_6677_8899_AABB)
    static let nonce: UInt64 = 0xA1B2_C3D4_E5F6_0718
    /// Where the checksums of records in a segment of that nonce start from.
    static let nonceStart = UInt32(truncatingIfNeeded: nonce ^ nonce >> 32)

    static let address = SegmentAddress(device: DeviceIndex(3), index: SegmentIndex(7))

    static let segment = SegmentHeader(
        poolIdentifier: pool,
        deviceIdentifier: device,
        deviceIndex: address.device,
        segmentIndex: address.index,
        segmentSequence: 41,
        lane: LaneIndex(2),
        stream: .cold,
        incarnation: 5,
        firstRecord: RecordNumber(1001),
        nonce: nonce,
        previous: SegmentLink(
            address: SegmentAddress(device: DeviceIndex(1), index: SegmentIndex(6)),
            sequence: 40
        ),
        openedSeconds: 1_700_000_000
    )

    static let firstSegment = SegmentHeader(
        poolIdentifier: pool,
        deviceIdentifier: device,
        deviceIndex: DeviceIndex(0),
        segmentIndex: SegmentIndex(0),
        segmentSequence: 1,
        lane: LaneIndex(0),
        stream: .host,
        incarnation: 1,
        firstRecord: RecordNumber(1),
        nonce: 0x0123_4567_89AB_CDEF,
        previous: nil,
        openedSeconds: -1
    )

    static let control = VolumeControl(
        tree: TreeIdentifier(77),
        byteCount: 200 << 30,
        lane: LaneIndex(2),
        createdSeconds: 1_700_000_001,
        name: "db01"
    )

    static let superblock = Superblock(
        poolIdentifier: pool,
        poolName: "tank",
        deviceIdentifier: device,
        deviceIndex: DeviceIndex(3),
        role: .disk,
        deviceByteCount: 8 << 30,
        segmentByteCount: 32 << 20,
        segmentCount: 255,
        laneCount: 2,
        generation: 6,
        createdSeconds: 1_700_000_000,
        model: .hdd7200,
        devices: [
            PoolDevice(identifier: flash, role: .flash, index: DeviceIndex(0), byteCount: 1 << 30),
            PoolDevice(identifier: device, role: .disk, index: DeviceIndex(3), byteCount: 8 << 30),
        ]
    )

    /// The entries of the sample record: data, the creation of a volume, a copy.
    static let entries = [
        RecordEntry(volume: volume, address: 512, blockCount: 2, kind: .data),
        RecordEntry(
            volume: volume,
            address: 0,
            blockCount: 0,
            kind: .control,
            detail: ControlKind.createVolume.rawValue,
            payloadByteCount: 36
        ),
        RecordEntry(volume: clone, address: 9, blockCount: 1, kind: .copy),
    ]

    /// Without the pool, as version 1 had it, when `saysPool` is false.
    static func recordHeader(isTail: Bool = false, saysPool: Bool = true) -> RecordHeader {
        var header = RecordHeader(
            stream: .host,
            segmentSequence: 41,
            segmentIndex: SegmentIndex(7),
            blockOffset: 12,
            number: RecordNumber(1003),
            durableThrough: RecordNumber(1001),
            firstSequence: SequenceNumber(incarnation: 5, count: 600),
            entryCount: 3,
            dataBlockCount: 3,
            previousChecksum: 0xCAFE_BABE,
            lane: LaneIndex(2),
            device: DeviceIndex(3),
            tableByteCount: UInt32(entries.map(\.byteCount).reduce(0, +)),
            incarnation: 5,
            poolIdentifier: saysPool ? segment.poolIdentifier : nil
        )
        header.isTail = isTail
        return header
    }

    /// The sample record's header block, or its tail.
    static func record(isTail: Bool = false, saysPool: Bool = true) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Geometry.blockByteCount)
        Bytes.change(&bytes) { block in
            var offset = RecordHeader.tableOffset
            for entry in entries {
                entry.store(into: &block, at: offset)
                offset += entry.byteCount
            }
            let first = RecordHeader.tableOffset
            RecordEntry.store(checksum: 0x1111_1111, ofBlock: 0, into: &block, at: first)
            RecordEntry.store(checksum: 0x2222_2222, ofBlock: 1, into: &block, at: first)
            let second = first + entries[0].byteCount
            for (index, byte) in control.encode().enumerated() {
                byte.store(into: &block, at: second + RecordEntry.fixedByteCount + index)
            }
            RecordEntry.store(
                sequence: SequenceNumber(incarnation: 4, count: 99),
                checksum: 0x3333_3333,
                ofBlock: 0,
                into: &block,
                at: second + entries[1].byteCount
            )
            recordHeader(isTail: isTail, saysPool: saysPool).seal(into: &block, nonce: nonce)
        }
        return bytes
    }

    static let tree = TreeIdentifier(77)
    static let leafIndex: UInt64 = 12_345
    static let writers = [volume, clone]

    private static func place(_ device: UInt8, _ block: UInt64) -> Location {
        Location(device: DeviceIndex(device), block: block)
    }

    /// Four blocks on flash, a reserved zero, two that lie on both tiers, two poisoned at the end.
    static let states: [BlockState] = {
        var states = [BlockState](repeating: .absent, count: LeafFormat.blockCount)
        func set(
            _ block: Int,
            _ kind: BlockState.Kind,
            _ flash: Location,
            _ disk: Location,
            _ sequence: UInt64,
            _ checksum: UInt32,
            _ writer: UInt16 = 0
        ) {
            states[block] = BlockState(
                kind: kind,
                flash: flash,
                disk: disk,
                sequence: SequenceNumber(sequence),
                checksum: checksum,
                writer: writer
            )
        }
        set(0, .stored, place(0, 1000), .nowhere, 5, 0xA0)
        set(1, .stored, place(0, 1001), .nowhere, 5, 0xA1)
        set(2, .stored, place(0, 1002), .nowhere, 6, 0xA2)
        set(3, .stored, place(0, 1003), .nowhere, 7, 0xA3)
        set(5, .zero, .nowhere, .nowhere, 9, 0)
        set(6, .stored, place(1, 77), place(2, 90_000), 20, 0xB6, 1)
        set(7, .stored, place(1, 5), place(2, 90_001), 11, 0xB7, 1)
        set(510, .poisoned, .nowhere, .nowhere, 11, 0xC0)
        set(511, .poisoned, .nowhere, .nowhere, 11, 0xC1)
        return states
    }()

    static let witness = Witness(
        poolIdentifier: segment.poolIdentifier,
        deviceIdentifier: segment.deviceIdentifier,
        deviceIndex: DeviceIndex(3),
        lane: LaneIndex(2),
        place: 3,
        incarnation: 5,
        number: 77,
        checkpoint: 41,
        witnessed: 40,
        witnessedIncarnation: 4,
        log: LogPlace(
            segment: SegmentAddress(device: DeviceIndex(1), index: SegmentIndex(0x0102_0304)),
            segmentSequence: 0x1112_1314_1516_1718,
            blockOffset: 99,
            nextRecord: RecordNumber(0x2122_2324),
            previousChecksum: 0x3132_3334
        ),
        logEnd: RecordNumber(0x4142_4344),
        logEndSegment: 0x8182_8384_8586_8788,
        mirror: MirrorState(begin: 0x5152, end: 0x6162_6364, checksum: 0x7172_7374)
    )

    /// One item of each kind, and a leaf and heat that go.
    static let mirrorItems: [MirrorItem] = [
        .freedSegment(SegmentAddress(device: DeviceIndex(1), index: SegmentIndex(7))),
        .segment(
            MirrorItem.Segment(
                address: SegmentAddress(device: DeviceIndex(2), index: SegmentIndex(0x0A0B)),
                stream: .mature,
                sequence: 0x0102_0304_0506_0708,
                nonce: nonce,
                liveBlockCount: 77,
                writtenBlockCount: 99
            )
        ),
        .volume(
            MirrorItem.Volume(
                identifier: writers[0],
                ownedBlockCount: 12,
                state: 1,
                control: control
            )
        ),
        .tree(tree, parent: nil, volume: writers[0]),
        .tree(tree, parent: TreeIdentifier(5), volume: writers[1]),
        .leaf(tree: tree, index: leafIndex, bytes: leaf()),
        .leaf(tree: tree, index: 3, bytes: []),
        .heat(tree: tree, index: leafIndex, bytes: HeatFormat.encode(heat.span)),
        .heat(tree: tree, index: 3, bytes: []),
        .forgottenVolume(writers[1]),
    ]

    /// A record of the mirror of one block with all these items.
    static func mirror() -> [UInt8] {
        var place = MirrorRecord.itemsOffset
        return Bytes.block { bytes in
            for item in mirrorItems {
                item.store(into: &bytes, at: place)
                place += item.byteCount
            }
            _ = mirrorRecord(byteCount: place - MirrorRecord.itemsOffset).seal(&bytes)
        }
    }

    static func mirrorRecord(byteCount: Int) -> MirrorRecord {
        MirrorRecord(
            poolIdentifier: segment.poolIdentifier,
            lane: control.lane,
            place: 0x0102_0304_05,
            blockCount: 1,
            byteCount: byteCount,
            previousChecksum: 0x1122_3344
        )
    }

    static func leaf() -> [UInt8] { Leaf.encode(states, writers: writers) }

    static let heat: [UInt32] = (0..<96).map { UInt32($0) &* 0x0101_0101 }
}

/// Leaves as tests write and read them: always the sample's tree and index.
enum Leaf {
    static func encode(_ states: [BlockState], writers: [VolumeIdentifier]) -> [UInt8] {
        LeafFormat.encode(
            states: states.span,
            writers: writers,
            tree: Sample.tree,
            index: Sample.leafIndex
        )
    }

    static func decode(
        _ bytes: [UInt8]
    ) throws(FormatError) -> (states: [BlockState], writers: [VolumeIdentifier]) {
        var states = [BlockState](repeating: .absent, count: LeafFormat.blockCount)
        var span = states.mutableSpan
        let writers = try LeafFormat.decode(
            bytes.raw,
            tree: Sample.tree,
            index: Sample.leafIndex,
            into: &span
        )
        return (states, writers)
    }
}
