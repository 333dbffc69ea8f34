internal import Foundation
internal import Simulation
internal import Synchronization

/// Runs every known bug on random seeds until one finds it: a seed that fails with the bug and does
/// not fail without it.
///
/// A file of recorded seeds shortens the search: a bug's recorded seed is tried first.  Seeds
/// change their meaning with the code: one that finds nothing more costs a search, and no trust.
final class MutantTrials: Sendable {
    private enum Verdict {
        /// Seeds that were run, and the one that found it.
        case killed(afterSeeds: UInt64, by: Totals.Failure)
        case survived(seedCount: UInt64)
    }

    private struct State {
        var waiting: ArraySlice<String>
        var verdicts: [String: Verdict] = [:]
    }

    private let options: Options
    private let names: [String]
    private let recorded: RecordedSeeds
    private let state: Mutex<State>

    init(options: Options, recorded: RecordedSeeds) {
        self.options = options
        self.recorded = recorded
        names = options.mutant.map { [$0] } ?? MutantSwitch.names
        state = Mutex(State(waiting: names[...]))
    }

    /// 0 when every bug was found, 1 when one was not or the seeds could not be written.
    func run() -> Int32 {
        let group = DispatchGroup()
        for _ in 0..<options.jobs {
            let thread = Thread { [self] in
                while let name = state.withLock({ $0.waiting.popFirst() }) { judge(name) }
                group.leave()
            }
            group.enter()
            thread.start()
        }
        group.wait()
        return conclude(state.withLock { $0.verdicts })
    }

    private func judge(_ name: String) {
        let verdict = tryRecorded(name) ?? search(name)
        state.withLock { $0.verdicts[name] = verdict }
        switch verdict {
        case .killed(let count, let killer):
            print("killed  \(name): after \(count) seeds, by \(killer.seed): \(killer.text)")
        case .survived(let count): print("ALIVE   \(name): \(count) seeds found nothing")
        }
    }

    private func conclude(_ verdicts: [String: Verdict]) -> Int32 {
        var counts: [UInt64] = []
        var seeds = RecordedSeeds()
        for name in names {
            guard case .killed(let count, let killer) = verdicts[name] else { continue }
            counts.append(count)
            seeds[name] = killer.seed
        }
        counts.sort()
        let median = counts.isEmpty ? "" : ", median of seeds \(counts[counts.count / 2])"
        print("\(counts.count) of \(names.count) mutants killed\(median)")
        if let path = options.record {
            do { try seeds.write(to: path) } catch {
                complain("the seeds are not written: \(error)")
                return 1
            }
        }
        return counts.count == names.count ? 0 : 1
    }

    private func tryRecorded(_ name: String) -> Verdict? {
        guard let seed = recorded[name] else { return nil }
        guard let failure = run(from: seed, count: 1, mutant: name), passesWithout(seed) else {
            print("seed \(seed) does not find \(name) any more")
            return nil
        }
        return .killed(afterSeeds: 1, by: failure)
    }

    private func search(_ name: String) -> Verdict {
        var seedCount: UInt64 = 0
        while seedCount < options.budget {
            let rest = options.budget - seedCount
            guard let failure = run(from: options.firstSeed + seedCount, count: rest, mutant: name)
            else { return .survived(seedCount: options.budget) }
            seedCount = failure.seed - options.firstSeed + 1
            if passesWithout(failure.seed) { return .killed(afterSeeds: seedCount, by: failure) }
            print("seed \(failure.seed) fails without \(name) too")
        }
        return .survived(seedCount: seedCount)
    }

    /// Whether the engine as it is passes the seed.
    private func passesWithout(_ seed: UInt64) -> Bool {
        run(from: seed, count: 1, mutant: nil) == nil
    }

    /// The first seed that fails, one worker at a time.
    private func run(from seed: UInt64, count: UInt64, mutant: String?) -> Totals.Failure? {
        var trial = options
        trial.firstSeed = seed
        trial.mutant = mutant
        trial.jobs = 1
        return Supervisor(options: trial, seedCount: count, stopsAtFailure: true).run().failures
            .first
    }
}
