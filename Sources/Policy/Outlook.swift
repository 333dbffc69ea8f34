internal import Units

// What a policy would do, for people who ask why.  Copies of the policy are asked, with the facts
// that the engine would give it: nothing is counted, and nothing adapts to what did not happen.

/// Another decision, which comes when a chunk is left alone.
package struct LaterDecision<Decision: Equatable & Sendable>: Equatable, Sendable {
    /// Without a touch, from now on.
    package var ticks: UInt32
    package var decision: Decision

    package init(ticks: UInt32, decision: Decision) {
        self.ticks = ticks
        self.decision = decision
    }
}

/// What the next read of a chunk from disk brings about, and what would change that.
package struct ReadOutlook: Equatable, Sendable {
    /// What a scattered read gets.
    package var scattered: ReadDecision
    /// What a read of the whole chunk gets that belongs to a sequential run.
    package var sequential: ReadDecision
    /// The first of so many scattered reads, one right after the other, that promotes; nil when
    /// none of the first `readCountMax` does.
    package var scatteredReadCount: Int?
    /// The same of sequential ones.
    package var sequentialReadCount: Int?
    /// What a scattered read gets when flash is not short of segments.
    package var withFreeSegments: ReadDecision
    /// What a scattered read gets later; nil when a year changes nothing.
    package var whenLeftAlone: LaterDecision<ReadDecision>?
    /// Whether first scattered reads promote now, and what that depends on; nil when they never do.
    package var admission: Admission?

    /// How useful promotions were, and where that changes what first reads get.
    package struct Admission: Equatable, Sendable {
        package var isOpen: Bool
        package var usefulShare: Float
        /// Below it admission ends when it is open; above it, it begins when it is not.
        package var usefulShareAtChange: Float
    }

    package static var readCountMax: Int { 64 }
}

/// What reclaim would do with a chunk's blocks in a segment, and what would change that.
package struct ReclaimOutlook: Equatable, Sendable {
    package var decision: ReclaimDecision
    /// Reads before that, one right after the other, with which the blocks are kept; nil when they
    /// are kept anyway, and when no number up to `ReadOutlook.readCountMax` is enough.
    package var readCountToKeep: Int?
    /// What it would be if neither flash nor disk was short of segments.
    package var withFreeSegments: ReclaimDecision
    /// What it is later; nil when a year changes nothing.
    package var whenLeftAlone: LaterDecision<ReclaimDecision>?
}

extension HeatPolicy {
    /// - Parameter facts: of a chunk that lies on disk, before it is read.
    package func outlook(_ facts: ReadFacts) -> ReadOutlook {
        var relaxed = facts
        relaxed.flashPressure = 0
        return ReadOutlook(
            scattered: decision(facts, isSequential: false),
            sequential: decision(facts, isSequential: true),
            scatteredReadCount: readCount(facts, isSequential: false),
            sequentialReadCount: readCount(facts, isSequential: true),
            withFreeSegments: decision(relaxed, isSequential: false),
            whenLeftAlone: firstChange(after: facts.tick) { tick in
                var later = facts
                later.tick = tick
                return decision(later, isSequential: false)
            },
            admission: admission
        )
    }

    /// - Parameter facts: as they are now; reclaim may come to the segment much later.
    package func outlook(_ facts: ReclaimFacts) -> ReclaimOutlook {
        var relaxed = facts
        relaxed.flashPressure = 0
        relaxed.diskHasRoom = true
        return ReclaimOutlook(
            decision: decision(facts),
            readCountToKeep: readCountToKeep(facts),
            withFreeSegments: decision(relaxed),
            whenLeftAlone: firstChange(after: facts.tick) { tick in
                var later = facts
                later.tick = tick
                return decision(later)
            }
        )
    }

    private func decision(_ facts: ReadFacts, isSequential: Bool) -> ReadDecision {
        var facts = facts
        facts.noteRead(isSequential: isSequential, blockCount: Geometry.blocksPerChunk)
        return decision(facts)
    }

    private func decision(_ facts: ReadFacts) -> ReadDecision {
        var copy = self
        return copy.onDiskRead(facts)
    }

    private func decision(_ facts: ReclaimFacts) -> ReclaimDecision {
        var copy = self
        return copy.onReclaim(facts)
    }

    private func readCount(_ facts: ReadFacts, isSequential: Bool) -> Int? {
        var facts = facts
        return (1...ReadOutlook.readCountMax).first { _ in
            facts.noteRead(isSequential: isSequential, blockCount: Geometry.blocksPerChunk)
            guard case .promote = decision(facts) else { return false }
            return true
        }
    }

    private func readCountToKeep(_ facts: ReclaimFacts) -> Int? {
        if case .keep = decision(facts) { return nil }
        var facts = facts
        return (1...ReadOutlook.readCountMax).first { _ in
            facts.heat.touch(.read, tick: facts.tick, isSequential: false)
            guard case .keep = decision(facts) else { return false }
            return true
        }
    }

    private var admission: ReadOutlook.Admission? {
        guard limits.promotesAtFirstRead else { return nil }
        return ReadOutlook.Admission(
            isOpen: isAdmittingNew,
            usefulShare: usefulShare,
            usefulShareAtChange: isAdmittingNew ? Self.usefulShareLow : Self.usefulShareHigh
        )
    }

    /// When a decision becomes another one, by itself, within about a year.
    ///
    /// Steps double until the decision differs, and then the last one is halved: heat only falls,
    /// so decisions that rest on it change once.
    private func firstChange<Decision>(
        after tick: UInt32,
        _ decide: (UInt32) -> Decision
    ) -> LaterDecision<Decision>? {
        func later(_ ticks: UInt32) -> Decision {
            decide(UInt32(clamping: UInt64(tick) + UInt64(ticks)))
        }
        let present = later(0)
        var (same, other): (UInt32, UInt32) = (0, 1)
        while later(other) == present {
            guard other < 1 << 25 else { return nil }
            (same, other) = (other, other * 2)
        }
        while other - same > 1 {
            let middle = same + (other - same) / 2
            if later(middle) == present { same = middle } else { other = middle }
        }
        return LaterDecision(ticks: other, decision: later(other))
    }
}
