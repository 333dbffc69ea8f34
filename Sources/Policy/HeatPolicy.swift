/// The limits within which a `HeatPolicy` works.  All can be changed while it runs.
package struct HeatPolicyLimits: Sendable, BitwiseCopyable {
    package var scale = HeatScale.standard
    /// Largest share of a reclaimed segment that is kept on flash, at no pressure; 0...0.9.  All
    /// that lives in a segment that is mostly dead may be kept: it costs little and frees much.
    package var keptShareMax: Float = 0.5
    /// Chunks hotter than this (touches an hour, with the present one) are promoted when read.  One
    /// lone touch is worth 0.69, two close ones 1.39.
    package var promoteValueMin: Float = 1
    /// Promote already at the first scattered read as long as what was promoted proves useful.
    package var promotesAtFirstRead = true
    /// Chunks in the group that a promotion takes along: 1, 4 or 16.
    package var groupChunkCount = 4

    package init() {}
}

/// Tiering by heat: FIFO with reinsertion, a ghost list, and thresholds that adapt.
///
/// The flash log is a queue.  What is read from disk enters it if it is hot enough or came back
/// soon; what reaches its end leaves unless it is warm, and then goes round once more in the mature
/// stream.  The textbook queue (S3-FIFO, CLOCK) reinserts whatever has its access bit set; here a
/// threshold on heat stands beside the bit, so that under pressure the hottest stay and not all
/// that were touched once; and a chunk that is hot, but happened to be idle this time round, may
/// stay.
///
/// *The warm threshold* follows the kept share.  Each kept block raises it, each released one
/// lowers it, by steps whose ratio makes the two balance at the wanted share: a quantile, tracked
/// without a list.  It never falls below `warmValueMin`, so on a pool of cold data nothing is kept.
///
/// *The kept share is bounded* besides, since a threshold lags: a released block earns
/// `share / (1 - share)` of a kept one, at most `creditBlocksMax` can be saved up, and with no
/// credit nothing is kept.  The share goes to zero with pressure.
///
/// *Admission* asks how useful promotions were: of clean chunks at the queue's end, the share still
/// warm.  Above `usefulShareHigh` the first scattered read promotes; below `usefulShareLow` it
/// takes heat or a ghost.  The gap between the two is the hysteresis.
///
/// *Neighbours* cost hardly any disk time and all the more flash writes.  They are taken along
/// until most clean chunks leave the queue untouched (`idleShareHigh`), and again once few do.
package struct HeatPolicy: TieringPolicy {
    package var limits: HeatPolicyLimits
    package private(set) var counters = DecisionCounters()
    /// What a chunk's value must reach to be kept, in touches an hour.
    package private(set) var warmValue: Float = warmValueMin
    /// Share of clean chunks that were found warm when reclaimed, a running average; 0...1.
    package private(set) var usefulShare: Float = 0.5
    /// The first scattered read promotes now.
    package private(set) var isAdmittingNew = true
    /// Share of clean chunks that nobody touched in their whole time in the queue; 0...1.
    package private(set) var idleShare: Float = 0.25
    /// Promotions take their group along now.
    package private(set) var isTakingNeighbours = true
    /// Blocks that may be kept before others must be released.
    private var creditBlocks: Float = creditBlocksMax

    private static var warmValueMin: Float { 0.05 }
    private static var keptShareOfLiveMax: Float { 0.95 }
    private static var warmValueMax: Float { 4096 }
    /// 16 MiB of 4 KiB blocks: two flash segments.
    private static var creditBlocksMax: Float { 4096 }
    /// Touches expected in another stay in the queue below which an idle chunk is not kept.
    private static var expectedTouchesMin: Float { 0.3 }
    private static var idleShareLow: Float { 0.45 }
    private static var idleShareHigh: Float { 0.6 }
    static var usefulShareLow: Float { 0.1 }
    static var usefulShareHigh: Float { 0.2 }
    /// Above this pressure limits on demotion no longer hold.
    private static var limitPressureMax: Float { 0.75 }

    package init(limits: HeatPolicyLimits = HeatPolicyLimits()) {
        self.limits = limits
    }

    // MARK: Reads from disk

    package mutating func onDiskRead(_ facts: ReadFacts) -> ReadDecision {
        let decision = readDecision(facts)
        counters.count(decision)
        return decision
    }

    private var groupChunkCount: Int { isTakingNeighbours ? limits.groupChunkCount : 1 }

    private func readDecision(_ facts: ReadFacts) -> ReadDecision {
        if facts.pin == .disk { return .serve(.pinned) }
        if facts.flashPressure >= 1 { return .serve(.noFreeSegments) }
        if facts.isRequested { return .promote(groupChunkCount: 1, .requested) }
        if let limit = facts.limit { return .serve(limit) }
        if facts.pin == .flash { return .promote(groupChunkCount: 1, .pinned) }
        if facts.isGhost { return .promote(groupChunkCount: groupChunkCount, .ghost) }
        let value = facts.heat.value(tick: facts.tick, scale: limits.scale)
        if value >= limits.promoteValueMin {
            return .promote(groupChunkCount: groupChunkCount, .warm)
        }
        if facts.isSequential { return .serve(.scan) }
        if limits.promotesAtFirstRead && isAdmittingNew {
            return .promote(groupChunkCount: groupChunkCount, .new)
        }
        return .serve(.cool)
    }

    // MARK: Reclaim

    package mutating func onReclaim(_ facts: ReclaimFacts) -> ReclaimDecision {
        let decision = reclaimDecision(facts)
        counters.count(decision)
        settle(decision, facts)
        return decision
    }

    private mutating func reclaimDecision(_ facts: ReclaimFacts) -> ReclaimDecision {
        if facts.isDirty && !facts.diskHasRoom { return .keep(.noFreeSegments) }
        if facts.flashPressure >= 1 { return release(facts, .noFreeSegments) }
        if facts.pin == .disk { return release(facts, .pinned) }
        if facts.pin == .flash { return .keep(.pinned) }
        if let limit = facts.limit, facts.flashPressure < Self.limitPressureMax {
            if facts.isDirty || limit == .held { return .keep(limit) }
        }
        let isWarm = isWarm(facts)
        adapt(isWarm, facts)
        if !isWarm { return release(facts, .cool) }
        if creditBlocks < Float(facts.liveBlockCount) { return release(facts, .noFreeSegments) }
        return .keep(.warm)
    }

    /// Hot enough by the threshold, and worth another round: it was touched while it was in the
    /// queue, or its heat says that another stay as long would bring a touch with some likelihood.
    private func isWarm(_ facts: ReclaimFacts) -> Bool {
        let value = facts.heat.value(tick: facts.tick, scale: limits.scale)
        guard value >= warmValue else { return false }
        if facts.heat.lastTouch > facts.segmentTick { return true }
        let stay = facts.tick > facts.segmentTick ? facts.tick - facts.segmentTick : 0
        return value * limits.scale.hours(ofTicks: stay) >= Self.expectedTouchesMin
    }

    private func release(_ facts: ReclaimFacts, _ reason: Reason) -> ReclaimDecision {
        facts.isDirty ? .demote(reason) : .drop(reason)
    }

    /// The share of a segment's live blocks to keep, at the present pressure.
    private func keptShare(_ facts: ReclaimFacts) -> Float {
        let ofSegment =
            min(0.9, max(0, limits.keptShareMax)) * (1 - min(1, max(0, facts.flashPressure)))
        return min(Self.keptShareOfLiveMax, ofSegment / max(0.01, facts.segmentLiveShare))
    }

    /// Moves the warm threshold towards the value that keeps the wanted share, and notes how useful
    /// clean copies were.
    private mutating func adapt(_ isWarm: Bool, _ facts: ReclaimFacts) {
        let share = keptShare(facts)
        // Up by (1 - share) or down by share, so that the two cancel at the wanted share; 1/32 of
        // an e-fold for a whole chunk doubles the threshold in some 44 decisions of one kind.
        let step = Float(facts.liveBlockCount) * (1 / 16 / 32)
        let move = isWarm ? step * (1 - share) : -step * share
        warmValue = min(Self.warmValueMax, max(Self.warmValueMin, warmValue * (1 + move)))
        guard !facts.isDirty else { return }
        let isIdle = facts.heat.lastTouch < facts.segmentTick
        idleShare += ((isIdle ? 1 : 0) - idleShare) * (1 / 256)
        if idleShare > Self.idleShareHigh { isTakingNeighbours = false }
        if idleShare < Self.idleShareLow { isTakingNeighbours = true }
        usefulShare += ((isWarm ? 1 : 0) - usefulShare) * (1 / 256)
        if usefulShare < Self.usefulShareLow { isAdmittingNew = false }
        if usefulShare > Self.usefulShareHigh { isAdmittingNew = true }
    }

    /// Pays a kept chunk from the credit, or earns credit with a released one.
    private mutating func settle(_ decision: ReclaimDecision, _ facts: ReclaimFacts) {
        let blocks = Float(facts.liveBlockCount)
        if case .keep = decision {
            creditBlocks = max(0, creditBlocks - blocks)
        } else {
            let share = keptShare(facts)
            creditBlocks = min(Self.creditBlocksMax, creditBlocks + blocks * share / (1 - share))
        }
    }
}
