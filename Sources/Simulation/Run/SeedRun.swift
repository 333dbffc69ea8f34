/// How one seed ended.
package struct SeedResult: Sendable {
    package var seed: UInt64
    package var steps: Int
    package var crashCount: Int
    /// Recoveries by crash mode.
    package var recoveries: [String: Int]
    package var probes: ProbeCounts
    package var matrix: FaultMatrix
    package var finding: Finding?
    /// Nanoseconds of virtual time.
    package var virtualNanoseconds: UInt64
}

/// Runs seeds, one after another, in memory that they share.
package final class SeedRunner {
    private let memory = SimulationMemory()
    private let stepsMax: Int
    /// Pretends to find something in one of so many seeds: proof that findings are reported.
    private let canaryOneIn: Int
    private let leftOut: [Simplification]
    private let variant: UInt64

    /// - Parameters:
    ///   - leftOut: what a seed would do and is to do without.
    ///   - variant: other chances, with the same parameters; 0 for the seed's own.
    package init(
        stepsMax: Int,
        canaryOneIn: Int = 0,
        without leftOut: [Simplification] = [],
        variant: UInt64 = 0
    ) {
        self.stepsMax = stepsMax
        self.canaryOneIn = canaryOneIn
        self.leftOut = leftOut
        self.variant = variant
    }

    private func parameters(of seed: UInt64) -> SeedParameters {
        var parameters = SeedParameters(seed: seed, stepsMax: stepsMax)
        for one in leftOut { parameters = one.applied(to: parameters) ?? parameters }
        if variant > 0 { parameters.seed = SimulationRandom.mix(seed &+ variant) }
        return parameters
    }

    /// Whether the seed still has what this one takes away.
    package func hasEffect(_ simplification: Simplification, on seed: UInt64) -> Bool {
        simplification.applied(to: parameters(of: seed)) != nil
    }

    /// One seed of this many is run twice, and must do the same both times.
    private static var repeatOneIn: UInt64 { 20 }

    package func run(seed: UInt64, printLine: ((String) -> Void)? = nil) -> SeedResult {
        let isRepeated = seed % Self.repeatOneIn == 0
        let first = Journal(isDigesting: isRepeated, printLine: printLine)
        var result = run(seed: seed, journal: first)
        if isRepeated && result.finding == nil {
            let second = Journal(isDigesting: true)
            let again = run(seed: seed, journal: second)
            if first.digest != second.digest || again.steps != result.steps {
                first.report(.determinism, "seed \(seed) does something else the second time")
                result.finding = first.first
            }
        }
        return result
    }

    private func run(seed: UInt64, journal: Journal) -> SeedResult {
        let world = SimulatedWorld(
            parameters: parameters(of: seed),
            memory: memory,
            journal: journal
        )
        world.run()
        if canaryOneIn > 0, SimulationRandom.mix(seed) % UInt64(canaryOneIn) == 0 {
            journal.report(.canary, "the canary sings")
        }
        world.close()
        return SeedResult(
            seed: seed,
            steps: journal.step,
            crashCount: world.crashCount,
            recoveries: world.recoveries,
            probes: journal.probes,
            matrix: journal.matrix,
            finding: journal.first,
            virtualNanoseconds: world.elapsedNanoseconds
        )
    }
}
