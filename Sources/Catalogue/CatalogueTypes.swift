package import Format
package import Units

/// Names one leaf: a tree and the leaf's place in the address space, in units of 2 MiB.
package struct LeafKey: Hashable, Sendable, Comparable {
    package var tree: TreeIdentifier
    package var index: UInt64
    package init(tree: TreeIdentifier, index: UInt64) {
        self.tree = tree
        self.index = index
    }
    package static func < (left: Self, right: Self) -> Bool {
        (left.tree, left.index) < (right.tree, right.index)
    }
}

/// A volume as the catalogue knows it.
package struct VolumeRow: Hashable, Sendable {
    package enum State: UInt8, Sendable {
        case live = 1
        /// Destroyed; its leaves are being given back.
        case destroyed = 2
    }
    package var identifier: VolumeIdentifier
    /// The part of `pool/volume` behind the slash.
    package var name: String
    package var byteCount: UInt64
    package var lane: LaneIndex
    /// Its live tree.
    package var tree: TreeIdentifier
    package var state: State
    /// Seconds since 1970, for people; nothing is decided by it.
    package var createdSeconds: Int64
    /// Blocks that the volume owns, as of the checkpoint that wrote the row.
    package var ownedBlockCount: UInt64

    package init(
        identifier: VolumeIdentifier,
        name: String,
        byteCount: UInt64,
        lane: LaneIndex,
        tree: TreeIdentifier,
        state: State,
        createdSeconds: Int64,
        ownedBlockCount: UInt64 = 0
    ) {
        self.ownedBlockCount = ownedBlockCount
        self.identifier = identifier
        self.name = name
        self.byteCount = byteCount
        self.lane = lane
        self.tree = tree
        self.state = state
        self.createdSeconds = createdSeconds
    }
}

/// A tree of leaves: what it descends from, and whose it is.
package struct TreeRow: Hashable, Sendable {
    package var identifier: TreeIdentifier
    /// The frozen tree that holds what this one has not changed; nil for a root.
    package var parent: TreeIdentifier?
    package var volume: VolumeIdentifier
    package init(identifier: TreeIdentifier, parent: TreeIdentifier?, volume: VolumeIdentifier) {
        self.identifier = identifier
        self.parent = parent
        self.volume = volume
    }
}

/// A segment that is in use, as of a checkpoint.  A segment without a row is free.
package struct SegmentRow: Hashable, Sendable {
    package var address: SegmentAddress
    package var lane: LaneIndex
    package var stream: StreamKind
    /// Grows with every segment the pool opens; names this use of the segment.
    package var sequence: UInt64
    /// Seeds the checksums of its record headers.
    package var nonce: UInt64
    /// Blocks that leaves refer to.
    package var liveBlockCount: UInt32
    /// Blocks from the start that records were given; leaves refer to none behind.  Of a host
    /// segment the log may have used more since.
    package var writtenBlockCount: UInt32
    package init(
        address: SegmentAddress,
        lane: LaneIndex,
        stream: StreamKind,
        sequence: UInt64,
        nonce: UInt64,
        liveBlockCount: UInt32,
        writtenBlockCount: UInt32
    ) {
        self.address = address
        self.lane = lane
        self.stream = stream
        self.sequence = sequence
        self.nonce = nonce
        self.liveBlockCount = liveBlockCount
        self.writtenBlockCount = writtenBlockCount
    }
}

/// Where a lane's log stands at a checkpoint: replay starts here.
package struct LanePosition: Hashable, Sendable {
    package var lane: LaneIndex
    /// The open host segment; nil before the lane's first record.
    package var segment: SegmentAddress?
    package var segmentSequence: UInt64
    /// Block of that segment at which the next record would start.
    package var blockOffset: UInt32
    package var nextRecord: RecordNumber
    package var previousChecksum: UInt32
    /// Counts the lane's checkpoints, over all lives of the pool.
    package var checkpoint: UInt64
    /// Every flash device was told of this checkpoint or of a later one.
    package var witnessed: UInt64
    /// How far the lane's mirror had come; all of this checkpoint is in it, if it is whole.
    package var mirror: MirrorState
    package init(
        lane: LaneIndex,
        segment: SegmentAddress?,
        segmentSequence: UInt64,
        blockOffset: UInt32,
        nextRecord: RecordNumber,
        previousChecksum: UInt32,
        checkpoint: UInt64 = 0,
        witnessed: UInt64 = 0,
        mirror: MirrorState = .empty
    ) {
        self.lane = lane
        self.segment = segment
        self.segmentSequence = segmentSequence
        self.blockOffset = blockOffset
        self.nextRecord = nextRecord
        self.previousChecksum = previousChecksum
        self.checkpoint = checkpoint
        self.witnessed = witnessed
        self.mirror = mirror
    }

    /// Where the log stands.
    package var log: LogPlace {
        LogPlace(
            segment: segment,
            segmentSequence: segmentSequence,
            blockOffset: blockOffset,
            nextRecord: nextRecord,
            previousChecksum: previousChecksum
        )
    }
}

/// Where recovery found a lane's log to end when the pool was opened last.
///
/// Every record before it was there, whole and durable, and is until a checkpoint lies behind it.
/// What an earlier life of the pool wrote at or behind it was left out, and counts for nothing
/// whatever a device may show of it later; so do segments that did not count then.
package struct LogEnd: Hashable, Sendable {
    package var lane: LaneIndex
    /// The first record that was not there.
    package var nextRecord: RecordNumber
    /// Sequence number of the newest segment that has a record before that one; none is zero.
    package var segmentSequence: UInt64
    /// The life of the pool that began then.
    package var incarnation: UInt32
    package init(
        lane: LaneIndex,
        nextRecord: RecordNumber,
        segmentSequence: UInt64,
        incarnation: UInt32
    ) {
        self.lane = lane
        self.nextRecord = nextRecord
        self.segmentSequence = segmentSequence
        self.incarnation = incarnation
    }
}

/// One lane's checkpoint: what one transaction changes.  Rows and leaves replace what stood there.
package struct CheckpointImage: Sendable {
    package var position: LanePosition
    /// Encoded leaves; an empty array removes the leaf.
    package var leaves: [(key: LeafKey, bytes: [UInt8])] = []
    /// Encoded heat of leaves, kept beside the leaf since reads change it.
    package var heat: [(key: LeafKey, bytes: [UInt8])] = []
    package var segments: [SegmentRow] = []
    package var freedSegments: [SegmentAddress] = []
    package var volumes: [VolumeRow] = []
    package var trees: [TreeRow] = []
    /// Volumes whose last leaf is gone: row and tree go.
    package var forgottenVolumes: [VolumeIdentifier] = []
    /// Findings for admins, oldest first.
    package var events: [EventRow] = []
    /// How far the lane's scrubs have come, of those that went on.
    package var scrubs: [ScrubRow] = []
    package init(position: LanePosition) { self.position = position }
}

/// A finding that an admin can read.
package struct EventRow: Hashable, Sendable {
    /// Seconds since 1970.
    package var seconds: Int64
    /// Stable name, for example `block_poisoned`.
    package var type: String
    package var text: String
    package init(seconds: Int64, type: String, text: String) {
        self.seconds = seconds
        self.type = type
        self.text = text
    }
}

/// All of the catalogue that is needed to open a pool, leaves excepted: of these only the keys.
package struct CatalogueContents: Sendable {
    package var incarnation: UInt32
    package var volumes: [VolumeRow]
    package var trees: [TreeRow]
    package var segments: [SegmentRow]
    package var positions: [LanePosition]
    /// As of the last opening that counts for the lane: that of `incarnation`, or the one before
    /// in a catalogue that was made anew behind an opening that was cut off.  None before the
    /// first.
    package var logEnds: [LogEnd]
    package var leafKeys: [LeafKey]
    package var scrubs: [ScrubRow]
    /// The last incarnation of which every device was told.
    package var witnessedIncarnation: UInt32
    package init(
        incarnation: UInt32,
        volumes: [VolumeRow],
        trees: [TreeRow],
        segments: [SegmentRow],
        positions: [LanePosition],
        logEnds: [LogEnd] = [],
        leafKeys: [LeafKey],
        scrubs: [ScrubRow] = [],
        witnessedIncarnation: UInt32 = 0
    ) {
        self.incarnation = incarnation
        self.volumes = volumes
        self.trees = trees
        self.segments = segments
        self.positions = positions
        self.logEnds = logEnds
        self.leafKeys = leafKeys
        self.scrubs = scrubs
        self.witnessedIncarnation = witnessedIncarnation
    }
}

/// A leaf as the catalogue holds it.
package struct StoredLeaf: Sendable {
    package var key: LeafKey
    /// Empty when the catalogue has no such leaf.
    package var bytes: [UInt8]
    /// Empty when no heat was stored.
    package var heat: [UInt8]
    package init(key: LeafKey, bytes: [UInt8], heat: [UInt8]) {
        self.key = key
        self.bytes = bytes
        self.heat = heat
    }
}

/// What a lane asks of the catalogue while it serves; answered beside the data path, in order.
package enum CatalogueRequest: Sendable {
    case load(LeafKey)
    case commit(CheckpointImage)
}

/// The answer to the oldest unanswered request of the lane.
package enum CatalogueAnswer: Sendable {
    case loaded(StoredLeaf)
    /// The transaction is durable.
    case committed
    /// The catalogue failed; the lane stops changing anything and says why.
    case failed(String)
}
