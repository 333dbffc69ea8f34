internal import Foundation
internal import Simulation

/// Prints what a run came to.
struct Report {
    let options: Options
    let totals: Totals
    let seconds: Double

    private var noun: String { options.enumerate == nil ? "seeds" : "workloads" }

    private var seedsPerSecond: Double { Double(totals.seedCount) / max(seconds, 0.001) }

    func printText() {
        let perJob = seedsPerSecond / Double(options.jobs)
        print(
            "\(totals.seedCount) \(noun) from \(options.firstSeed) in \(rounded(seconds)) s: "
                + "\(rounded(seedsPerSecond)) a second, \(rounded(perJob)) a second and process"
        )
        print(
            "\(totals.stepCount) steps, \(totals.crashCount) crashes, "
                + "\(rounded(totals.virtualSeconds)) s of virtual time"
        )
        let modes = totals.recoveries.keys.sorted().map { "\($0) \(totals.recoveries[$0] ?? 0)" }
        print("recoveries: \(modes.joined(separator: ", "))")
        for probe in Probe.allCases {
            let count = totals.probes[probe.rawValue]
            print("  \(count == 0 ? "NEVER " : "")\(probe): \(count)")
        }
        print("faults that have fired, by what the engine was doing:")
        for line in matrixLines { print("  \(line)") }
        for failure in totals.failures.sorted(by: { $0.seed < $1.seed }).prefix(50) {
            print("FAILED seed \(failure.seed): \(failure.text)")
            print("  \(reproduction(failure.seed))")
        }
        if options.matrix && !totals.emptyCells.isEmpty {
            print("EMPTY cells: \(totals.emptyCells.joined(separator: ", "))")
        }
        print(totals.failures.isEmpty ? "no failure" : "\(totals.failures.count) failures")
    }

    /// One line for each class of fault.
    private var matrixLines: [String] {
        FaultClass.allCases.map { fault in
            let cells = FaultMatrix.pairs.filter { $0.fault == fault }.map { pair in
                let count = totals.matrix[FaultMatrix.index(fault, pair.site)]
                return "\(pair.site) \(count == 0 ? "NEVER" : String(count))"
            }
            return "\(fault): \(cells.joined(separator: ", "))"
        }
    }

    func printJSON() {
        var fields: [String: Any] = [
            "seeds": totals.seedCount, "from": options.firstSeed, "steps": totals.stepCount,
            "crashes": totals.crashCount, "seconds": seconds, "seedsPerSecond": seedsPerSecond,
            "jobs": options.jobs, "recoveries": totals.recoveries,
            "virtualSeconds": totals.virtualSeconds,
        ]
        var probes: [String: UInt64] = [:]
        for probe in Probe.allCases { probes["\(probe)"] = totals.probes[probe.rawValue] }
        fields["probes"] = probes
        var matrix: [String: [String: UInt64]] = [:]
        for (fault, site) in FaultMatrix.pairs {
            matrix["\(fault)", default: [:]]["\(site)"] =
                totals.matrix[FaultMatrix.index(fault, site)]
        }
        fields["matrix"] = matrix
        fields["failures"] = totals.failures.sorted { $0.seed < $1.seed }.map { failure in
            [
                "seed": String(failure.seed), "finding": failure.text,
                "command": reproduction(failure.seed),
            ]
        }
        do {
            let data = try JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys])
            print(String(decoding: data, as: UTF8.self))
        } catch {
            print("{\"error\": \"the result has no JSON form\"}")
        }
    }

    /// The command that runs one seed again.
    func reproduction(_ seed: UInt64) -> String {
        var command = "tools/simulate --seed \(seed) --verbose"
        if let steps = options.enumerate {
            command += " --enumerate \(steps) --depth \(options.depth)"
        } else {
            command += " --steps \(options.steps)"
        }
        if !options.without.isEmpty { command += " --without \(options.without)" }
        if options.variant > 0 { command += " --variant \(options.variant)" }
        if let mutant = options.mutant { command += " --mutant \(mutant)" }
        if options.canary > 0 { command += " --canary \(options.canary)" }
        return command
    }

    private func rounded(_ number: Double) -> String { String(format: "%.1f", number) }
}
