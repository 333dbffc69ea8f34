import Testing

@testable import Policy

/// What an outlook says is what the policy does, when that is asked in earnest.
@Suite struct OutlookTests {
    private func heat(_ touches: Int, at tick: UInt32 = 1000) -> Heat {
        var heat = Heat()
        for _ in 0..<touches { heat.touch(.read, tick: tick, isSequential: false) }
        return heat
    }

    /// A fresh policy, and one that has learned that promotions are of no use.
    private var policies: [HeatPolicy] {
        var strict = HeatPolicy()
        var idle = ReclaimFacts(heat: Heat(), tick: 1000, isDirty: false, liveBlockCount: 16)
        idle.segmentTick = 500
        for _ in 0..<2000 { _ = strict.onReclaim(idle) }
        return [HeatPolicy(), strict]
    }

    private var readFacts: [ReadFacts] {
        [0, 1, 2, 100].flatMap { touches in
            [false, true].flatMap { isGhost in
                [Float(0), 0.5, 1].map { pressure in
                    var facts = ReadFacts(heat: heat(touches), tick: 1200)
                    facts.isGhost = isGhost
                    facts.flashPressure = pressure
                    return facts
                }
            }
        }
    }

    private var reclaimFacts: [ReclaimFacts] {
        [0, 1, 2, 100].flatMap { touches in
            [false, true].flatMap { isDirty in
                [UInt32(500), 1500].flatMap { segmentTick in
                    [(Float(0), true), (0.5, false), (1, true), (1, false)].map { pressure, room in
                        var facts = ReclaimFacts(
                            heat: heat(touches),
                            tick: 2000,
                            isDirty: isDirty,
                            liveBlockCount: 16
                        )
                        facts.segmentTick = segmentTick
                        facts.flashPressure = pressure
                        facts.diskHasRoom = room
                        return facts
                    }
                }
            }
        }
    }

    private func isPromoted(_ decision: ReadDecision) -> Bool {
        if case .promote = decision { true } else { false }
    }

    private func isKept(_ decision: ReclaimDecision) -> Bool {
        if case .keep = decision { true } else { false }
    }

    /// The answer to the last of so many reads.
    private func answer(
        _ policy: HeatPolicy,
        _ facts: ReadFacts,
        count: Int = 1,
        isSequential: Bool = false
    ) -> ReadDecision {
        var (policy, facts) = (policy, facts)
        var decision = ReadDecision.serve(.cool)
        for _ in 0..<count {
            facts.heat.touch(
                .read,
                tick: facts.tick,
                isSequential: isSequential,
                blockCount: 16
            )
            facts.isSequential = isSequential
            decision = policy.onDiskRead(facts)
        }
        return decision
    }

    @Test func `the next reads get what was said`() {
        for policy in policies {
            for facts in readFacts {
                let outlook = policy.outlook(facts)
                #expect(outlook.scattered == answer(policy, facts))
                #expect(outlook.sequential == answer(policy, facts, isSequential: true))
                #expect(isPromoted(outlook.scattered) == (outlook.scatteredReadCount == 1))
                for isSequential in [false, true] {
                    let count =
                        isSequential ? outlook.sequentialReadCount : outlook.scatteredReadCount
                    for number in 1...(count ?? ReadOutlook.readCountMax) {
                        let decision = answer(
                            policy,
                            facts,
                            count: number,
                            isSequential: isSequential
                        )
                        #expect(isPromoted(decision) == (number == count))
                    }
                }
                var relaxed = facts
                relaxed.flashPressure = 0
                #expect(outlook.withFreeSegments == answer(policy, relaxed))
            }
        }
    }

    @Test func `a chunk that is left alone gets the later decision, and not before`() throws {
        for policy in policies {
            for facts in readFacts {
                guard let later = policy.outlook(facts).whenLeftAlone else { continue }
                var then = facts
                then.tick = facts.tick + later.ticks
                #expect(answer(policy, then) == later.decision)
                then.tick -= 1
                #expect(answer(policy, then) == policy.outlook(facts).scattered)
            }
        }
        // Warm for its two touches, and then as good as new.
        let warm = ReadFacts(heat: heat(2), tick: 1000)
        let later = try #require(HeatPolicy().outlook(warm).whenLeftAlone)
        #expect(later.decision == .promote(groupChunkCount: 4, .new))
    }

    @Test func `first reads depend on what promotions were good for`() throws {
        let first = ReadFacts(heat: Heat(), tick: 1000)
        let open = try #require(policies[0].outlook(first).admission)
        #expect(open.isOpen && open.usefulShareAtChange < open.usefulShare)
        let closed = try #require(policies[1].outlook(first).admission)
        #expect(!closed.isOpen && closed.usefulShareAtChange > closed.usefulShare)
        #expect(policies[1].outlook(first).scattered == .serve(.cool))
        var limits = HeatPolicyLimits()
        limits.promotesAtFirstRead = false
        #expect(HeatPolicy(limits: limits).outlook(first).admission == nil)
    }

    @Test func `reclaim does what was said`() {
        for policy in policies {
            for facts in reclaimFacts {
                let outlook = policy.outlook(facts)
                var asked = policy
                #expect(asked.onReclaim(facts) == outlook.decision)
                var relaxed = facts
                relaxed.flashPressure = 0
                relaxed.diskHasRoom = true
                asked = policy
                #expect(asked.onReclaim(relaxed) == outlook.withFreeSegments)
                if let later = outlook.whenLeftAlone {
                    var then = facts
                    then.tick += later.ticks
                    asked = policy
                    #expect(asked.onReclaim(then) == later.decision)
                }
                guard let count = outlook.readCountToKeep else { continue }
                #expect(!isKept(outlook.decision))
                var read = facts
                for number in 1...count {
                    read.heat.touch(.read, tick: facts.tick, isSequential: false)
                    asked = policy
                    #expect(isKept(asked.onReclaim(read)) == (number == count))
                }
            }
        }
    }

    @Test func `looking ahead changes nothing`() {
        let policy = HeatPolicy()
        for facts in readFacts { _ = policy.outlook(facts) }
        for facts in reclaimFacts { _ = policy.outlook(facts) }
        for reason in Reason.allCases {
            let index = Int(reason.rawValue)
            #expect(policy.counters.served[index] + policy.counters.promoted[index] == 0)
            #expect(policy.counters.dropped[index] + policy.counters.demoted[index] == 0)
            #expect(policy.counters.kept[index] == 0)
        }
        #expect(policy.usefulShare == HeatPolicy().usefulShare)
        #expect(policy.warmValue == HeatPolicy().warmValue)
    }
}
