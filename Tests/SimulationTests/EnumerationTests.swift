import Testing

@testable import Simulation

struct EnumerationTests {
    @Test func `every workload has one number`() {
        let count = EnumeratedWorkload.count(stepCount: 2)
        let steps = UInt64(EnumeratedStep.allCases.count)
        #expect(count == 2 * steps + 4 * steps * steps)
        let all = Set((0..<count).map { EnumeratedWorkload(number: $0).description })
        #expect(all.count == Int(count))
        #expect(EnumeratedWorkload(number: 2 * steps - 1).steps.count == 1)
        #expect(EnumeratedWorkload(number: count - 1).steps.count == 2)
        #expect(EnumeratedWorkload(number: count).steps.count == 3)
    }

    @Test func `of a few volatile blocks every subset is tried, of many a sample`() {
        var random = SimulationRandom(seed: 1, stream: .crash)
        let few = PowerCut.choices(blockCount: 12, random: &random)
        #expect(few.count == 4096)
        let subsets = few.map { kept in (0..<12).map { kept.contains($0) } }
        #expect(Set(subsets).count == 4096)
        let many = PowerCut.choices(blockCount: 13, random: &random)
        #expect(many.count > 2 * 13 + 2)
        for wanted in [(0..<13).map { _ in false }, (0..<13).map { _ in true }] {
            #expect(many.contains { kept in (0..<13).map { kept.contains($0) } == wanted })
        }
    }

    /// A write on a pool that was used: its record has three blocks, so that there are more images
    /// than events.
    @Test func `a workload is cut again and again and nothing is found`() {
        let runner = EnumerationRunner(depth: 1)
        var images = 0
        for number in UInt64(0)..<6 {
            let result = runner.run(number: number)
            #expect(result.finding == nil, "\(result.finding?.text ?? "")")
            images += result.crashCount
        }
        #expect(images > 50)
    }

    @Test func `two cuts in a row`() {
        let once = EnumerationRunner(depth: 1).run(number: 0)
        let twice = EnumerationRunner(depth: 2).run(number: 0)
        #expect(twice.finding == nil, "\(twice.finding?.text ?? "")")
        #expect(twice.crashCount > 10 * once.crashCount)
    }
}
