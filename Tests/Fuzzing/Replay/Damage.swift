import Catalogue
import Format
import IO
import Units

/// What an input does to an image: bytes that rot, blocks that were lost or cannot be read, and
/// structures whose every checksum fits, as only a hostile device has them.
struct Damage {
    private let image: PoolImage
    private let changesRows: Bool
    private(set) var blocks: [SmallPool.Place: [UInt8]]
    private(set) var unreadable: Set<SmallPool.Place> = []
    private(set) var leafChanges: [(position: Int, bytes: [UInt8])] = []
    private(set) var rowChanges: [RowChange] = []
    private var resealed: Set<SmallPool.Place> = []
    private var isChained = false

    /// A number of a row of the catalogue that is another.
    struct RowChange {
        var table: UInt8
        var row: Int
        var field: UInt8
        var value: UInt64
    }

    private static var stepCountMax: Int { 16 }

    /// - Parameter changesRows: also rows of the catalogue, which have no checksum.
    init(of image: PoolImage, by reader: inout InputReader, changesRows: Bool) {
        self.image = image
        self.changesRows = changesRows
        blocks = image.blocks
        for _ in 0..<Self.stepCountMax where !reader.isAtEnd { step(&reader) }
        reseal()
    }

    private mutating func step(_ reader: inout InputReader) {
        let kind = reader.byte() % 9
        let structure = image.structures[reader.number(below: image.structures.count)]
        switch kind {
        case 0, 1:
            patch(structure.place, &reader)
            if kind == 0 { resealed.insert(structure.place) }
        case 2:
            let other = image.structures[reader.number(below: image.structures.count)]
            blocks[structure.place] = image.blocks[other.place]
        case 3: blocks[structure.place] = nil
        case 4: unreadable.insert(structure.place)
        case 5:
            // Data behind the structure.
            let next = UInt64(reader.byte() % 20)
            patch(
                .init(device: structure.place.device, block: structure.place.block + next),
                &reader
            )
        case 6:
            let position = reader.number(below: 16 << 10)
            leafChanges.append((position, reader.take(Int(reader.byte() % 9))))
        case 7 where changesRows:
            let value: UInt64 = reader.number()
            let row = RowChange(
                table: reader.byte() % 5,
                row: reader.number(below: 1 << 16),
                field: reader.byte() % 8,
                value: value
            )
            rowChanges.append(row)
        default: isChained = true
        }
    }

    private mutating func patch(_ place: SmallPool.Place, _ reader: inout InputReader) {
        // What has a meaning lies in front; 112 bytes hold a header, 300 the first entries.
        let ends = [16, 112, 300, 4096]
        let offset = reader.number(below: ends[Int(reader.byte() % 4)])
        let patch = reader.take(Int(1 + reader.byte() % 8))
        guard var bytes = blocks[place] else { return }
        for (index, byte) in patch.enumerated() where offset + index < bytes.count {
            bytes[offset + index] = byte
        }
        blocks[place] = bytes
    }

    // MARK: Checksums

    private mutating func reseal() {
        for structure in image.structures
        where structure.kind == .segment && resealed.contains(structure.place) {
            blocks[structure.place]?.fixChecksum()
        }
        var previous: [UInt16: UInt32] = [:]
        for structure in image.structures where structure.kind != .segment {
            guard isChained || resealed.contains(structure.place),
                var bytes = blocks[structure.place]
            else { continue }
            let start = nonceStart(of: structure.header)
            if isChained, structure.kind == .record {
                if let checksum = previous[structure.lane] {
                    bytes.change { checksum.store(into: &$0, at: Layout.previousChecksum.offset) }
                }
            }
            bytes.fixChecksum(from: start)
            blocks[structure.place] = bytes
            if structure.kind == .record {
                previous[structure.lane] = bytes.raw.word32(at: Layout.checksum.offset)
                if isChained { sealTail(behind: structure.place, like: bytes, start) }
            }
        }
    }

    private typealias Layout = RecordHeader.Layout

    /// A record whose header was changed gets a tail that says the same.
    private mutating func sealTail(
        behind place: SmallPool.Place,
        like header: [UInt8],
        _ start: UInt32
    ) {
        var tail = header
        let count = tail.raw.word32(at: Layout.dataBlockCount.offset)
        guard count < 64 else { return }
        tail[Layout.flags.offset] = 1
        tail.fixChecksum(from: start)
        let block = place.block + 1 + UInt64(count)
        let target = SmallPool.Place(device: place.device, block: block)
        guard !image.structures.contains(where: { $0.place == target && $0.kind != .tail }) else {
            return
        }
        blocks[target] = tail
    }

    private func nonceStart(of header: SmallPool.Place) -> UInt32 {
        guard let bytes = blocks[header] else { return 0 }
        let nonce = bytes.raw.word64(at: SegmentHeader.Layout.nonce.offset)
        return UInt32(truncatingIfNeeded: nonce ^ nonce >> 32)
    }

    // MARK: The catalogue

    func change(_ leaf: inout StoredLeaf) {
        guard !leafChanges.isEmpty, !leaf.bytes.isEmpty else { return }
        for (position, bytes) in leafChanges {
            for (index, byte) in bytes.enumerated() {
                leaf.bytes[(position + index) % leaf.bytes.count] = byte
            }
        }
        leaf.bytes.fixChecksum()
    }

    func change(_ contents: inout CatalogueContents) {
        for change in rowChanges {
            switch change.table {
            case 0: change.apply(to: &contents.positions) { $0.apply($1) }
            case 1: change.apply(to: &contents.segments) { $0.apply($1) }
            case 2: change.apply(to: &contents.volumes) { $0.apply($1) }
            case 3: change.apply(to: &contents.leafKeys) { $0.apply($1) }
            default: contents.segments.removeAll { $0.address.index.rawValue == change.row }
            }
        }
    }
}

extension Damage.RowChange {
    fileprivate func apply<Row>(to rows: inout [Row], _ body: (inout Row, Self) -> Void) {
        guard !rows.isEmpty else { return }
        body(&rows[row % rows.count], self)
    }

    fileprivate func number<Number: FixedWidthInteger>() -> Number {
        Number(truncatingIfNeeded: value)
    }
}

extension LanePosition {
    fileprivate mutating func apply(_ change: Damage.RowChange) {
        switch change.field {
        case 0: lane = LaneIndex(change.number())
        case 1: segment?.index = SegmentIndex(change.number())
        case 2: segment?.device = DeviceIndex(change.number())
        case 3: segment = nil
        case 4: segmentSequence = change.value
        case 5: blockOffset = change.number()
        case 6: nextRecord = RecordNumber(change.value)
        default: previousChecksum = change.number()
        }
    }
}

extension SegmentRow {
    fileprivate mutating func apply(_ change: Damage.RowChange) {
        switch change.field {
        case 0: address.device = DeviceIndex(change.number())
        case 1: address.index = SegmentIndex(change.number())
        case 2: lane = LaneIndex(change.number())
        case 3: stream = change.value & 1 == 0 ? .cold : .mature
        case 4: sequence = change.value
        case 5: nonce = change.value
        case 6: liveBlockCount = change.number()
        default: writtenBlockCount = change.number()
        }
    }
}

extension VolumeRow {
    fileprivate mutating func apply(_ change: Damage.RowChange) {
        switch change.field {
        case 0: identifier.low = change.value
        case 1: byteCount = change.value
        case 2: lane = LaneIndex(change.number())
        case 3: tree = TreeIdentifier(change.value)
        case 4: state = state == .live ? .destroyed : .live
        case 5: ownedBlockCount = change.value
        default: name = ""
        }
    }
}

extension LeafKey {
    fileprivate mutating func apply(_ change: Damage.RowChange) {
        if change.field & 1 == 0 {
            index = change.value
        } else {
            tree = TreeIdentifier(change.value)
        }
    }
}
