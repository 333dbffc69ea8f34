internal import Policy
internal import Testing

@Suite struct HeatPolicyTests {
    private func heat(_ touches: Int, at tick: UInt32 = 1000) -> Heat {
        var heat = Heat()
        for _ in 0..<touches { heat.touch(.read, tick: tick, isSequential: false) }
        return heat
    }

    private func reclaimFacts(_ touches: Int, isDirty: Bool = false) -> ReclaimFacts {
        var facts = ReclaimFacts(
            heat: heat(touches),
            tick: 1000,
            isDirty: isDirty,
            liveBlockCount: 16
        )
        facts.segmentTick = 500
        return facts
    }

    /// The guarantee against going round for ever: enumerated over all facts that could matter.
    @Test func `at pressure one every decision gives space, unless the disk is full`() {
        var policy = HeatPolicy()
        let limits: [Reason?] = [nil, .held, .schedule, .bandwidth, .yield, .share]
        for touches in [0, 1, 1000] {
            for isDirty in [false, true] {
                for pin in [Pin.automatic, .flash, .disk] {
                    for limit in limits {
                        for diskHasRoom in [false, true] {
                            var facts = reclaimFacts(touches, isDirty: isDirty)
                            facts.pin = pin
                            facts.limit = limit
                            facts.diskHasRoom = diskHasRoom
                            facts.flashPressure = 1
                            let decision = policy.onReclaim(facts)
                            if isDirty && !diskHasRoom {
                                #expect(decision == .keep(.noFreeSegments))
                            } else if isDirty {
                                #expect(decision == .demote(.noFreeSegments))
                            } else {
                                #expect(decision == .drop(.noFreeSegments))
                            }
                        }
                    }
                }
            }
        }
    }

    @Test func `a dirty chunk is never dropped`() {
        var policy = HeatPolicy()
        for touches in 0..<40 {
            for pressure in stride(from: Float(0), through: 1, by: 0.125) {
                var facts = reclaimFacts(touches, isDirty: true)
                facts.flashPressure = pressure
                if case .drop = policy.onReclaim(facts) { Issue.record("dropped dirty data") }
            }
        }
    }

    @Test(arguments: [Float(0), 0.25, 0.5, 0.75, 0.95])
    func `the kept share stays below its bound when everything is hot`(_ pressure: Float) {
        var policy = HeatPolicy()
        var kept = 0
        let count = 20_000
        var facts = reclaimFacts(500)
        facts.flashPressure = pressure
        for _ in 0..<count {
            if case .keep = policy.onReclaim(facts) { kept += 1 }
        }
        // 256 chunks may be kept from the credit that was saved up.
        #expect(Float(kept) <= 256 + Float(count) * 0.5 * (1 - pressure) * 1.02)
    }

    @Test func `the hotter half is kept when all are touched`() {
        var policy = HeatPolicy()
        var kept: [Int: Int] = [:]
        let facts = (0...100).map { reclaimFacts($0) }
        for index in 0..<40_000 {
            let touches = 1 + index &* 7919 % 100
            if case .keep = policy.onReclaim(facts[touches]) {
                kept[touches / 10, default: 0] += 1
            }
        }
        #expect(kept[9, default: 0] > 3200)
        #expect(kept[1, default: 0] < 400)
    }

    @Test func `cold chunks are not kept to fill a share`() {
        var policy = HeatPolicy()
        for _ in 0..<1000 {
            check(policy.onReclaim(reclaimFacts(0)) == .drop(.cool))
            check(policy.onReclaim(reclaimFacts(0, isDirty: true)) == .demote(.cool))
        }
    }

    @Test func `pins hold until the last reserve`() {
        var policy = HeatPolicy()
        var facts = reclaimFacts(0)
        facts.pin = .flash
        facts.flashPressure = 0.99
        check(policy.onReclaim(facts) == .keep(.pinned))
        facts = reclaimFacts(1000, isDirty: true)
        facts.pin = .disk
        check(policy.onReclaim(facts) == .demote(.pinned))
        var read = ReadFacts(heat: heat(1000), tick: 1000)
        read.pin = .disk
        read.isRequested = true
        check(policy.onDiskRead(read) == .serve(.pinned))
    }

    @Test func `limits hold demotion back, but not when space is short`() {
        var policy = HeatPolicy()
        var facts = reclaimFacts(0, isDirty: true)
        facts.limit = .schedule
        check(policy.onReclaim(facts) == .keep(.schedule))
        facts.flashPressure = 0.8
        check(policy.onReclaim(facts) == .demote(.cool))
    }

    @Test func `a scan is served, a ghost and a second read are promoted`() {
        var policy = HeatPolicy()
        var facts = ReadFacts(heat: heat(0), tick: 1000)
        facts.heat.touch(.read, tick: 1000, isSequential: true)
        facts.isSequential = true
        check(policy.onDiskRead(facts) == .serve(.scan))
        facts.isGhost = true
        check(policy.onDiskRead(facts) == .promote(groupChunkCount: 4, .ghost))
        check(
            policy.onDiskRead(ReadFacts(heat: heat(2), tick: 1000))
                == .promote(groupChunkCount: 4, .warm)
        )
        facts.limit = .budget
        check(policy.onDiskRead(facts) == .serve(.budget))
        facts.isRequested = true
        check(policy.onDiskRead(facts) == .promote(groupChunkCount: 1, .requested))
        facts.flashPressure = 1
        check(policy.onDiskRead(facts) == .serve(.noFreeSegments))
    }

    @Test func `first reads are promoted until what was promoted proves useless`() {
        var policy = HeatPolicy()
        let first = ReadFacts(heat: heat(1), tick: 1000)
        check(policy.onDiskRead(first) == .promote(groupChunkCount: 4, .new))
        for _ in 0..<2000 { _ = policy.onReclaim(reclaimFacts(0)) }
        #expect(!policy.isAdmittingNew)
        check(policy.onDiskRead(first) == .serve(.cool))
        let hot = reclaimFacts(1000)
        for _ in 0..<2000 { _ = policy.onReclaim(hot) }
        #expect(policy.isAdmittingNew)
    }

    @Test func `neighbours are taken along until they prove idle`() {
        var policy = HeatPolicy()
        let read = ReadFacts(heat: heat(2), tick: 1000)
        check(policy.onDiskRead(read) == .promote(groupChunkCount: 4, .warm))
        var idle = reclaimFacts(1)
        idle.segmentTick = 1001
        for _ in 0..<1000 { _ = policy.onReclaim(idle) }
        #expect(!policy.isTakingNeighbours)
        check(policy.onDiskRead(read) == .promote(groupChunkCount: 1, .warm))
        let used = reclaimFacts(1)
        for _ in 0..<1000 { _ = policy.onReclaim(used) }
        #expect(policy.isTakingNeighbours)
    }

    @Test func `every decision is counted once, under its reason`() {
        var policy = HeatPolicy()
        for touches in 0..<100 {
            _ = policy.onReclaim(reclaimFacts(touches % 3, isDirty: touches % 2 == 0))
            _ = policy.onDiskRead(ReadFacts(heat: heat(touches % 3), tick: 1000))
        }
        var count: UInt64 = 0
        for reason in Reason.allCases {
            let index = Int(reason.rawValue)
            count += policy.counters.served[index] + policy.counters.promoted[index]
            count += policy.counters.dropped[index] + policy.counters.demoted[index]
            count += policy.counters.kept[index]
        }
        #expect(count == 200)
        #expect(Reason.allCases.count == policy.counters.kept.count)
    }
}
