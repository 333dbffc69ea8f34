internal import Catalogue
internal import Format
internal import Units

// Rows of the catalogue as items of the mirror, and back.

extension MirrorItem {
    init(_ row: SegmentRow) {
        self = .segment(
            Segment(
                address: row.address,
                stream: row.stream,
                sequence: row.sequence,
                nonce: row.nonce,
                liveBlockCount: row.liveBlockCount,
                writtenBlockCount: row.writtenBlockCount
            )
        )
    }

    init(_ row: VolumeRow) {
        self = .volume(
            Volume(
                identifier: row.identifier,
                ownedBlockCount: row.ownedBlockCount,
                state: row.state.rawValue,
                control: VolumeControl(
                    tree: row.tree,
                    byteCount: row.byteCount,
                    lane: row.lane,
                    createdSeconds: row.createdSeconds,
                    name: row.name
                )
            )
        )
    }

    init(_ row: TreeRow) { self = .tree(row.identifier, parent: row.parent, volume: row.volume) }
}

extension SegmentRow {
    init(_ segment: MirrorItem.Segment, lane: LaneIndex) {
        self.init(
            address: segment.address,
            lane: lane,
            stream: segment.stream,
            sequence: segment.sequence,
            nonce: segment.nonce,
            liveBlockCount: segment.liveBlockCount,
            writtenBlockCount: segment.writtenBlockCount
        )
    }
}

extension VolumeRow {
    /// The row that an item tells of; nil when its state is none.
    init?(_ volume: MirrorItem.Volume) {
        guard let state = State(rawValue: volume.state) else { return nil }
        self.init(
            identifier: volume.identifier,
            name: volume.control.name,
            byteCount: volume.control.byteCount,
            lane: volume.control.lane,
            tree: volume.control.tree,
            state: state,
            createdSeconds: volume.control.createdSeconds,
            ownedBlockCount: volume.ownedBlockCount
        )
    }
}

/// The items of a checkpoint's image, one after the other, in the order in which the catalogue
/// carries them out.
struct ImageItems {
    private let image: CheckpointImage
    private var section = 0
    private var index = 0

    init(_ image: CheckpointImage) { self.image = image }

    mutating func next() -> MirrorItem? {
        while section < 7 {
            if let item = item(index) {
                index += 1
                return item
            }
            section += 1
            index = 0
        }
        return nil
    }

    private func item(_ index: Int) -> MirrorItem? {
        func at<Row>(_ rows: [Row], _ item: (Row) -> MirrorItem) -> MirrorItem? {
            index < rows.count ? item(rows[index]) : nil
        }
        switch section {
        case 0: return at(image.freedSegments) { .freedSegment($0) }
        case 1: return at(image.segments) { MirrorItem($0) }
        case 2: return at(image.volumes) { MirrorItem($0) }
        case 3: return at(image.trees) { MirrorItem($0) }
        case 4:
            return at(image.leaves) { leaf in
                .leaf(tree: leaf.key.tree, index: leaf.key.index, bytes: leaf.bytes)
            }
        case 5:
            return at(image.heat) { heat in
                .heat(tree: heat.key.tree, index: heat.key.index, bytes: heat.bytes)
            }
        default: return at(image.forgottenVolumes) { .forgottenVolume($0) }
        }
    }

    /// Blocks that all items take in records, about.
    static func blockCount(of image: CheckpointImage) -> Int {
        var items = ImageItems(image)
        var byteCount = 0
        while let item = items.next() { byteCount += item.byteCount }
        return byteCount == 0 ? 0 : MirrorRecord.blockCount(itemByteCount: byteCount) + 1
    }
}
