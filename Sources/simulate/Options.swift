internal import Simulation

/// What the command line asks for.
struct Options: Sendable {
    enum Action: Sendable {
        /// Runs many seeds in worker processes.
        case seeds
        /// Runs one seed here and prints what it does.
        case oneSeed(UInt64)
        /// Runs seeds here, for the process that started this one.
        case worker
        /// Runs each mutant until a seed finds it.
        case mutants
    }

    var action = Action.seeds
    private var wantedSeedCount: UInt64?
    var firstSeed: UInt64 = 1
    var stepsMax = 1500
    var jobCount = 2
    var mutant: String?
    /// Seeds after which a mutant counts as not found.
    var budget: UInt64 = 5000
    var isVerbose = false
    var isJSON = false
    /// Seeds that found mutants before; nil for none.
    var recordedPath: String?
    /// Where the seeds that found mutants are written; nil for nowhere.
    var recordPath: String?
    /// A fault that never fired at a site where it can is a failure.
    var needsMatrix = false
    /// Seeds are numbers of workloads of up to so many operations; nil for random simulation.
    var enumeratedSteps: Int?
    /// Power cuts in a row that an enumerated workload meets.
    var depth = 1
    /// One seed of so many pretends to fail; zero for none.
    var canaryOneIn = 0

    /// Seeds to run: as many as were asked for, or all workloads, or a thousand.
    var seedCount: UInt64 {
        guard let steps = enumeratedSteps else { return wantedSeedCount ?? 1000 }
        let all = EnumeratedWorkload.count(stepCount: steps)
        let rest = all - min(firstSeed, all)
        return min(wantedSeedCount ?? rest, rest)
    }

    /// What runs a seed, or a workload.
    func makeRunner() -> (UInt64, ((String) -> Void)?) -> SeedResult {
        guard enumeratedSteps == nil else {
            let runner = EnumerationRunner(depth: depth)
            return { runner.run(number: $0, printLine: $1) }
        }
        let runner = SeedRunner(stepsMax: stepsMax, canaryOneIn: canaryOneIn)
        return { runner.run(seed: $0, printLine: $1) }
    }

    static let usage = """
        Runs the engine on simulated devices in virtual time, with crashes, against a model.

          simulate --seeds N [--from S] [--steps M] [--jobs J] [--json] [--matrix] [--canary N]
          simulate --seed S [--steps M] [--verbose] [--mutant NAME]
          simulate --enumerate K [--depth D] [--from S] [--seeds N] [--jobs J] [--json]
          simulate --enumerate K --seed S [--depth D] [--verbose]
          simulate --mutants [--mutant NAME] [--recorded FILE] [--record FILE] [--budget N]
                   [--from S] [--steps M] [--jobs J]

          --seeds N       how many seeds to run (1000)
          --from S        the first seed (1); --seed-base is the same
          --seed S        runs one seed in this process
          --steps M       events of a seed's first phase (1500)
          --jobs J        processes at once (2)
          --enumerate K   all workloads of up to K operations, cut at every event; a workload's
                          number takes the place of the seed
          --depth D       1, or 2 to cut the power again behind each recovery (1)
          --verbose       prints every event
          --json          prints the result as one line of JSON
          --matrix        a class of fault that never fired at a site where it can is a failure
          --mutant NAME   turns on a known bug; needs a build with -D MUTANTS
          --mutants       runs every known bug until a seed finds it
          --recorded FILE seeds that found bugs before are tried first
          --record FILE   writes the seeds that found the bugs
          --budget N      seeds after which a bug counts as not found (5000)
          --canary N      one seed of N pretends to fail: shows that failures are reported

        Ends with 0 when nothing was found, 1 when something was, 2 when the command is wrong.
        """

    /// Nil when the arguments are not understood; the reason goes to `explain`.
    init?(_ arguments: [String], explain: (String) -> Void) {
        var rest = arguments[...]
        if arguments.contains("--enumerate") { firstSeed = 0 }
        while let argument = rest.popFirst() {
            switch argument {
            case "--verbose": isVerbose = true
            case "--json": isJSON = true
            case "--matrix": needsMatrix = true
            case "--worker": action = .worker
            case "--mutants": action = .mutants
            case "--mutant", "--recorded", "--record":
                guard let text = rest.popFirst() else {
                    explain("\(argument) needs a name")
                    return nil
                }
                setText(argument, text)
            default:
                guard let text = rest.popFirst(), let number = UInt64(text), number < 1 << 53 else {
                    explain("\(argument) is unknown, or needs a number")
                    return nil
                }
                guard setNumber(argument, number) else {
                    explain("unknown option \(argument)")
                    return nil
                }
            }
        }
    }

    private mutating func setText(_ name: String, _ text: String) {
        switch name {
        case "--mutant": mutant = text
        case "--recorded": recordedPath = text
        default: recordPath = text
        }
    }

    private mutating func setNumber(_ name: String, _ number: UInt64) -> Bool {
        switch name {
        case "--seeds": wantedSeedCount = number
        case "--from", "--seed-base": firstSeed = number
        case "--seed": action = .oneSeed(number)
        case "--steps": stepsMax = Int(min(number, 10_000_000))
        case "--jobs": jobCount = Int(min(max(number, 1), 64))
        case "--budget": budget = number
        case "--enumerate": enumeratedSteps = Int(min(max(number, 1), 5))
        case "--depth": depth = Int(min(max(number, 1), 2))
        case "--canary": canaryOneIn = Int(min(number, 1_000_000))
        default: return false
        }
        return true
    }
}
