/// Why a chunk was moved, kept, or left where it is.  One list for decisions, counters and events.
package enum Reason: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// Not hot enough for flash.
    case cool = 0
    /// Hot enough for flash.
    case warm
    /// An admin pinned it to a tier.
    case pinned
    /// A hold on demotion covers it (age, fill or time window).
    case held
    /// Part of a sequential run, which the disk serves well.
    case scan
    /// Came back soon after it was demoted.
    case ghost
    /// The volume's share of flash is used up, or not yet reached.
    case share
    /// The write budget of the flash is used up.
    case budget
    /// The migration bandwidth is used up.
    case bandwidth
    /// The migration schedule does not allow it now.
    case schedule
    /// Hosts go first.
    case yield
    /// Free segments are at the reserve: space comes before everything else.
    case noFreeSegments
    /// Blocks of it are poisoned.
    case poisoned
    /// A client asked for it.
    case requested
    /// Never touched before, or too lately written to judge.
    case new

    /// The word for it, the same in figures, explanations and events.
    package var name: String { self == .noFreeSegments ? "no_free_segments" : "\(self)" }
}

/// What an admin said about where a chunk shall live.
package enum Pin: UInt8, Sendable, BitwiseCopyable {
    case automatic = 0
    case flash
    case disk
}

/// What is known when a host's read was served from disk.
package struct ReadFacts: Sendable, BitwiseCopyable {
    /// Heat of the chunk with this read counted in.
    package var heat: Heat
    package var tick: UInt32
    package var isSequential = false
    /// The chunk is in the ghost list.
    package var isGhost = false
    /// The client asked for the chunk to be cached.
    package var isRequested = false
    package var pin = Pin.automatic
    /// How short of free flash segments the pool is, 0...1: `FreeSegmentMarks.pressure`.
    package var flashPressure: Float = 0
    /// What forbids promotions now (share, budget, bandwidth, schedule, yield); nil when nothing.
    package var limit: Reason?

    @inlinable
    package init(heat: Heat, tick: UInt32) {
        self.heat = heat
        self.tick = tick
    }

    /// Counts the read itself in, of `blockCount` blocks of the chunk.
    @inlinable
    package mutating func noteRead(isSequential: Bool, blockCount: Int) {
        heat.touch(.read, tick: tick, isSequential: isSequential, blockCount: blockCount)
        self.isSequential = isSequential
    }
}

/// What to do with a chunk that was read from disk.
package enum ReadDecision: Sendable, Equatable, BitwiseCopyable {
    /// Answer the host and write nothing to flash.
    case serve(Reason)
    /// Append the chunk to flash as a clean copy; and with it, where they live on disk and can be
    /// read in the same go, the others of the aligned group of `groupChunkCount` chunks that holds
    /// it: 1, 4 (256 KiB) or 16 (1 MiB).
    case promote(groupChunkCount: Int, Reason)
}

/// What is known of a chunk that lives in a flash segment which is being reclaimed.
package struct ReclaimFacts: Sendable, BitwiseCopyable {
    package var heat: Heat
    package var tick: UInt32
    /// Some of its blocks in the segment have no copy on disk.  When false they all have.
    package var isDirty: Bool
    /// Blocks of the chunk that live in the segment, 1...16.
    package var liveBlockCount: Int
    /// Segments that the lane has opened since this one.
    package var ageSegments: UInt32 = 0
    /// When the segment was opened: a touch after it came while the chunk was in its queue.
    package var segmentTick: UInt32 = 0
    /// Share of the segment's blocks that were live when it was chosen, 0...1: what keeping them
    /// all would cost of what the segment frees.
    package var segmentLiveShare: Float = 1
    package var diskHasRoom = true
    /// How short of free flash segments the pool is, 0...1: `FreeSegmentMarks.pressure`.
    package var flashPressure: Float = 0
    package var pin = Pin.automatic
    /// What forbids demotion now (held, schedule, bandwidth, yield, share); nil when nothing.
    package var limit: Reason?

    package init(heat: Heat, tick: UInt32, isDirty: Bool, liveBlockCount: Int) {
        self.heat = heat
        self.tick = tick
        self.isDirty = isDirty
        self.liveBlockCount = liveBlockCount
    }
}

/// What to do with the blocks of a chunk in a segment that is being reclaimed.
package enum ReclaimDecision: Sendable, Equatable, BitwiseCopyable {
    /// Forget the flash copy; the disk has the same.  Never for a dirty chunk.
    case drop(Reason)
    /// Write it to disk, then forget the flash copy.
    case demote(Reason)
    /// Append it to the mature stream.
    case keep(Reason)
}

/// Decides which tier a chunk lives on.  Pure: everything it knows comes in as facts, and the same
/// calls give the same answers live and in a replay.  No call allocates.
///
/// Guarantee: at pressure 1, `onReclaim` answers `.keep` only for a dirty chunk while the disk has
/// no room.  So a reclaimer at its last reserve gains the whole segment, or knows that the pool is
/// full; it can never go round and round.
package protocol TieringPolicy: Sendable {
    mutating func onDiskRead(_ facts: ReadFacts) -> ReadDecision
    mutating func onReclaim(_ facts: ReclaimFacts) -> ReclaimDecision
}

/// How many decisions there were for each reason, since the policy was made.
package struct DecisionCounters: Sendable, BitwiseCopyable {
    package typealias Counts = InlineArray<15, UInt64>
    package internal(set) var served: Counts = .init(repeating: 0)
    package internal(set) var promoted: Counts = .init(repeating: 0)
    package internal(set) var dropped: Counts = .init(repeating: 0)
    package internal(set) var demoted: Counts = .init(repeating: 0)
    package internal(set) var kept: Counts = .init(repeating: 0)

    package init() {}

    mutating func count(_ decision: ReadDecision) {
        switch decision {
        case .serve(let reason): served[Int(reason.rawValue)] &+= 1
        case .promote(_, let reason): promoted[Int(reason.rawValue)] &+= 1
        }
    }

    mutating func count(_ decision: ReclaimDecision) {
        switch decision {
        case .drop(let reason): dropped[Int(reason.rawValue)] &+= 1
        case .demote(let reason): demoted[Int(reason.rawValue)] &+= 1
        case .keep(let reason): kept[Int(reason.rawValue)] &+= 1
        }
    }
}
