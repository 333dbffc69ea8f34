internal import Simulation

/// Makes a seed that fails simpler, as long as it fails by the same rule.
///
/// What a seed does hangs together: without a trim all that follows comes at other moments, and
/// the failure may be gone with the moment.  So each simplification gets a few tries, with other
/// chances and the same parameters.
struct Shrinking {
    /// Tries of each simplification.
    private static var variantCount: UInt64 { 12 }

    private let seed: UInt64
    private var best: Options
    private var failure = Totals.Failure(seed: 0, text: "")
    private var trialCount = 0

    init(options: Options, seed: UInt64) {
        self.seed = seed
        best = options
        best.firstSeed = seed
        best.jobs = 1
        best.shrink = false
        best.verbose = false
    }

    /// 1 when the seed fails, shrunk as far as it goes; 0 when it does not.
    mutating func run() -> Int32 {
        guard let first = failure(of: best) else {
            print("seed \(seed): nothing found")
            return 0
        }
        failure = first
        cut()
        repeat {} while takeAway()
        print("after \(trialCount) trials: \(failure.text)")
        print("  \(Report(options: best, totals: Totals(), seconds: 0).reproduction(seed))")
        return 1
    }

    /// Takes away each thing that the failure does not need; false when nothing was taken.
    private mutating func takeAway() -> Bool {
        var hasTaken = false
        for one in Simplification.all where best.makeSeedRunner().hasEffect(one, on: seed) {
            var simpler = best
            simpler.without += (simpler.without.isEmpty ? "" : ",") + one.name
            guard keepsFailing(&simpler) else { continue }
            print("without \(one.name): \(failure.text.prefix(100))")
            hasTaken = true
            cut()
        }
        return hasTaken
    }

    /// Lets the load end early: when it failed, or before that.
    private mutating func cut() {
        if let step = failure.step, step < best.steps {
            var shorter = best
            shorter.steps = max(step, 1)
            if let same = failure(of: shorter), rule(of: same) == rule(of: failure) {
                (best, failure) = (shorter, same)
            }
        }
        while best.steps > 16 {
            var shorter = best
            shorter.steps /= 2
            guard keepsFailing(&shorter) else { return }
        }
    }

    /// Whether a simpler run fails by the same rule, with one chance or another; it is the best one
    /// then.
    private mutating func keepsFailing(_ simpler: inout Options) -> Bool {
        let variants = [best.variant] + (0..<Self.variantCount).filter { $0 != best.variant }
        for variant in variants {
            simpler.variant = variant
            guard let same = failure(of: simpler), rule(of: same) == rule(of: failure) else {
                continue
            }
            (best, failure) = (simpler, same)
            return true
        }
        return false
    }

    private mutating func failure(of options: Options) -> Totals.Failure? {
        trialCount += 1
        return Supervisor(options: options, seedCount: 1, stopsAtFailure: true).run().failures.first
    }

    /// By what a run has failed: the oracle, or the end of the process.
    private func rule(of failure: Totals.Failure) -> String {
        let words = failure.text.split(separator: " ").map(String.init)
        // With the first words of its complaint, which often name a place in the source.
        return failure.step == nil ? words.prefix(7).joined(separator: " ") : words[1]
    }
}

extension Totals.Failure {
    /// The step at which an oracle found it; nil when the process ended.
    var step: Int? { text.split(separator: " ").first.flatMap { Int($0) } }
}
