import NBD
import Units

/// Big-endian bytes as a client writes them.  Written apart from the server's own encoders, so that
/// a mistake there is not repeated here.
struct ClientBytes {
    var bytes: [UInt8] = []

    static func + (left: Self, right: Self) -> Self { Self(bytes: left.bytes + right.bytes) }

    static func word8(_ value: UInt8) -> Self { Self(bytes: [value]) }
    static func word16(_ value: UInt16) -> Self {
        Self(bytes: [UInt8(value / 256), UInt8(value % 256)])
    }
    static func word32(_ value: UInt32) -> Self {
        word16(UInt16(value / 65536)) + word16(UInt16(value % 65536))
    }
    static func word64(_ value: UInt64) -> Self {
        word32(UInt32(value / 0x1_0000_0000)) + word32(UInt32(value % 0x1_0000_0000))
    }
    static func text(_ text: String) -> Self { Self(bytes: Array(text.utf8)) }
    static func zeros(_ count: Int) -> Self { Self(bytes: Array(repeating: 0, count: count)) }
    static func letters(_ count: Int) -> Self {
        Self(bytes: Array(repeating: UInt8(ascii: "n"), count: count))
    }

    /// The client's flags; 3 asks for fixed newstyle without zeroes.
    static func flags(_ value: UInt32 = 3) -> Self { word32(value) }

    static func option(_ code: UInt32, _ data: Self = Self(), length: UInt32? = nil) -> Self {
        text("IHAVEOPT") + word32(code) + word32(length ?? UInt32(data.bytes.count)) + data
    }

    /// A length and a string; `length` claims another.
    static func string(_ content: Self, length: UInt32? = nil) -> Self {
        word32(length ?? UInt32(content.bytes.count)) + content
    }
    static func string(_ content: String, length: UInt32? = nil) -> Self {
        string(text(content), length: length)
    }

    /// The data of INFO and GO.
    static func query(_ name: Self, kinds: [UInt16] = [], count: UInt16? = nil) -> Self {
        kinds.reduce(string(name) + word16(count ?? UInt16(kinds.count))) { $0 + word16($1) }
    }
    static func go(_ name: String, kinds: [UInt16] = []) -> Self {
        option(7, query(text(name), kinds: kinds))
    }

    /// The data of LIST_META_CONTEXT and SET_META_CONTEXT.
    static func contexts(_ name: String, _ queries: [String], count: UInt32? = nil) -> Self {
        queries.reduce(string(name) + word32(count ?? UInt32(queries.count))) { $0 + string($1) }
    }

    static func request(
        _ command: UInt16,
        flags: UInt16 = 0,
        cookie: UInt64 = 1,
        offset: UInt64 = 0,
        length: UInt32 = 0
    ) -> Self {
        word32(0x2560_9513) + word16(flags) + word16(command) + word64(cookie) + word64(offset)
            + word32(length)
    }
}

/// One reply to an option, taken apart.
struct OptionReply: Equatable {
    var option: UInt32
    var type: UInt32
    var data: [UInt8]

    /// The replies in `bytes`; nil when something else stands there.
    static func all(in bytes: [UInt8]) -> [OptionReply]? {
        var replies: [OptionReply] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard rest.count >= 20,
                Array(rest.prefix(8)) == [0, 3, 0xE8, 0x89, 0x04, 0x55, 0x65, 0xA9]
            else { return nil }
            let fields = rest.dropFirst(8).prefix(12).map { UInt32($0) }
            func word(_ index: Int) -> UInt32 {
                fields[(index * 4)..<(index * 4 + 4)].reduce(0) { $0 * 256 + $1 }
            }
            rest = rest.dropFirst(20)
            guard rest.count >= Int(word(2)) else { return nil }
            let data = Array(rest.prefix(Int(word(2))))
            replies.append(OptionReply(option: word(0), type: word(1), data: data))
            rest = rest.dropFirst(data.count)
        }
        return replies
    }

    /// "7:3" for an information to GO, "7:ERR_INVALID" and the like for errors.
    var summary: String {
        let names: [UInt32: String] = [
            1: "ACK", 2: "SERVER", 3: "INFO", 4: "CONTEXT", 0x8000_0001: "UNSUP",
            0x8000_0002: "POLICY", 0x8000_0003: "INVALID", 0x8000_0006: "UNKNOWN",
            0x8000_0007: "SHUTDOWN", 0x8000_0009: "TOO_BIG",
        ]
        return "\(option):\(names[type] ?? String(type))"
    }
}

/// Three exports; one is read-only, one has the longest name that is allowed.
struct SampleDirectory: ExportDirectory {
    var isStopping = false
    var defaultName: String?

    static let database = ExportDescription(
        name: "tank/db01",
        description: "the database",
        lane: LaneIndex(1),
        volumeSlot: 4,
        byteCount: 5 << 30,
        isReadOnly: false
    )
    static let archive = ExportDescription(
        name: "tank/archive",
        description: "",
        lane: LaneIndex(0),
        volumeSlot: 0,
        byteCount: 1 << 20,
        isReadOnly: true
    )
    static let longest = ExportDescription(
        name: String(repeating: "n", count: 4096),
        description: "",
        lane: LaneIndex(0),
        volumeSlot: 9,
        byteCount: 4097,
        isReadOnly: false
    )

    func allExports() -> [ExportDescription] { [Self.database, Self.archive, Self.longest] }
    func export(named name: String) -> ExportDescription? {
        allExports().first { $0.name == (name.isEmpty ? defaultName : name) }
    }
}

/// A handshake fed with bytes in portions.
struct Conversation {
    var handshake: Handshake
    var directory = SampleDirectory()
    var output: [UInt8] = []
    var outcome = HandshakeOutcome.ongoing
    var now = Instant(nanoseconds: 0)

    init(limits: HandshakeLimits = .standard) {
        handshake = Handshake(at: Instant(nanoseconds: 0), limits: limits)
        output = handshake.takeOutput()
    }

    mutating func send(_ bytes: ArraySlice<UInt8>) {
        guard case .ongoing = outcome else { return }
        let portion = Array(bytes)
        outcome = unsafe handshake.receive(portion.span.bytes, at: now, from: directory)
        drain()
        // The rest that a transmission hands over and what was not yet sent are one stream.
        while case .ongoing = outcome, handshake.hasOutput || isStuck {
            outcome = handshake.resume(at: now, from: directory)
            drain()
        }
    }

    private var isStuck: Bool { handshake.isHeldBack }

    private mutating func drain() {
        while handshake.hasOutput {
            output += handshake.takeOutput()
            if case .ongoing = outcome {
                outcome = handshake.resume(at: now, from: directory)
            }
        }
    }
}

/// What a conversation led to, comparable between ways of splitting the same bytes.
struct Result: Equatable {
    var output: [UInt8]
    var outcome: HandshakeOutcome

    /// Sends `bytes` in portions that begin at `cuts`.
    init(of bytes: [UInt8], cuts: [Int], directory: SampleDirectory) {
        var conversation = Conversation()
        conversation.directory = directory
        var start = 0
        var pending: [UInt8] = []
        for cut in cuts + [bytes.count] {
            let portion = bytes[start..<cut]
            start = cut
            if case .ongoing = conversation.outcome {
                conversation.send(portion)
            } else {
                pending += portion
            }
        }
        output = conversation.output
        outcome = conversation.outcome
        if case .transmission(var negotiation) = outcome {
            negotiation.leftover += pending
            outcome = .transmission(negotiation)
        }
    }

    /// The replies behind the greeting's 18 bytes, as "option:type" words and "closed".
    var summary: String {
        guard let replies = OptionReply.all(in: Array(output.dropFirst(18))) else { return "?" }
        var words = replies.map(\.summary)
        switch outcome {
        case .ongoing: break
        case .closed: words.append("closed")
        case .transmission(let negotiation): words.append("serve \(negotiation.export.volumeSlot)")
        }
        return words.joined(separator: " ")
    }
}
