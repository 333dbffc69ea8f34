import Catalogue
import Engine
import Format
import IO
import Simulation
import Units

// What devices tell of the catalogue, and the catalogue made anew from any of it.

enum WitnessTarget: FuzzTarget {
    static var name: String { "witness" }
    static var byteCountMax: Int { Geometry.blockByteCount }
    static func seeds() -> [[UInt8]] { [.block { Sample.witness.encode(into: &$0) }] }

    static func run(_ input: RawSpan) {
        _ = try? Witness(decoding: input)
        var bytes = input.copied
        bytes.fixChecksum()
        guard let witness = try? Witness(decoding: bytes.raw) else { return }
        let again = [UInt8].block { witness.encode(into: &$0) }
        invariant(again == bytes, "a witness that is accepted is one that is written")
    }
}

enum MirrorTarget: FuzzTarget {
    static var name: String { "mirror" }
    static var byteCountMax: Int { 2 * Geometry.blockByteCount }
    static func seeds() -> [[UInt8]] { [Sample.mirror(place: 7, previousChecksum: 3)] }

    static func run(_ input: RawSpan) {
        _ = MirrorRecord.claimedBlockCount(in: input)
        var bytes = input.copied
        bytes.fixChecksum()
        guard let (record, _) = try? MirrorRecord.decode(bytes.raw) else { return }
        var again = bytes
        var offset = MirrorRecord.itemsOffset
        let end = offset + record.byteCount
        while offset < end {
            let start = offset
            guard
                let item = try? MirrorItem(
                    decoding: bytes.raw,
                    at: &offset,
                    end: end,
                    lane: record.lane
                )
            else { return }
            invariant(offset > start && offset <= end, "an item ends inside its record")
            invariant(offset - start == item.byteCount, "an item is as long as it says")
            again.change { item.store(into: &$0, at: start) }
        }
        again.change { _ = record.seal(&$0) }
        invariant(again == bytes, "a record of the mirror that is accepted is one that is written")
    }
}

/// The first block of the input is the lane's witness, the others are the ring; each gets a
/// checksum that fits.
enum AnewTarget: FuzzTarget {
    static var name: String { "anew" }
    static var byteCountMax: Int { 6 * Geometry.blockByteCount }

    static func seeds() -> [[UInt8]] {
        let first = Sample.mirror(place: 0, previousChecksum: 0)
        let second = Sample.mirror(place: 1, previousChecksum: first.raw.word32(at: 12))
        var witness = Sample.witness
        witness.mirror = MirrorState(begin: 0, end: 2, checksum: second.raw.word32(at: 12))
        return [.block { witness.encode(into: &$0) } + first + second]
    }

    static func run(_ input: RawSpan) {
        let devices = AnewDevices(input)
        guard
            var reader = try? MirrorReader(
                pool: Sample.pool,
                laneCount: 1,
                devices: [AnewDevices.flash],
                deviceIdentifiers: [Sample.flash],
                source: devices
            )
        else { return }
        var imageCount = 0
        while let image = try? reader.next() {
            imageCount += 1
            invariant(image.position.lane.rawValue == 0, "an image is of a lane of the pool")
            invariant(imageCount <= 8, "a small ring makes few images")
        }
        invariant(reader.byteCount <= 8 * 4096, "a ring is read once")
    }
}

/// A flash device of which only the witness and the ring can be read.
private struct AnewDevices: DeviceReader {
    static let flash = DeviceGeometry(
        index: DeviceIndex(0),
        role: .flash,
        segmentBlockCount: 16,
        segmentCount: 4,
        mirrorBlockCount: 5
    )
    private let blocks: [[UInt8]]

    init(_ input: RawSpan) {
        let bytes = input.copied
        blocks = stride(from: 0, to: bytes.count, by: 4096).map { start in
            var block = Array(bytes[start..<min(start + 4096, bytes.count)])
            block += [UInt8](repeating: 0, count: 4096 - block.count)
            block.fixChecksum()
            return block
        }
    }

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        for index in 0..<(region.byteCount / 4096) {
            let wanted = block + UInt64(index)
            let place =
                wanted == DeviceLayout.witnessBlock(lane: LaneIndex(0), place: 0)
                ? 0 : Int(wanted) - Int(Self.flash.firstMirrorBlock) + 1
            guard blocks.indices.contains(place) else { return false }
            region.block(index).copy(from: blocks[place])
        }
        return true
    }
}

extension Sample {
    static let witness = Witness(
        poolIdentifier: pool,
        deviceIdentifier: flash,
        deviceIndex: DeviceIndex(0),
        lane: LaneIndex(0),
        place: 0,
        incarnation: 5,
        number: 77,
        checkpoint: 41,
        witnessed: 40,
        witnessedIncarnation: 4,
        log: LogPlace(
            segment: SegmentAddress(device: DeviceIndex(0), index: SegmentIndex(3)),
            segmentSequence: 9,
            blockOffset: 5,
            nextRecord: RecordNumber(17),
            previousChecksum: 0x3132_3334
        ),
        logEnd: RecordNumber(11),
        logEndSegment: 8,
        mirror: MirrorState(begin: 5, end: 9, checksum: 0x7172_7374)
    )

    /// A record of one block with an item of each kind.
    static func mirror(place: UInt64, previousChecksum: UInt32) -> [UInt8] {
        var control = control
        control.lane = LaneIndex(0)
        let items: [MirrorItem] = [
            .freedSegment(SegmentAddress(device: DeviceIndex(0), index: SegmentIndex(1))),
            .segment(
                MirrorItem.Segment(
                    address: SegmentAddress(device: DeviceIndex(0), index: SegmentIndex(2)),
                    stream: .host,
                    sequence: 9,
                    nonce: nonce,
                    liveBlockCount: 7,
                    writtenBlockCount: 8
                )
            ),
            .volume(
                MirrorItem.Volume(
                    identifier: volume,
                    ownedBlockCount: 12,
                    state: 1,
                    control: control
                )
            ),
            .tree(control.tree, parent: nil, volume: volume),
            .leaf(tree: control.tree, index: 3, bytes: [1, 2, 3]),
            .leaf(tree: control.tree, index: 4, bytes: []),
            .heat(tree: control.tree, index: 3, bytes: [4, 5]),
            .forgottenVolume(clone),
        ]
        var end = MirrorRecord.itemsOffset
        return .block { bytes in
            for item in items {
                item.store(into: &bytes, at: end)
                end += item.byteCount
            }
            let record = MirrorRecord(
                poolIdentifier: pool,
                lane: LaneIndex(0),
                place: place,
                blockCount: 1,
                byteCount: end - MirrorRecord.itemsOffset,
                previousChecksum: previousChecksum
            )
            _ = record.seal(&bytes)
        }
    }
}
