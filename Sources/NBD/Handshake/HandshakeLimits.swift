/// What a client may ask for and take before it has chosen an export.
///
/// A name and a query of 4,096 bytes each must fit into one option, and one who asks about each of
/// thousands of exports needs thousands of options: so bytes and time are bounded, not options.
package struct HandshakeLimits: Sendable, Equatable {
    /// A longer option is skipped and refused.
    package var optionByteCountMax: UInt32 = 64 << 10
    /// All options of a handshake with their headers.
    package var totalByteCountMax: UInt64 = 1 << 20
    /// Unsent replies above which no further option is looked at.
    package var outputByteCountMax: Int = 64 << 10
    /// Without a finished option for so long, the connection is closed.
    package var optionNanosecondsMax: UInt64 = 10_000_000_000
    /// A handshake that takes longer is closed.
    package var totalNanosecondsMax: UInt64 = 60_000_000_000

    package static var standard: HandshakeLimits { HandshakeLimits() }
}

/// Why a handshake ended without an export.
package enum HandshakeEnd: UInt8, Sendable {
    /// The client said ABORT.
    case aborted
    case unknownClientFlags
    case wrongMagic
    /// EXPORT_NAME cannot be answered with an error.
    case exportNameRefused
    /// An option other than EXPORT_NAME from one who did not ask for fixed newstyle.
    case notFixedNewstyle
    case tooManyBytes
    case shuttingDown
    /// No option finished in time, or the handshake as a whole took too long.
    case deadlinePassed
}

/// What both sides know when the transmission phase begins.
package struct Negotiation: Sendable, Equatable {
    package var export: ExportDescription
    package var flags: TransmissionFlags
    package var usesStructuredReplies: Bool
    /// The contexts that BLOCK_STATUS reports.
    package var contexts: MetaContextSet
    /// What the client sent behind its last option: the first requests.
    package var leftover: [UInt8]
}

/// Where a handshake stands after some bytes.
package enum HandshakeOutcome: Sendable, Equatable {
    /// Send the output, if any, and go on.
    case ongoing
    /// Send the output, if any, and close.
    case closed(HandshakeEnd)
    /// Send the output and begin to serve.
    case transmission(Negotiation)
}
