internal import Foundation
internal import Simulation

func complain(_ text: String) {
    FileHandle.standardError.write(Data("simulate: \(text)\n".utf8))
}

func runSeeds(_ options: Options) -> Int32 {
    let start = DispatchTime.now().uptimeNanoseconds
    let supervisor = Supervisor(
        options: options,
        seedCount: options.seedCount,
        stopsAtFailure: false
    )
    let totals = supervisor.run()
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    let report = Report(options: options, totals: totals, seconds: seconds)
    if options.isJSON { report.printJSON() } else { report.printText() }
    let isFilled = !options.needsMatrix || report.emptyCells.isEmpty
    return totals.failures.isEmpty && isFilled ? 0 : 1
}

func runOne(_ seed: UInt64, _ options: Options) -> Int32 {
    let printLine: ((String) -> Void)? = options.isVerbose ? { print($0) } : nil
    let result = options.makeRunner()(seed, printLine)
    guard let finding = result.finding else {
        print("seed \(seed): \(result.steps) steps, \(result.crashCount) crashes, nothing found")
        return 0
    }
    print("FAILED seed \(seed) at step \(finding.step): \(finding.oracle.rawValue) \(finding.text)")
    return 1
}

func tryMutants(_ options: Options) -> Int32 {
    do {
        let recorded = try options.recordedPath.map { try RecordedSeeds(path: $0) }
        return MutantTrials(options: options, recorded: recorded ?? RecordedSeeds()).run()
    } catch {
        complain("\(error)")
        return 2
    }
}

if CommandLine.arguments.contains("--help") {
    print(Options.usage)
    exit(0)
}
guard let options = Options(Array(CommandLine.arguments.dropFirst()), explain: complain) else {
    complain("see --help")
    exit(2)
}
if let mutant = options.mutant, !MutantSwitch.turnOn(mutant) {
    complain("this build has no mutant \(mutant)")
    exit(2)
}
switch options.action {
case .seeds: exit(runSeeds(options))
case .oneSeed(let seed): exit(runOne(seed, options))
case .worker: Worker(options: options).run()
case .mutants: exit(tryMutants(options))
}
