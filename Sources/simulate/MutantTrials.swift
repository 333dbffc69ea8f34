internal import Foundation
internal import Simulation

/// Runs every known bug on random seeds until one finds it: a seed that fails with the bug and does
/// not fail without it.
struct MutantTrials {
    let options: Options

    private struct Outcome {
        var seedCount: UInt64
        /// The seed that found it; nil when none did.
        var killer: Totals.Failure?
    }

    func run() -> Int32 {
        let names = MutantSwitch.names
        guard !names.isEmpty else {
            complain("this build knows no mutants; build with -Xswiftc -DMUTANTS")
            return 2
        }
        var survivors: [String] = []
        for name in names {
            let outcome = tryMutant(name)
            if let killer = outcome.killer {
                print(
                    "killed  \(name): after \(outcome.seedCount) seeds, by \(killer.seed): "
                        + killer.text
                )
            } else {
                print("ALIVE   \(name): \(outcome.seedCount) seeds found nothing")
                survivors.append(name)
            }
        }
        print("\(names.count - survivors.count) of \(names.count) mutants killed")
        return survivors.isEmpty ? 0 : 1
    }

    private func tryMutant(_ name: String) -> Outcome {
        var trial = options
        trial.mutant = name
        var seedCount: UInt64 = 0
        while seedCount < options.budget {
            trial.firstSeed = options.firstSeed + seedCount
            let totals = Supervisor(
                options: trial,
                seedCount: options.budget - seedCount,
                stopsAtFailure: true
            ).run()
            guard let failure = totals.failures.first else {
                return Outcome(seedCount: options.budget, killer: nil)
            }
            seedCount = failure.seed - options.firstSeed + 1
            if passesWithout(failure.seed) {
                return Outcome(seedCount: seedCount, killer: failure)
            }
            print("seed \(failure.seed) fails without \(name) too")
        }
        return Outcome(seedCount: seedCount, killer: nil)
    }

    /// Whether the engine as it is passes the seed.
    private func passesWithout(_ seed: UInt64) -> Bool {
        var plain = options
        plain.mutant = nil
        plain.firstSeed = seed
        return Supervisor(options: plain, seedCount: 1, stopsAtFailure: true).run().failures
            .isEmpty
    }
}
