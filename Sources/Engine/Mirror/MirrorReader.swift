package import Catalogue
internal import Format
internal import IO
package import Units

// The catalogue made anew from the devices alone.
//
// The newest witness of a lane says where its log stood at a checkpoint, and from where to where
// the mirror says everything as of that checkpoint.  The records in between, in their order, make
// its rows; each names the checksum of the one before it, and the witness that of the last: nothing
// in between can be missing or of another time.  What hosts wrote since is in the log, and
// recovery replays it as ever.
//
// What is not there: events, how far scrubs had come, settings.

/// Why a catalogue cannot be made anew.
package enum MirrorError: Error, Equatable, Sendable {
    /// The pool has more lanes than any pool has.
    case laneCount(Int)
    /// No flash device has a witness of the lane.
    case witnessMissing(LaneIndex)
    /// The mirror of the lane did not say everything when the devices were told of it last.
    case notWhole(LaneIndex)
    /// A record of the lane's mirror is not there, or not the one that belongs there.
    case damaged(LaneIndex, place: UInt64)
    /// Two lanes have the same segment, or one was used again since: what the newest witness of a
    /// lane says is not the last that it was told.
    case contradiction(SegmentAddress)
}

/// Reads what the catalogue of a pool held as of the lanes' last checkpoints that devices were told
/// of, image by image.
package struct MirrorReader<Source: DeviceReader> {
    private let pool: PoolIdentifier
    private let laneCount: Int
    private let devices: [DeviceGeometry]
    private let deviceIdentifiers: [DeviceIdentifier]
    private let source: Source
    private let roots: [Witness]
    /// One above the last life of the pool that flash was told of, as another may have begun of
    /// which the lost catalogue alone knew; and the last one of which all devices were told.
    package let incarnation: UInt32
    package let witnessedIncarnation: UInt32
    private let arena: Arena

    // Where it is.
    private var lane = 0
    private var place: UInt64
    private var checksum: UInt32?
    private var segments: [SegmentAddress: SegmentRow] = [:]
    private var taken: Set<SegmentAddress> = []
    /// Leaves and bytes of mirror read so far.
    package private(set) var leafCount = 0
    package private(set) var byteCount: UInt64 = 0

    /// Bytes of leaves and heat after which an image is handed over.
    private let imageByteCountMax: Int

    package init(
        pool: PoolIdentifier,
        laneCount: Int,
        devices: [DeviceGeometry],
        deviceIdentifiers: [DeviceIdentifier],
        source: Source,
        imageByteCountMax: Int = 8 << 20
    ) throws(MirrorError) {
        guard (1...DeviceLayout.witnessLaneCountMax).contains(laneCount) else {
            throw .laneCount(laneCount)
        }
        let witnesses = Witnesses(
            pool: pool,
            laneCount: laneCount,
            devices: devices,
            deviceIdentifiers: deviceIdentifiers,
            source
        )
        var roots: [Witness] = []
        for lane in 0..<laneCount {
            var newest: Witness?
            for device in devices where device.role == .flash {
                guard let one = witnesses[device.index][lane] else { continue }
                if one.number > newest?.number ?? 0 { newest = one }
            }
            let index = LaneIndex(UInt16(lane))
            guard let newest else { throw .witnessMissing(index) }
            guard newest.mirror.begin != nil else { throw .notWhole(index) }
            roots.append(newest)
        }
        self.pool = pool
        self.laneCount = laneCount
        self.devices = devices
        self.deviceIdentifiers = deviceIdentifiers
        self.source = source
        self.imageByteCountMax = imageByteCountMax
        self.roots = roots
        incarnation = min(roots.map(\.incarnation).max() ?? 0, .max - 1) + 1
        witnessedIncarnation = roots.map(\.witnessedIncarnation).max() ?? 0
        arena = Arena(
            byteCount: MirrorRecord.blockCountMax * Geometry.blockByteCount,
            isPopulated: false
        )
        place = roots[0].mirror.begin ?? 0
    }

    /// Where the lanes' logs ended when the lives of the pool began that their witnesses tell of.
    package var logEnds: [LogEnd] {
        roots.map {
            LogEnd(
                lane: $0.lane,
                nextRecord: $0.logEnd,
                segmentSequence: $0.logEndSegment,
                incarnation: $0.incarnation
            )
        }
    }

    /// The newest checkpoint of each lane that devices were told of; none is zero.
    package var checkpoints: [UInt64] { roots.map(\.checkpoint) }

    /// The next image to be committed; nil behind the last.  Only all of them together make a
    /// catalogue.
    package mutating func next() throws(MirrorError) -> CheckpointImage? {
        while lane < laneCount {
            let root = roots[lane]
            var image = CheckpointImage(position: position(of: root))
            var imageByteCount = 0
            while place < root.mirror.end, imageByteCount < imageByteCountMax {
                imageByteCount += try readRecord(into: &image)
            }
            guard place >= root.mirror.end else { return image }
            guard place == root.mirror.end, checksum ?? root.mirror.checksum == root.mirror.checksum
            else { throw .damaged(root.lane, place: place) }
            for address in segments.keys.sorted() {
                guard taken.insert(address).inserted, let row = segments[address],
                    !isUsedAgain(row)
                else { throw .contradiction(address) }
                image.segments.append(row)
            }
            segments = [:]
            checksum = nil
            lane += 1
            if lane < laneCount { place = roots[lane].mirror.begin ?? 0 }
            if root.checkpoint > 0 { return image }
        }
        return nil
    }

    /// Whether a segment has the header of a later use than a row tells of.
    private func isUsedAgain(_ row: SegmentRow) -> Bool {
        let device = Int(row.address.device.rawValue)
        guard device < devices.count, Int(row.address.index.rawValue) < devices[device].segmentCount
        else { return true }
        let block = arena.region.block(0)
        let place = devices[device].firstBlock(of: row.address.index)
        guard
            source.read(row.address.device, block: place, into: block)
                || source.read(row.address.device, block: place, into: block)
        else { return false }
        do throws(FormatError) {
            let header = try SegmentHeader(decoding: block.bytes)
            try header.check(
                pool: pool,
                device: deviceIdentifiers[device],
                address: row.address
            )
            return header.segmentSequence > row.sequence
        } catch {
            // Damaged: its first record stands in for it.
            return false
        }
    }

    private func position(of root: Witness) -> LanePosition {
        LanePosition(
            lane: root.lane,
            segment: root.log.segment,
            segmentSequence: root.log.segmentSequence,
            blockOffset: root.log.blockOffset,
            nextRecord: root.log.nextRecord,
            previousChecksum: root.log.previousChecksum,
            checkpoint: root.checkpoint,
            witnessed: root.witnessed,
            mirror: root.mirror
        )
    }

    // MARK: Records

    /// Reads the record at the place; returns the bytes of leaves and heat in it.
    private mutating func readRecord(into image: inout CheckpointImage) throws(MirrorError) -> Int {
        let root = roots[lane]
        let ring = MirrorRing(lane: root.lane, laneCount: laneCount, devices: devices)
        let damaged = MirrorError.damaged(root.lane, place: place)
        guard ring.blockCount > 0, read(1, of: ring),
            let count = MirrorRecord.claimedBlockCount(in: arena.region.block(0).bytes),
            count <= ring.blockCount, UInt64(count) <= root.mirror.end - place,
            read(count, of: ring)
        else { throw damaged }
        let region = arena.region[0..<(count * Geometry.blockByteCount)]
        var found = 0
        do throws(FormatError) {
            let (record, sum) = try MirrorRecord.decode(region.bytes)
            guard record.poolIdentifier == pool, record.lane == root.lane, record.place == place,
                record.previousChecksum == checksum ?? record.previousChecksum
            else { throw FormatError.misplaced(structure: "mirror", field: "place") }
            var offset = MirrorRecord.itemsOffset
            let end = offset + record.byteCount
            while offset < end {
                let item = try MirrorItem(
                    decoding: region.bytes,
                    at: &offset,
                    end: end,
                    lane: root.lane
                )
                guard let bytes = apply(item, to: &image) else {
                    throw FormatError.field(structure: "mirror item", field: "state", found: 0)
                }
                found += bytes
            }
            checksum = sum
        } catch {
            throw damaged
        }
        place += UInt64(count)
        byteCount += UInt64(count * Geometry.blockByteCount)
        return found
    }

    /// Reads blocks from the place on; what a device refuses once it may give the second time.
    private func read(_ count: Int, of ring: MirrorRing) -> Bool {
        ring.pieces(from: place, count: count).allSatisfy { piece in
            let block = Geometry.blockByteCount
            let region = arena.region[
                (piece.offset * block)..<((piece.offset + piece.blockCount) * block)
            ]
            return source.read(piece.device, block: piece.block, into: region)
                || source.read(piece.device, block: piece.block, into: region)
        }
    }

    /// Takes an item in; returns the bytes of leaves and heat in it, nil when it makes no sense.
    private mutating func apply(_ item: MirrorItem, to image: inout CheckpointImage) -> Int? {
        let lane = roots[lane].lane
        switch item {
        case .segment(let segment):
            segments[segment.address] = SegmentRow(segment, lane: lane)
        case .freedSegment(let address): segments[address] = nil
        case .volume(let volume):
            guard let row = VolumeRow(volume) else { return nil }
            image.volumes.append(row)
        case .forgottenVolume(let identifier): image.forgottenVolumes.append(identifier)
        case .tree(let tree, let parent, let volume):
            image.trees.append(TreeRow(identifier: tree, parent: parent, volume: volume))
        case .leaf(let tree, let index, let bytes):
            image.leaves.append((LeafKey(tree: tree, index: index), bytes))
            leafCount += 1
            return bytes.count + 64
        case .heat(let tree, let index, let bytes):
            image.heat.append((LeafKey(tree: tree, index: index), bytes))
            return bytes.count + 64
        }
        return 0
    }
}
