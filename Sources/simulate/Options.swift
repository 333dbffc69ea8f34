internal import ArgumentParser
internal import Simulation

/// What the command line asks for.
struct Options: ParsableArguments {
    @Option(help: "How many seeds to run; all workloads when they are enumerated, else 1000.")
    var seeds: UInt64?

    @Option(
        name: [.customLong("from"), .customLong("seed-base")],
        help: "The first seed: 1, and 0 when workloads are enumerated."
    )
    var from: UInt64?

    @Option(help: "Runs this one seed, in this process.")
    var seed: UInt64?

    @Flag(
        help: """
            Takes away from the seed what it fails without, again and again, and prints the \
            command that runs what is left.
            """
    )
    var shrink = false

    @Option(
        help: """
            What a seed is to do without, separated by commas: \
            \(Simplification.all.map(\.name).joined(separator: ", ")).
            """
    )
    var without = ""

    @Option(help: "Other chances for the seed, with the same parameters; 0 for its own.")
    var variant: UInt64 = 0

    @Option(help: "Events of a seed's first phase.")
    var steps = 1500

    @Option(help: "Processes at once.")
    var jobs = 2

    @Option(
        help: """
            Runs all workloads of up to so many operations, each cut at every event; a workload's \
            number takes the place of the seed.
            """
    )
    var enumerate: Int?

    @Option(help: "2 to cut the power of an enumerated workload again behind each recovery.")
    var depth = 1

    @Flag(help: "Prints every event of one seed.")
    var verbose = false

    @Flag(help: "Prints the result as one line of JSON.")
    var json = false

    @Flag(
        help: """
            Goes on until every class of fault has fired at every site where it can; one that has \
            not behind as many seeds more as --budget says is a failure.
            """
    )
    var matrix = false

    @Option(help: "One seed of so many pretends to fail: shows that failures are reported.")
    var canary = 0

    @Option(help: "Turns on a known bug; needs a build with -D MUTANTS.")
    var mutant: String?

    @Flag(help: "Runs every known bug, or the one that --mutant names, until a seed finds it.")
    var mutants = false

    @Option(help: "A file of seeds that found bugs before; they are tried first.")
    var recorded: String?

    @Option(help: "Where the seeds that found the bugs are written.")
    var record: String?

    @Option(help: "Seeds after which a bug counts as not found, or a fault as never fired.")
    var budget: UInt64 = 5000

    @Flag(help: .hidden)
    var worker = false

    mutating func validate() throws {
        // A number that every tool which shows it keeps.
        for number in [seeds, from, seed].compactMap(\.self) where number >= 1 << 53 {
            throw ValidationError("\(number) is too large: seeds are below 2^53")
        }
        guard (1...10_000_000).contains(steps) else {
            throw ValidationError("--steps takes 1 to 10000000")
        }
        guard (1...64).contains(jobs) else { throw ValidationError("--jobs takes 1 to 64") }
        guard (1...5).contains(enumerate ?? 1) else {
            throw ValidationError("--enumerate takes 1 to 5")
        }
        guard (1...2).contains(depth) else { throw ValidationError("--depth takes 1 or 2") }
        for name in leftOutNames where Simplification.named(name) == nil {
            throw ValidationError("--without knows no \(name)")
        }
        guard enumerate == nil || without.isEmpty && variant == 0 else {
            throw ValidationError("--without and --variant take seeds, not workloads")
        }
        guard !shrink || seed != nil && enumerate == nil else {
            throw ValidationError("--shrink takes the seed that --seed names")
        }
        guard canary >= 0 else { throw ValidationError("--canary takes a number of seeds") }
    }

    var firstSeed: UInt64 {
        get { from ?? (enumerate == nil ? 1 : 0) }
        set { from = newValue }
    }

    /// Seeds to run: as many as were asked for, or all workloads, or a thousand.
    var seedCount: UInt64 {
        guard let enumerate else { return seeds ?? 1000 }
        let all = EnumeratedWorkload.count(stepCount: enumerate)
        let rest = all - min(firstSeed, all)
        return min(seeds ?? rest, rest)
    }

    var leftOutNames: [String] { without.split(separator: ",").map(String.init) }

    /// What runs the seeds, workloads excepted.
    func makeSeedRunner() -> SeedRunner {
        SeedRunner(
            stepsMax: steps,
            canaryOneIn: canary,
            without: leftOutNames.compactMap(Simplification.named),
            variant: variant
        )
    }

    /// What runs a seed, or a workload.
    func makeRunner() -> (UInt64, ((String) -> Void)?) -> SeedResult {
        guard enumerate == nil else {
            let runner = EnumerationRunner(depth: depth)
            return { runner.run(number: $0, printLine: $1) }
        }
        let runner = makeSeedRunner()
        return { runner.run(seed: $0, printLine: $1) }
    }
}
