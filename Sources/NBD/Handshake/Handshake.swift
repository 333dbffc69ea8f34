package import Units

/// The server's side of the fixed newstyle handshake: bytes in, bytes out.
///
///     greeting --flags--> options --GO, EXPORT_NAME--> transmission
///                           |  ^
///                           +--+  any other option, refused or not
///
/// One rule holds for every option: exactly as many bytes as its length says belong to it; they are
/// parsed inside that stretch, what is missing or left over is refused, and the next option begins
/// where the length said.  A refusal leaves the client connected.  Nothing is opened or reserved
/// before GO.
///
/// It reads no socket and no clock.  The caller gives it what arrived and the time, sends what
/// `takeOutput` hands out, closes when `deadline` has passed, and calls `resume` when the output is
/// sent while `isHeldBack`.  It holds at most one option and what arrived behind it.
package struct Handshake: Sendable {
    enum State: Equatable {
        case clientFlags
        case optionHeader
        case optionData(code: UInt32, byteCount: Int)
        /// The data of a refused option are still to come.
        case skipping(code: UInt32, byteCount: Int, refusal: OptionRefusal)
        /// The answer to LIST goes out in parts; the next export to tell.
        case listing(next: Int)
        case ended(HandshakeEnd)
        case finished
    }

    let limits: HandshakeLimits
    var state = State.clientFlags
    /// Bytes that arrived, and how many of them are used up.
    private var input: [UInt8] = []
    private var position = 0
    var output: [UInt8] = []
    private var byteCountOfOptions: UInt64 = 0
    private let startedAt: Instant
    private var lastOptionAt: Instant

    var usesStructuredReplies = false
    var paddingIsOmitted = false
    private var isFixedNewstyle = false
    /// What SET_META_CONTEXT chose, and for which export.
    var contexts: MetaContextSet = []
    var contextExportName: String?
    /// The exports that LIST is telling.
    var listed: [ExportDescription] = []

    /// Begins a handshake at `now`; its output is the greeting.
    package init(at now: Instant, limits: HandshakeLimits = .standard) {
        self.limits = limits
        startedAt = now
        lastOptionAt = now
        output.appendBig(Magic.greeting)
        output.appendBig(Magic.option)
        output.appendBig(UInt16(truncatingIfNeeded: HandshakeFlags.offered.rawValue))
    }

    /// The moment at which the connection is to be closed if nothing happens before.
    package var deadline: Instant {
        min(
            startedAt.advanced(byNanoseconds: limits.totalNanosecondsMax),
            lastOptionAt.advanced(byNanoseconds: limits.optionNanosecondsMax)
        )
    }

    /// Replies wait to be sent and nothing further is looked at; do not receive, `resume` later.
    package var isHeldBack: Bool { output.count >= limits.outputByteCountMax }

    package var hasOutput: Bool { !output.isEmpty }

    /// The bytes to send next, at most `byteCountMax`; they are the caller's from here on.
    package mutating func takeOutput(byteCountMax: Int = .max) -> [UInt8] {
        if output.count > byteCountMax {
            defer { output.removeFirst(byteCountMax) }
            return Array(output.prefix(byteCountMax))
        }
        defer { output = [] }
        return output
    }

    /// Takes bytes that arrived, in any portions.
    package mutating func receive(
        _ bytes: RawSpan,
        at now: Instant,
        from directory: borrowing some ExportDirectory
    ) -> HandshakeOutcome {
        input.reserveCapacity(input.count + bytes.byteCount)
        for offset in bytes.byteOffsets {
            input.append(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
        return resume(at: now, from: directory)
    }

    /// Goes on with what has arrived.
    package mutating func resume(
        at now: Instant,
        from directory: borrowing some ExportDirectory
    ) -> HandshakeOutcome {
        while !isHeldBack {
            guard let outcome = step(at: now, from: directory) else { break }
            if case .ongoing = outcome { continue }
            return outcome
        }
        input.removeFirst(position)
        position = 0
        return .ongoing
    }

    /// One step; nil when more bytes must arrive first.
    private mutating func step(
        at now: Instant,
        from directory: borrowing some ExportDirectory
    ) -> HandshakeOutcome? {
        switch state {
        case .clientFlags: return readClientFlags(at: now)
        case .optionHeader: return readOptionHeader()
        case .optionData(let code, let byteCount):
            guard let data = take(byteCount) else { return nil }
            state = .optionHeader
            lastOptionAt = now
            return answer(code, data, from: directory)
        case .skipping(let code, let byteCount, let refusal):
            let skipped = min(byteCount, input.count - position)
            position += skipped
            state = .skipping(code: code, byteCount: byteCount - skipped, refusal: refusal)
            guard skipped == byteCount else { return nil }
            state = .optionHeader
            lastOptionAt = now
            refuse(code, refusal)
            return .ongoing
        case .listing(let next):
            lastOptionAt = now
            tell(listedFrom: next)
            return .ongoing
        case .ended(let end): return .closed(end)
        case .finished: return nil
        }
    }

    /// The client's flags: what it does not say is not assumed, what is unknown ends it.
    private mutating func readClientFlags(at now: Instant) -> HandshakeOutcome? {
        guard let bytes = take(4) else { return nil }
        var reader = OptionReader(bytes)
        let flags = HandshakeFlags(rawValue: reader.word32() ?? .max)
        guard flags.isSubset(of: .offered) else { return end(.unknownClientFlags) }
        isFixedNewstyle = flags.contains(.fixedNewstyle)
        paddingIsOmitted = flags.contains(.noZeroes)
        lastOptionAt = now
        state = .optionHeader
        return .ongoing
    }

    /// Magic, option, length: decides how its data will be taken, before any of it is stored.
    private mutating func readOptionHeader() -> HandshakeOutcome? {
        guard let bytes = take(WireSize.optionHeader) else { return nil }
        var header = OptionReader(bytes)
        guard header.word64() == Magic.option, let code = header.word32(),
            let byteCount = header.word32()
        else { return end(.wrongMagic) }
        guard isFixedNewstyle || code == OptionCode.exportName.rawValue else {
            return end(.notFixedNewstyle)
        }
        byteCountOfOptions += UInt64(WireSize.optionHeader) + UInt64(byteCount)
        if byteCountOfOptions > limits.totalByteCountMax {
            if code != OptionCode.exportName.rawValue { refuse(code, .tooManyBytes) }
            return end(.tooManyBytes)
        }
        if byteCount > limits.optionByteCountMax {
            forgetContexts(for: code)
            guard code != OptionCode.exportName.rawValue else { return end(.exportNameRefused) }
            let refusal = OptionRefusal.optionTooLong(byteCount: byteCount)
            state = .skipping(code: code, byteCount: Int(byteCount), refusal: refusal)
        } else if OptionCode(rawValue: code) == nil {
            let refusal = OptionRefusal.unknownOption(code)
            state = .skipping(code: code, byteCount: Int(byteCount), refusal: refusal)
        } else {
            state = .optionData(code: code, byteCount: Int(byteCount))
        }
        return .ongoing
    }

    /// The next `byteCount` bytes of the input; nil while they have not all arrived.
    private mutating func take(_ byteCount: Int) -> ArraySlice<UInt8>? {
        guard input.count - position >= byteCount else { return nil }
        defer { position += byteCount }
        return input[position..<(position + byteCount)]
    }

    mutating func end(_ reason: HandshakeEnd) -> HandshakeOutcome {
        state = .ended(reason)
        return .closed(reason)
    }

    /// Hands the connection over, with what arrived behind its last option.
    mutating func finish(with export: ExportDescription) -> HandshakeOutcome {
        state = .finished
        let flags = transmissionFlags(of: export)
        let negotiation = Negotiation(
            export: export,
            flags: flags,
            usesStructuredReplies: usesStructuredReplies,
            contexts: contextExportName == export.name ? contexts : [],
            leftover: Array(input[position...])
        )
        input = []
        position = 0
        return .transmission(negotiation)
    }

    func transmissionFlags(of export: ExportDescription) -> TransmissionFlags {
        .offered(
            isReadOnly: export.isReadOnly,
            usesStructuredReplies: usesStructuredReplies
        )
    }

    /// SET_META_CONTEXT replaces the earlier choice even if it fails.
    mutating func forgetContexts(for code: UInt32) {
        guard code == OptionCode.setMetaContext.rawValue else { return }
        contexts = []
        contextExportName = nil
    }
}
