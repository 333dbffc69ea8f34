// The numbers of the wire: magics, codes, flags and sizes, as the NBD specification has them.
// Everything is big-endian.

/// The words that open each message.
enum Magic {
    /// "NBDMAGIC".
    static var greeting: UInt64 { 0x4E42_444D_4147_4943 }
    /// "IHAVEOPT".
    static var option: UInt64 { 0x4948_4156_454F_5054 }
    static var optionReply: UInt64 { 0x0003_E889_0455_65A9 }
    static var request: UInt32 { 0x2560_9513 }
    static var simpleReply: UInt32 { 0x6744_6698 }
    static var structuredReply: UInt32 { 0x668E_33EF }
}

/// Sizes that clients are told of or held to.
package enum WireLimit {
    /// Any byte offset and length is served; the lane reads, changes and writes parts of blocks.
    package static var minimumBlockByteCount: UInt32 { 1 }
    package static var preferredBlockByteCount: UInt32 { 4096 }
    /// The largest READ and WRITE.
    package static var payloadByteCountMax: UInt64 { 32 << 20 }
    /// A longer WRITE is drained and refused up to here; above, the connection is closed.
    package static var drainedByteCountMax: UInt64 { 64 << 20 }
    /// Export names, descriptions and meta context queries.
    package static var stringByteCountMax: Int { 4096 }
    /// Texts of errors.
    package static var textByteCountMax: Int { 256 }
    /// Queries in one meta context option.
    package static var metaContextQueryCountMax: UInt32 { 64 }
    /// Descriptors in one block status chunk.
    package static var descriptorCountMax: Int { 4096 }
    /// The longest run that one descriptor tells: 2^32 - 4096, the last multiple of a block.
    package static var descriptorByteCountMax: UInt64 { (1 << 32) - 4096 }
}

/// Byte counts of fixed messages.
package enum WireSize {
    package static var request: Int { 28 }
    package static var simpleReply: Int { 16 }
    package static var structuredReply: Int { 20 }
    /// A structured header and the offset that precedes the data.
    package static var dataChunkHeader: Int { 28 }
    /// A structured header, an offset and a length.
    package static var holeChunk: Int { 32 }
    /// Header, error, text length, the longest text, offset: 20 + 4 + 2 + 256 + 8.
    package static var errorChunkMax: Int { 290 }
    static var optionHeader: Int { 16 }
}

/// What the server says of itself in the greeting and the client in its answer: bit 0 fixed
/// newstyle, bit 1 no padding behind the answer to EXPORT_NAME.
struct HandshakeFlags: OptionSet {
    var rawValue: UInt32
    static var fixedNewstyle: Self { Self(rawValue: 1 << 0) }
    static var noZeroes: Self { Self(rawValue: 1 << 1) }
    static var offered: Self { [.fixedNewstyle, .noZeroes] }
}

/// The options of the handshake that have a meaning here.
package enum OptionCode: UInt32, Sendable, CaseIterable {
    case exportName = 1
    case abort = 2
    case list = 3
    case startTLS = 5
    case information = 6
    case go = 7
    case structuredReply = 8
    case listMetaContext = 9
    case setMetaContext = 10
    case extendedHeaders = 11

    /// As the specification writes it.
    var wireName: StaticString {
        switch self {
        case .exportName: "EXPORT_NAME"
        case .abort: "ABORT"
        case .list: "LIST"
        case .startTLS: "STARTTLS"
        case .information: "INFO"
        case .go: "GO"
        case .structuredReply: "STRUCTURED_REPLY"
        case .listMetaContext: "LIST_META_CONTEXT"
        case .setMetaContext: "SET_META_CONTEXT"
        case .extendedHeaders: "EXTENDED_HEADERS"
        }
    }
}

/// Types of replies to options that are no errors.
enum OptionReplyType {
    static var acknowledged: UInt32 { 1 }
    static var server: UInt32 { 2 }
    static var information: UInt32 { 3 }
    static var metaContext: UInt32 { 4 }
}

/// Types of replies that refuse an option: bit 31 and a number.
package enum OptionErrorType: UInt32, Sendable {
    case unsupported = 0x8000_0001
    case policy = 0x8000_0002
    case invalid = 0x8000_0003
    case unknownExport = 0x8000_0006
    case shuttingDown = 0x8000_0007
    case tooBig = 0x8000_0009
}

/// Kinds of information in an answer to INFO and GO.
enum InformationType {
    static var export: UInt16 { 0 }
    static var name: UInt16 { 1 }
    static var description: UInt16 { 2 }
    static var blockSize: UInt16 { 3 }
}

/// What an export can do, as told at the end of the handshake.
package struct TransmissionFlags: OptionSet, Sendable, BitwiseCopyable {
    package var rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }
    package static var hasFlags: Self { Self(rawValue: 1 << 0) }
    package static var readOnly: Self { Self(rawValue: 1 << 1) }
    package static var flush: Self { Self(rawValue: 1 << 2) }
    package static var forceUnitAccess: Self { Self(rawValue: 1 << 3) }
    package static var trim: Self { Self(rawValue: 1 << 5) }
    package static var writeZeroes: Self { Self(rawValue: 1 << 6) }
    package static var dontFragment: Self { Self(rawValue: 1 << 7) }
    package static var multipleConnections: Self { Self(rawValue: 1 << 8) }
    package static var cache: Self { Self(rawValue: 1 << 10) }
    package static var fastZero: Self { Self(rawValue: 1 << 11) }

    /// The flags of an export.
    package static func offered(isReadOnly: Bool, usesStructuredReplies: Bool) -> Self {
        var flags: Self = [.hasFlags, .flush, .forceUnitAccess, .multipleConnections, .cache]
        flags.formUnion(isReadOnly ? .readOnly : [.trim, .writeZeroes, .fastZero])
        if usesStructuredReplies { flags.insert(.dontFragment) }
        return flags
    }
}

/// The requests of the transmission phase.
package enum Command: UInt16, Sendable, BitwiseCopyable, CaseIterable {
    case read = 0
    case write = 1
    case disconnect = 2
    case flush = 3
    case trim = 4
    case cache = 5
    case writeZeroes = 6
    case blockStatus = 7
}

/// Flags of a request.
package struct CommandFlags: OptionSet, Sendable, BitwiseCopyable {
    package var rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }
    package static var forceUnitAccess: Self { Self(rawValue: 1 << 0) }
    package static var noHole: Self { Self(rawValue: 1 << 1) }
    package static var dontFragment: Self { Self(rawValue: 1 << 2) }
    package static var onlyOne: Self { Self(rawValue: 1 << 3) }
    package static var fastZero: Self { Self(rawValue: 1 << 4) }
}

/// The errors of the transmission phase.  No other number is ever sent.
package enum ReplyError: UInt32, Sendable, BitwiseCopyable {
    case none = 0
    case notPermitted = 1
    case inputOutput = 5
    case noMemory = 12
    case invalid = 22
    case noSpace = 28
    case overflow = 75
    case notSupported = 95
    case shuttingDown = 108
}

/// Types of structured reply chunks.
enum ChunkType {
    static var none: UInt16 { 0 }
    static var offsetData: UInt16 { 1 }
    static var offsetHole: UInt16 { 2 }
    static var blockStatus: UInt16 { 5 }
    static var error: UInt16 { 0x8001 }
    static var errorOffset: UInt16 { 0x8002 }
}
