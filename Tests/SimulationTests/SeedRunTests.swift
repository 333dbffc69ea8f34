import Testing

@testable import Simulation

struct SeedRunTests {
    @Test func `a few seeds find nothing`() {
        let runner = SeedRunner(stepsMax: 300)
        for seed in UInt64(1)...8 {
            let result = runner.run(seed: seed)
            #expect(result.finding == nil, "seed \(seed): \(result.finding?.text ?? "")")
            #expect(result.steps >= 300)
        }
    }

    @Test func `a seed does the same every time`() {
        func run() -> (Int, Int, UInt64, [String: Int]) {
            let result = SeedRunner(stepsMax: 300).run(seed: 11)
            return (
                result.steps, result.crashCount, result.virtualNanoseconds, result.recoveries
            )
        }
        #expect(run() == run())
    }

    @Test func `the canary is reported`() {
        let runner = SeedRunner(stepsMax: 50, canaryOneIn: 1)
        #expect(runner.run(seed: 3).finding?.oracle == .canary)
    }

    @Test func `parameters differ from seed to seed and not from run to run`() {
        let first = SeedParameters(seed: 5, stepsMax: 10)
        let again = SeedParameters(seed: 5, stepsMax: 10)
        #expect("\(first)" == "\(again)")
        let depths = Set((0..<50).map { SeedParameters(seed: $0, stepsMax: 10).depth })
        #expect(depths.count > 3)
    }
}

struct SimplificationTests {
    @Test func `each has a name of its own and takes away what it says from some seed`() {
        #expect(Set(Simplification.all.map(\.name)).count == Simplification.all.count)
        for one in Simplification.all {
            #expect(Simplification.named(one.name)?.name == one.name)
            let runner = SeedRunner(stepsMax: 10)
            #expect((1...200).contains { runner.hasEffect(one, on: $0) }, "\(one.name)")
        }
    }

    @Test func `what is left of a seed can be run, and has no more of what was taken`() {
        for (index, one) in Simplification.all.enumerated() {
            let runner = SeedRunner(stepsMax: 40, without: [one], variant: UInt64(index % 3))
            let seed = UInt64(index)
            #expect(!runner.hasEffect(one, on: seed))
            let result = runner.run(seed: seed)
            #expect(result.finding == nil, "\(one.name): \(result.finding?.text ?? "")")
        }
    }
}

struct EventQueueTests {
    @Test func `events come by time, and in the order of making at one moment`() {
        var queue = EventQueue()
        var random = SimulationRandom(seed: 1, stream: .schedule)
        for index in 0..<500 { queue.add(.release(index: index), at: UInt64(random.below(40))) }
        var last: Event?
        while let event = queue.popFirst() {
            if let last { #expect(last.isBefore(event)) }
            last = event
        }
        #expect(queue.isEmpty)
    }
}

struct SimulationRandomTests {
    @Test func `numbers stay in their ranges and reach the ends`() {
        var random = SimulationRandom(seed: 9, stream: .workload)
        var seen: Set<Int> = []
        for _ in 0..<2000 { seen.insert(random.number(in: 3...7)) }
        #expect(seen == [3, 4, 5, 6, 7])
        for _ in 0..<2000 {
            let number = random.skewedNumber(in: 1...100)
            #expect(number >= 1 && number <= 100)
        }
        for _ in 0..<200 { #expect(random.weightedIndex([0, 5, 0, 1]) % 2 == 1) }
    }

    @Test func `streams of one seed differ`() {
        var first = SimulationRandom(seed: 9, stream: .workload)
        var second = SimulationRandom(seed: 9, stream: .crash)
        #expect(first.next() != second.next())
    }
}
