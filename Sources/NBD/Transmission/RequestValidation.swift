/// What a connection was promised, as far as its requests are judged by it.
package struct ConnectionTerms: Sendable, BitwiseCopyable {
    /// Size of the export.
    package var byteCount: UInt64
    package var flags: TransmissionFlags
    package var contexts: MetaContextSet
    package var usesStructuredReplies: Bool

    package init(
        byteCount: UInt64,
        flags: TransmissionFlags,
        contexts: MetaContextSet,
        usesStructuredReplies: Bool
    ) {
        self.byteCount = byteCount
        self.flags = flags
        self.contexts = contexts
        self.usesStructuredReplies = usesStructuredReplies
    }

    package init(_ negotiation: Negotiation) {
        self.init(
            byteCount: negotiation.export.byteCount,
            flags: negotiation.flags,
            contexts: negotiation.contexts,
            usesStructuredReplies: negotiation.usesStructuredReplies
        )
    }
}

/// Why a request is not served.
package enum RequestRefusal: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case unknownCommand
    case unknownFlag
    /// Known, but not for this command, or not on this connection.
    case flagNotOffered
    case exportIsReadOnly
    case readTooLong
    case writeTooLong
    case writeBeyondEnd
    case beyondEnd
    case noContextSelected
    case emptyStatusRange
    case serverIsStopping

    package var error: ReplyError {
        switch self {
        case .exportIsReadOnly: .notPermitted
        case .writeBeyondEnd: .noSpace
        case .serverIsStopping: .shuttingDown
        case .unknownCommand, .unknownFlag, .flagNotOffered, .readTooLong, .writeTooLong,
            .beyondEnd, .noContextSelected, .emptyStatusRange:
            .invalid
        }
    }

    package var text: StaticString {
        switch self {
        case .unknownCommand: "the command is not known here"
        case .unknownFlag: "a command flag is not known here"
        case .flagNotOffered: "a command flag does not go with this command or was not offered"
        case .exportIsReadOnly: "the export is read-only"
        case .readTooLong: "a READ is limited to 32 MiB"
        case .writeTooLong: "a WRITE is limited to 32 MiB"
        case .writeBeyondEnd: "the range goes beyond the end of the export: no space there"
        case .beyondEnd: "the range goes beyond the end of the export"
        case .noContextSelected: "no meta context was selected in the handshake"
        case .emptyStatusRange: "the status of no bytes cannot be told"
        case .serverIsStopping: "the server is shutting down"
        }
    }
}

/// What becomes of a request.
package enum RequestVerdict: Equatable, Sendable, BitwiseCopyable {
    case serve(Command)
    /// Valid, and about no bytes: done at once, without effect.
    case serveEmpty(Command)
    /// Drain the payload, answer the error, go on.
    case refuse(RequestRefusal)
    /// DISC: finish what came before, then close.
    case disconnect
    /// A WRITE so long that draining it would be abuse.
    case close
}

extension RequestHeader {
    /// Judges a request before anything acts on it.  Whatever is accepted lies inside the export,
    /// is not longer than allowed, and has no flag that was not offered.
    package func validate(against terms: ConnectionTerms) -> RequestVerdict {
        guard let command = Command(rawValue: command) else { return .refuse(.unknownCommand) }
        if command == .disconnect { return .disconnect }
        if command == .write && byteCount > WireLimit.drainedByteCountMax { return .close }
        if let refusal = refusal(ofFlagsFor: command, terms) { return .refuse(refusal) }
        if command == .flush { return .serve(.flush) }
        if command == .write || command == .trim || command == .writeZeroes {
            guard !terms.flags.contains(.readOnly) else { return .refuse(.exportIsReadOnly) }
        }
        if command == .blockStatus {
            guard !terms.contexts.isEmpty else { return .refuse(.noContextSelected) }
            guard byteCount > 0 else { return .refuse(.emptyStatusRange) }
        }
        if byteCount > WireLimit.payloadByteCountMax {
            if command == .read { return .refuse(.readTooLong) }
            if command == .write { return .refuse(.writeTooLong) }
        }
        guard offset <= terms.byteCount, byteCount <= terms.byteCount - offset else {
            let isWriting = command == .write || command == .writeZeroes
            return .refuse(isWriting ? .writeBeyondEnd : .beyondEnd)
        }
        return byteCount == 0 ? .serveEmpty(command) : .serve(command)
    }

    /// FUA goes with every command; each other flag with one.
    private func refusal(
        ofFlagsFor command: Command,
        _ terms: ConnectionTerms
    ) -> RequestRefusal? {
        var allowed: CommandFlags = .forceUnitAccess
        switch command {
        case .read: if terms.flags.contains(.dontFragment) { allowed.insert(.dontFragment) }
        case .blockStatus: allowed.insert(.onlyOne)
        case .writeZeroes:
            allowed.insert(.noHole)
            if terms.flags.contains(.fastZero) { allowed.insert(.fastZero) }
        case .write, .disconnect, .flush, .trim, .cache: break
        }
        if flags.isSubset(of: allowed) { return nil }
        let known: CommandFlags = [.forceUnitAccess, .noHole, .dontFragment, .onlyOne, .fastZero]
        return flags.isSubset(of: known) ? .flagNotOffered : .unknownFlag
    }
}
