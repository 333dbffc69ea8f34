internal import ArgumentParser
internal import Foundation
internal import Simulation

func complain(_ text: String) {
    FileHandle.standardError.write(Data("simulate: \(text)\n".utf8))
}

struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: """
            Runs the engine on simulated devices in virtual time, with crashes, against a model.
            """,
        discussion: """
            Ends with 0 when nothing was found, 1 when something was, 64 when the command is wrong.
            """
    )

    @OptionGroup var options: Options

    func validate() throws {
        if options.mutants && MutantSwitch.names.isEmpty {
            throw ValidationError("this build knows no mutants; build with -Xswiftc -DMUTANTS")
        }
        if let mutant = options.mutant, !MutantSwitch.turnOn(mutant) {
            throw ValidationError("this build has no mutant \(mutant)")
        }
    }

    func run() throws {
        if options.worker { return Worker(options: options).run() }
        if options.mutants { throw ExitCode(try tryMutants()) }
        if let seed = options.seed, options.shrink {
            var shrinking = Shrinking(options: options, seed: seed)
            throw ExitCode(shrinking.run())
        }
        if let seed = options.seed { throw ExitCode(runOne(seed)) }
        throw ExitCode(runSeeds())
    }

    private func runSeeds() -> Int32 {
        let start = DispatchTime.now().uptimeNanoseconds
        var totals = Totals()
        var run = options
        run.matrix = false
        run.seeds = options.seedCount
        while true {
            let supervisor = Supervisor(
                options: run,
                seedCount: run.seedCount,
                stopsAtFailure: false
            )
            totals.add(supervisor.run())
            run.firstSeed += run.seedCount
            // Rare pairs of a fault and a site do not come in every few thousand seeds.
            guard options.matrix, totals.failures.isEmpty, !totals.emptyCells.isEmpty,
                totals.seedCount < options.seedCount + options.budget
            else { break }
            run.seeds = 500
        }
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
        let report = Report(options: options, totals: totals, seconds: seconds)
        if options.json { report.printJSON() } else { report.printText() }
        let isFilled = !options.matrix || totals.emptyCells.isEmpty
        return totals.failures.isEmpty && isFilled ? 0 : 1
    }

    private func runOne(_ seed: UInt64) -> Int32 {
        let printLine: ((String) -> Void)? = options.verbose ? { print($0) } : nil
        let result = options.makeRunner()(seed, printLine)
        guard let finding = result.finding else {
            print(
                "seed \(seed): \(result.steps) steps, \(result.crashCount) crashes, nothing found"
            )
            return 0
        }
        print(
            "FAILED seed \(seed) at step \(finding.step): \(finding.oracle.rawValue) "
                + finding.text
        )
        return 1
    }

    private func tryMutants() throws -> Int32 {
        let recorded = try options.recorded.map { try RecordedSeeds(path: $0) }
        return MutantTrials(options: options, recorded: recorded ?? RecordedSeeds()).run()
    }
}

Simulate.main()
