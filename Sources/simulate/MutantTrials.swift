internal import Foundation
internal import Simulation

/// Runs every known bug on random seeds until one finds it.
struct MutantTrials {
    let options: Options

    func run() -> Int32 {
        let names = MutantSwitch.names
        guard !names.isEmpty else {
            complain("this build knows no mutants; build with -Xswiftc -DMUTANTS")
            return 2
        }
        var survivors: [String] = []
        for name in names {
            var trial = options
            trial.mutant = name
            let supervisor = Supervisor(
                options: trial,
                seedCount: options.budget,
                stopsAtFailure: true
            )
            let totals = supervisor.run()
            if let failure = totals.failures.first {
                let seeds = totals.seedCount + 1
                print("killed  \(name): after \(seeds) seeds, by \(failure.seed): \(failure.text)")
            } else {
                print("ALIVE   \(name): \(totals.seedCount) seeds found nothing")
                survivors.append(name)
            }
        }
        print("\(names.count - survivors.count) of \(names.count) mutants killed")
        return survivors.isEmpty ? 0 : 1
    }
}
