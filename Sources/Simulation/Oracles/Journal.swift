/// What the simulator holds true of the engine.  Each name is that of an oracle in the documents.
package enum Oracle: String, Sendable, CaseIterable {
    /// What was flushed survives a crash.
    case flushedSurvives = "O1"
    /// A volume is a prefix of its write order, with requests applied whole.
    case prefix = "O2"
    /// What was read once stays so until it is written.
    case noFlipFlop = "O3"
    /// A FUA write survives without a flush.
    case durableWriteSurvives = "O4"
    /// Bytes belong to the volume and address that they are read from.
    case ownBytes = "O6"
    /// Right bytes or an error, while nothing crashed.
    case rightBytes = "O7"
    /// An error only where there is a reason.
    case errorHasReason = "O8"
    /// Space is conserved.
    case space = "O9"
    /// Recovery succeeds, on any image.
    case recovers = "O10"
    /// The catalogue can be made anew from the devices, as it was.
    case rebuilds = "O11"
    /// Everything comes to an end.
    case liveness = "O12"
    /// A scrub finds all damage and none that is not there, and goes on where it was.
    case scrub = "scrub"
    /// No data is given up before what replaces it is durable.
    case deviceOrder = "O13"
    /// A process that was killed lost nothing that it had acknowledged.
    case killKeeps = "P1"
    /// What is said about extents is true.
    case extents = "extents"
    /// The engine keeps the rules of the device interface.
    case operationRules = "operations"
    /// The engine keeps the rules of its own interface.
    case replyRules = "replies"
    /// The same seed does the same twice.
    case determinism = "determinism"
    /// The test of the simulator itself.
    case canary = "canary"
}

/// One thing that was found wrong.
package struct Finding: Sendable {
    package var oracle: Oracle
    package var text: String
    /// Events that had been delivered when it was found.
    package var step: Int
}

/// What one seed writes down: the first thing found wrong, which ends it; how often each probe was
/// met; a digest of all that was seen from outside; and on demand every event as text.
package final class Journal {
    package private(set) var first: Finding?
    package var probes = ProbeCounts()
    package private(set) var matrix = FaultMatrix()
    /// Events delivered so far; kept by the run.
    package var step = 0
    /// Of all device writes and replies, in order.  Only kept when `isDigesting`.
    package private(set) var digest: UInt64 = 0
    package let isDigesting: Bool
    /// Where lines go when a person watches.
    private let printLine: ((String) -> Void)?

    package init(isDigesting: Bool = false, printLine: ((String) -> Void)? = nil) {
        self.isDigesting = isDigesting
        self.printLine = printLine
    }

    package var isEmpty: Bool { first == nil }

    package func report(_ oracle: Oracle, _ text: @autoclosure () -> String) {
        guard first == nil else { return }
        let finding = Finding(oracle: oracle, text: text(), step: step)
        first = finding
        trace("FINDING \(oracle.rawValue): \(finding.text)")
    }

    package func met(_ probe: Probe) { probes.count(probe) }

    func fired(_ fault: FaultClass, _ site: FaultSite) {
        matrix.count(fault, site)
        trace("fault \(fault) at \(site)")
    }

    package func digest(_ first: UInt64, _ second: UInt64 = 0) {
        guard isDigesting else { return }
        digest = SimulationRandom.mix(digest &+ first &* 3) ^ second &* 0x9E37_79B9_7F4A_7C15
    }

    /// Whether `trace` goes anywhere.
    package var isVerbose: Bool { printLine != nil }

    package func trace(_ text: @autoclosure () -> String) {
        guard let printLine else { return }
        printLine("\(step) \(text())")
    }
}
