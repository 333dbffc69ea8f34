internal import Foundation
internal import Simulation
internal import Synchronization

/// What all seeds of a run came to.
struct Totals: Sendable {
    struct Failure: Sendable {
        var seed: UInt64
        var text: String
    }
    var seedCount: UInt64 = 0
    var stepCount: UInt64 = 0
    var crashCount: UInt64 = 0
    /// Of all pools: idle ones live for days between scrubs, which soon is more than nanoseconds
    /// can be counted.
    var virtualSeconds = 0.0
    var probes = [UInt64](repeating: 0, count: Probe.allCases.count)
    var matrix = [UInt64](repeating: 0, count: FaultMatrix().counts.count)
    var recoveries: [String: UInt64] = [:]
    var failures: [Failure] = []

    mutating func add(_ other: Totals) {
        seedCount += other.seedCount
        stepCount += other.stepCount
        crashCount += other.crashCount
        virtualSeconds += other.virtualSeconds
        for index in probes.indices { probes[index] += other.probes[index] }
        for index in matrix.indices { matrix[index] += other.matrix[index] }
        recoveries.merge(other.recoveries, uniquingKeysWith: +)
        failures += other.failures
    }

    /// Pairs of a fault and a site that can occur and have not.
    var emptyCells: [String] {
        FaultMatrix.pairs.filter { matrix[FaultMatrix.index($0.fault, $0.site)] == 0 }
            .map { "\($0.fault) at \($0.site)" }
    }
}

/// Runs seeds in worker processes and adds up what they say.
///
/// A worker that dies takes only the seed it was at with it: that seed has failed, and another
/// worker goes on behind it.
final class Supervisor: Sendable {
    private struct State {
        var next: UInt64
        var totals = Totals()
        var isStopped = false
    }

    private let options: Options
    private let end: UInt64
    private let stopsAtFailure: Bool
    private let state: Mutex<State>

    /// Seeds after which a long run says how far it is.
    private static var progressSeedCount: UInt64 { 10_000 }

    /// Seeds that a worker gets at once; an enumerated workload is thousands of runs.
    private var chunk: UInt64 {
        if options.enumerate != nil { return 4 }
        return stopsAtFailure ? 20 : 200
    }

    init(options: Options, seedCount: UInt64, stopsAtFailure: Bool) {
        self.options = options
        self.stopsAtFailure = stopsAtFailure
        end = options.firstSeed + seedCount
        state = Mutex(State(next: options.firstSeed))
    }

    func run() -> Totals {
        let group = DispatchGroup()
        for _ in 0..<options.jobs {
            let thread = Thread { [self] in
                while let range = takeChunk() { runChunk(range) }
                group.leave()
            }
            group.enter()
            thread.start()
        }
        group.wait()
        return state.withLock { $0.totals }
    }

    private func takeChunk() -> Range<UInt64>? {
        state.withLock { state in
            guard state.next < end, !state.isStopped else { return nil }
            let range = state.next..<min(state.next + chunk, end)
            state.next = range.upperBound
            return range
        }
    }

    private func runChunk(_ range: Range<UInt64>) {
        var next = range.lowerBound
        while next < range.upperBound, !state.withLock({ $0.isStopped }) {
            let outcome = runWorker(next..<range.upperBound)
            if let died = outcome.diedAt {
                addFailure(died, outcome.lastWords)
                next = died + 1
            } else {
                next = range.upperBound
            }
        }
    }

    /// Runs one worker; tells at which seed it died, if it did.
    private func runWorker(_ range: Range<UInt64>) -> (diedAt: UInt64?, lastWords: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments(range)
        var environment = ProcessInfo.processInfo.environment
        // A backtrace of each death would cost seconds; the seed can be run again alone.
        environment["SWIFT_BACKTRACE"] = "enable=no"
        // Lanes are made and dropped at every crash: their memory is kept rather than given back.
        environment["MALLOC_MMAP_THRESHOLD_"] = "33554432"
        environment["MALLOC_TRIM_THRESHOLD_"] = "1073741824"
        process.environment = environment
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        do { try process.run() } catch {
            return (range.lowerBound, "the worker does not start: \(error)")
        }
        let running = follow(process, output)
        let words = String(
            decoding: errors.fileHandleForReading.readDataToEndOfFile(),
            as: UTF8.self
        )
        process.waitUntilExit()
        guard process.terminationStatus != 0, !state.withLock({ $0.isStopped }) else {
            return (nil, "")
        }
        let reason = "the process ended with \(process.terminationStatus)"
        let last = words.split(separator: "\n").first.map { ": \($0)" } ?? ""
        return (running ?? range.lowerBound, reason + last)
    }

    /// Reads what a worker says until it ends; gives the seed that it was at.
    private func follow(_ process: Process, _ output: Pipe) -> UInt64? {
        var running: UInt64?
        var buffer = Data()
        while true {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { return running }
            buffer.append(data)
            while let newline = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[buffer.startIndex..<newline], as: UTF8.self)
                buffer.removeSubrange(buffer.startIndex...newline)
                read(line, running: &running)
            }
            if state.withLock({ $0.isStopped }) { end(process) }
        }
    }

    /// Ends a worker that is not needed any more, and never the group of processes that number zero
    /// would name.
    private func end(_ process: Process) {
        guard process.isRunning, process.processIdentifier > 0 else { return }
        process.terminate()
    }

    private func arguments(_ range: Range<UInt64>) -> [String] {
        var arguments = [
            "--worker", "--from", String(range.lowerBound), "--seeds", String(range.count),
            "--steps", String(options.steps), "--canary", String(options.canary),
            "--without", options.without, "--variant", String(options.variant),
        ]
        if let steps = options.enumerate {
            arguments += ["--enumerate", String(steps), "--depth", String(options.depth)]
        }
        if let mutant = options.mutant { arguments += ["--mutant", mutant] }
        return arguments
    }

    // MARK: What workers say

    private func read(_ line: String, running: inout UInt64?) {
        let words = line.split(separator: " ", maxSplits: 7).map(String.init)
        guard words.count > 1, let seed = UInt64(words[1]) else { return }
        switch words[0] {
        case "begin": running = seed
        case "fail": addFailure(seed, words.dropFirst(2).joined(separator: " "))
        case "end":
            running = nil
            if words.count == 8 { add(words) }
        default: break
        }
    }

    private func add(_ words: [String]) {
        state.withLock { state in
            state.totals.seedCount += 1
            if state.totals.seedCount % Self.progressSeedCount == 0 {
                complain("\(state.totals.seedCount) seeds")
            }
            state.totals.stepCount += UInt64(words[2]) ?? 0
            state.totals.crashCount += UInt64(words[3]) ?? 0
            state.totals.virtualSeconds += (Double(words[4]) ?? 0) / 1e9
            for (index, count) in words[5].split(separator: ",").enumerated()
            where index < state.totals.probes.count {
                state.totals.probes[index] += UInt64(count) ?? 0
            }
            for (index, count) in words[6].split(separator: ",").enumerated()
            where index < state.totals.matrix.count {
                state.totals.matrix[index] += UInt64(count) ?? 0
            }
            for part in words[7].split(separator: ",") {
                let pair = part.split(separator: "=")
                guard pair.count == 2 else { continue }
                state.totals.recoveries[String(pair[0]), default: 0] += UInt64(pair[1]) ?? 0
            }
        }
    }

    private func addFailure(_ seed: UInt64, _ text: String) {
        state.withLock { state in
            guard !state.isStopped else { return }
            state.totals.failures.append(Totals.Failure(seed: seed, text: text))
            if stopsAtFailure {
                state.isStopped = true
            } else {
                // A long run tells at once what it finds; the report comes at its end.
                complain("seed \(seed) failed: \(text)")
            }
        }
    }
}
