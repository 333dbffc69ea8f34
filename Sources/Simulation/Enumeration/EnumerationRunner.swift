/// Runs enumerated workloads: each is cut at every event, with everything that a cut may leave, and
/// the pool that comes out is opened, read and used.
package final class EnumerationRunner {
    private let memory = SimulationMemory()
    /// Power cuts in a row: 1, or 2 to cut what follows each recovery as well.
    private let depth: Int

    package init(depth: Int) { self.depth = depth }

    /// Events behind a recovery at which a second cut is tried.
    private static var secondCutEvents: Int { 16 }

    /// Runs one workload; stops at the first thing found wrong.  Steps are events of all runs,
    /// crashes are images that were recovered.
    package func run(number: UInt64, printLine: ((String) -> Void)? = nil) -> SeedResult {
        let workload = EnumeratedWorkload(number: number)
        var result = SeedResult(
            seed: number,
            steps: 0,
            crashCount: 0,
            recoveries: [:],
            probes: ProbeCounts(),
            matrix: FaultMatrix(),
            finding: nil,
            virtualNanoseconds: 0
        )
        var random = SimulationRandom(seed: number, stream: .crash)
        let whole = play(workload, [], &result, printLine)
        let signatures = whole.signatures
        // What comes before the last operation was cut in the workload that ends there.
        for event in signatures.indices.dropFirst(whole.eventsBeforeLastStep)
        where result.finding == nil {
            // Behind a read, say, a cut finds what it found before.
            guard event == 0 || signatures[event] != signatures[event - 1] else { continue }
            let none = PowerCut(event: event, kept: .none, keepsCommits: false)
            let first = play(workload, [none], &result, printLine)
            var cuts = PowerCut.choices(blockCount: first.volatileBlocks, random: &random)
                .dropFirst().map { PowerCut(event: event, kept: $0, keepsCommits: false) }
            if first.hadCommits {
                cuts += [.none, .all].map {
                    PowerCut(event: event, kept: $0, keepsCommits: true)
                }
            }
            for cut in cuts where result.finding == nil {
                _ = play(workload, [cut], &result, printLine)
            }
            guard depth > 1 else { continue }
            cutAgain(workload, event, &result, printLine)
            cutOpening(workload, event, &result, printLine)
        }
        return result
    }

    /// Cuts the power once more at each event behind a recovery.
    private func cutAgain(
        _ workload: EnumeratedWorkload,
        _ event: Int,
        _ result: inout SeedResult,
        _ printLine: ((String) -> Void)?
    ) {
        for kept in [PowerCut.Kept.none, .all] {
            let first = PowerCut(event: event, kept: kept, keepsCommits: false)
            for later in 0..<Self.secondCutEvents {
                for keptLater in [PowerCut.Kept.none, .all] where result.finding == nil {
                    let second = PowerCut(
                        event: later,
                        kept: keptLater,
                        keepsCommits: later % 2 == 1
                    )
                    _ = play(workload, [first, second], &result, printLine)
                }
            }
        }
    }

    /// Cuts the power once more at each write, flush and commit of the opening.
    private func cutOpening(
        _ workload: EnumeratedWorkload,
        _ event: Int,
        _ result: inout SeedResult,
        _ printLine: ((String) -> Void)?
    ) {
        var random = SimulationRandom(seed: result.seed, stream: .crash)
        for kept in [PowerCut.Kept.none, .all] {
            let first = PowerCut(event: event, kept: kept, keepsCommits: false)
            let eventCount = play(workload, [first], &result, printLine).openingEvents
            for later in 0..<eventCount where result.finding == nil {
                var second = PowerCut(event: later, kept: .none, keepsCommits: false)
                second.isInOpening = true
                let played = play(workload, [first, second], &result, printLine)
                second.keepsCommits = true
                for choice in PowerCut.choices(blockCount: played.volatileBlocks, random: &random)
                where result.finding == nil {
                    second.kept = choice
                    _ = play(workload, [first, second], &result, printLine)
                }
            }
        }
    }

    private struct Played {
        var signatures: [[Int]]
        var eventsBeforeLastStep: Int
        var volatileBlocks: Int
        var hadCommits: Bool
        var openingEvents: Int
    }

    private func play(
        _ workload: EnumeratedWorkload,
        _ cuts: [PowerCut],
        _ result: inout SeedResult,
        _ printLine: ((String) -> Void)?
    ) -> Played {
        let journal = Journal()
        let played = play(workload, cuts, seed: result.seed, journal, &result)
        guard let finding = journal.first else { return played }
        let text = cuts.map { "\($0)" }.joined(separator: ", then ")
        result.finding = Finding(
            oracle: finding.oracle,
            text: "\(workload); cut at \(text): \(finding.text)",
            step: finding.step
        )
        if let printLine {
            // Only the run that failed is of interest.
            let again = Journal(printLine: printLine)
            _ = play(workload, cuts, seed: result.seed, again, &result)
        }
        return played
    }

    private func play(
        _ workload: EnumeratedWorkload,
        _ cuts: [PowerCut],
        seed: UInt64,
        _ journal: Journal,
        _ result: inout SeedResult
    ) -> Played {
        let world = SimulatedWorld(
            parameters: SeedParameters(enumerating: seed),
            memory: memory,
            journal: journal
        )
        world.play(workload, cuts: cuts)
        world.close()
        result.steps += journal.step
        result.crashCount += world.crashCount
        result.probes.add(journal.probes)
        result.virtualNanoseconds += world.elapsedNanoseconds
        for (mode, count) in world.recoveries { result.recoveries[mode, default: 0] += count }
        return Played(
            signatures: world.eventSignatures ?? [],
            eventsBeforeLastStep: world.eventsBeforeLastStep,
            volatileBlocks: world.volatileBlocksAtCut,
            hadCommits: world.hadCommitsAtCut,
            openingEvents: world.openingEventCount
        )
    }
}
