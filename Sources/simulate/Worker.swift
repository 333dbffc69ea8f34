internal import Glibc
internal import Simulation

// A worker runs seeds in a process of its own, since a bug of the engine may end the process.  It
// prints a line before each seed and one after it:
//
//     begin SEED
//     end SEED STEPS CRASHES NANOSECONDS PROBE,PROBE,... CELL,CELL,... MODE=COUNT,MODE=COUNT,...
//     fail SEED STEP ORACLE TEXT
struct Worker {
    let options: Options

    /// Wall-clock seconds after which a seed counts as hanging: the alarm ends the process.
    private var patienceSeconds: UInt32 { options.enumerate == nil ? 60 : 3600 }

    func run() {
        let run = options.makeRunner()
        for seed in options.firstSeed..<(options.firstSeed + options.seedCount) {
            say("begin \(seed)")
            alarm(patienceSeconds)
            let result = run(seed, nil)
            if let finding = result.finding {
                let text = finding.text.split(separator: "\n").joined(separator: " ")
                say("fail \(seed) \(finding.step) \(finding.oracle.rawValue) \(text)")
            }
            say(describe(result))
        }
        alarm(0)
    }

    private func describe(_ result: SeedResult) -> String {
        let probes = Probe.allCases.map { String(result.probes[$0]) }.joined(separator: ",")
        let cells = result.matrix.counts.map(String.init).joined(separator: ",")
        let modes = result.recoveries.keys.sorted().map { mode in
            "\(mode)=\(result.recoveries[mode] ?? 0)"
        }
        let last = modes.isEmpty ? "-" : modes.joined(separator: ",")
        return "end \(result.seed) \(result.steps) \(result.crashCount) "
            + "\(result.virtualNanoseconds) \(probes) \(cells) \(last)"
    }

    private func say(_ line: String) {
        print(line)
        // The reader must know which seed was running when this process ends.
        fflush(nil)
    }
}
