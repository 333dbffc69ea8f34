import Format
import IO
import NBD
import Units

// What a client sends before and after it has chosen an export.

/// A handshake that is fed with bytes and whose replies are taken at once.
private struct Conversation {
    private var handshake = Handshake(at: Instant(nanoseconds: 0))
    private var directory: FuzzDirectory
    private let now = Instant(nanoseconds: 1)
    private(set) var output: [UInt8]
    private(set) var outcome = HandshakeOutcome.ongoing

    init(_ directory: FuzzDirectory) {
        self.directory = directory
        output = handshake.takeOutput()
    }

    mutating func send(_ bytes: ArraySlice<UInt8>) {
        guard case .ongoing = outcome else { return }
        outcome = handshake.receive(Array(bytes).raw, at: now, from: directory)
        drain()
    }

    private mutating func drain() {
        while handshake.hasOutput {
            let portion = handshake.takeOutput()
            // One option more than the limit: six replies, with three texts of 4 KiB at most.
            let bound = HandshakeLimits.standard.outputByteCountMax + (16 << 10)
            invariant(portion.count <= bound, "replies that wait to be sent are bounded")
            output += portion
            if case .ongoing = outcome { outcome = handshake.resume(at: now, from: directory) }
        }
    }
}

/// Three exports; one is read-only, one has the longest name that is allowed.
private struct FuzzDirectory: ExportDirectory {
    var isStopping = false
    var hasDefault = false

    private static func description(
        _ name: String,
        _ slot: UInt32,
        _ byteCount: UInt64,
        isReadOnly: Bool = false
    ) -> ExportDescription {
        ExportDescription(
            name: name,
            description: slot == 0 ? "the database" : "",
            lane: LaneIndex(0),
            volumeSlot: slot,
            byteCount: byteCount,
            isReadOnly: isReadOnly
        )
    }

    private static let exports = [
        description("tank/db01", 0, 5 << 30),
        description("tank/archive", 1, 1 << 20, isReadOnly: true),
        description(String(repeating: "n", count: 4096), 2, 4097),
    ]

    func allExports() -> [ExportDescription] { Self.exports }
    func export(named name: String) -> ExportDescription? {
        name.isEmpty && hasDefault
            ? Self.exports.first : Self.exports.first { $0.name == name }
    }
}

/// Bytes as a client writes them.
enum ClientBytes {
    static func option(_ code: UInt32, _ data: [UInt8] = []) -> [UInt8] {
        var bytes = Array("IHAVEOPT".utf8)
        bytes.appendBig(code)
        bytes.appendBig(UInt32(data.count))
        return bytes + data
    }

    static func text(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBig(UInt32(text.utf8.count))
        return bytes + text.utf8
    }

    static func contexts(_ queries: [String]) -> [UInt8] {
        var bytes = text("tank/db01")
        bytes.appendBig(UInt32(queries.count))
        return queries.reduce(bytes) { $0 + text($1) }
    }

    static func request(_ command: UInt16, _ offset: UInt64, _ byteCount: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBig(UInt32(0x2560_9513))
        bytes.appendBig(UInt16(0))
        bytes.appendBig(command)
        bytes.appendBig(UInt64(7))
        bytes.appendBig(offset)
        bytes.appendBig(byteCount)
        return bytes
    }

    static let go = option(7, text("tank/db01") + [0, 1, 0, 3])
    static let flags: [UInt8] = [0, 0, 0, 3]
}

/// A whole handshake as it comes off the socket: two bytes that say what the server is like and
/// where the stream is cut, then the stream.
enum HandshakeTarget: FuzzTarget {
    static var name: String { "handshake" }
    static var byteCountMax: Int { 8 << 10 }

    static func seeds() -> [[UInt8]] {
        let option = ClientBytes.option
        let contexts = ClientBytes.contexts(["base:allocation", "x-isotherm:"])
        let streams: [[UInt8]] = [
            option(8, []) + option(10, contexts) + ClientBytes.go + [1, 2, 3],
            option(3, []) + option(6, ClientBytes.text("tank/archive") + [0, 0]) + option(2, []),
            option(5, []) + option(9, contexts) + option(99, [1])
                + option(1, Array("tank/db01".utf8)),
            option(11, []) + option(7, ClientBytes.text("") + [0, 0]),
        ]
        return streams.map { [0, 0, 20] + ClientBytes.flags + $0 }
    }

    static func run(_ input: RawSpan) {
        var reader = InputReader(input)
        let nature = reader.byte()
        let directory = FuzzDirectory(isStopping: nature & 1 == 1, hasDefault: nature & 2 == 2)
        let cut: UInt16 = reader.number()
        let bytes = reader.rest()
        var whole = Conversation(directory)
        whole.send(bytes[...])
        var halves = Conversation(directory)
        let place = bytes.isEmpty ? 0 : Int(cut) % bytes.count
        halves.send(bytes[..<place])
        var pending: [UInt8] = []
        if case .ongoing = halves.outcome {
            halves.send(bytes[place...])
        } else {
            pending = Array(bytes[place...])
        }
        invariant(whole.output == halves.output, "how a stream is cut does not change the replies")
        var outcome = halves.outcome
        if case .transmission(var negotiation) = outcome {
            negotiation.leftover += pending
            outcome = .transmission(negotiation)
            invariant(
                bytes.suffix(negotiation.leftover.count) == negotiation.leftover[...],
                "what is left over is the end of what was sent"
            )
        }
        invariant(whole.outcome == outcome, "how a stream is cut does not change its end")
    }
}

/// Options that are framed rightly and whose data are anything: each gets, in its turn, exactly one
/// answer that ends it.
enum OptionsTarget: FuzzTarget {
    static var name: String { "options" }
    static var byteCountMax: Int { 4 << 10 }

    static func seeds() -> [[UInt8]] {
        func portion(_ code: UInt8, _ data: [UInt8]) -> [UInt8] {
            [code, UInt8(data.count >> 8), UInt8(data.count & 0xFF)] + data
        }
        let contexts = ClientBytes.contexts(["base:allocation"])
        let query = ClientBytes.text("tank/db01") + [0, 1, 0, 3]
        return [
            portion(8, []) + portion(10, contexts) + portion(6, query),
            portion(3, []) + portion(9, contexts) + portion(5, []) + portion(7, query),
        ]
    }

    static func run(_ input: RawSpan) {
        var reader = InputReader(input)
        var codes: [UInt32] = []
        var bytes = ClientBytes.flags
        while !reader.isAtEnd {
            // EXPORT_NAME has no reply of this form.
            let code = UInt32(reader.byte() % 13)
            let data = reader.take(Int(reader.number(UInt16.self) & 0xFFF))
            guard code != 1 else { continue }
            codes.append(code)
            bytes += ClientBytes.option(code, data)
        }
        var conversation = Conversation(FuzzDirectory())
        conversation.send(bytes[...])
        let answered = answers(in: conversation.output)
        invariant(
            answered == codes.prefix(answered.count)[...].map(\.self),
            "options are answered in their order"
        )
        if case .ongoing = conversation.outcome {
            invariant(answered.count == codes.count, "every option is answered")
        }
    }

    /// The options of the replies that end one; all replies are whole.
    private static func answers(in output: [UInt8]) -> [UInt32] {
        var found: [UInt32] = []
        var rest = output.dropFirst(18)
        func word(_ position: Int) -> UInt32 {
            rest.dropFirst(position).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        }
        while !rest.isEmpty {
            invariant(rest.count >= 20, "a reply is whole")
            let magic: [UInt8] = [0, 3, 0xE8, 0x89, 0x04, 0x55, 0x65, 0xA9]
            invariant(rest.prefix(8) == magic[...], "a reply begins with its magic")
            let type = word(12)
            let byteCount = Int(word(16))
            invariant(rest.count >= 20 + byteCount, "a reply is as long as it says")
            if type == 1 || type >> 31 == 1 { found.append(word(8)) }
            rest = rest.dropFirst(20 + byteCount)
        }
        return found
    }
}

/// Headers of requests, judged by the terms that the input begins with.
enum RequestsTarget: FuzzTarget {
    static var name: String { "requests" }
    static var byteCountMax: Int { 12 + 8 * WireSize.request }

    static func seeds() -> [[UInt8]] {
        var terms: [UInt8] = []
        terms.appendBig(UInt64(1 << 20))
        terms.appendBig(
            TransmissionFlags.offered(isReadOnly: false, usesStructuredReplies: true).rawValue
        )
        terms += [MetaContextSet.all.rawValue, 1]
        return [
            (0...7).reduce(terms) { $0 + ClientBytes.request(UInt16($1), 4096, 8192) },
            (0...7).reduce(terms) { $0 + ClientBytes.request(UInt16($1), (1 << 20) - 1, 2) },
        ]
    }

    static func run(_ input: RawSpan) {
        var reader = InputReader(input)
        let terms = ConnectionTerms(
            byteCount: reader.number(UInt64.self) % (Geometry.volumeByteCountMax + 1),
            flags: TransmissionFlags(rawValue: reader.number()),
            contexts: MetaContextSet(rawValue: reader.byte()),
            usesStructuredReplies: reader.flag()
        )
        var start = 12
        while input.byteCount - start >= WireSize.request {
            check(input, at: start, terms)
            start += WireSize.request
        }
    }

    private static func check(_ input: RawSpan, at start: Int, _ terms: ConnectionTerms) {
        guard let header = RequestHeader(input, at: start) else { return }
        var again: [UInt8] = []
        again.appendBig(UInt32(0x2560_9513))
        again.appendBig(header.flags.rawValue)
        again.appendBig(header.command)
        again.appendBig(header.cookie)
        again.appendBig(header.offset)
        again.appendBig(UInt32(header.byteCount))
        let bytes = input.extracting(start..<(start + WireSize.request)).copied
        invariant(again == bytes, "a header that is read is the one that was sent")
        switch header.validate(against: terms) {
        case .serve(let command): checkServed(header, command, terms)
        case .serveEmpty: invariant(header.byteCount == 0, "what is done at once is about nothing")
        case .refuse:
            let isBounded = header.payloadByteCount <= WireLimit.drainedByteCountMax
            invariant(isBounded, "only a bounded payload is thrown away")
        case .disconnect, .close: break
        }
    }

    private static func checkServed(
        _ header: RequestHeader,
        _ command: Command,
        _ terms: ConnectionTerms
    ) {
        invariant(command.rawValue == header.command, "the command that is served was asked for")
        guard command != .flush else { return }
        let (end, hasOverflowed) = header.offset.addingReportingOverflow(header.byteCount)
        invariant(!hasOverflowed && end <= terms.byteCount, "what is served lies in the export")
        invariant(header.byteCount > 0, "what goes to the lane is about something")
        if command == .read || command == .write {
            let isAllowed = header.byteCount <= WireLimit.payloadByteCountMax
            invariant(isAllowed, "what is served needs no more memory than is allowed")
        }
        let isChange = command == .write || command == .trim || command == .writeZeroes
        invariant(!isChange || !terms.flags.contains(.readOnly), "what is read-only stays as it is")
    }
}

/// The answer to BLOCK_STATUS: any runs, any room.
enum StatusTarget: FuzzTarget {
    static var name: String { "status" }
    static var byteCountMax: Int { 1 << 10 }

    static func seeds() -> [[UInt8]] {
        var seed: [UInt8] = [1, 0, 20]
        seed.appendBig(UInt64(1 << 40))
        for run in 0..<6 { seed += [0, UInt8(12 + 5 * run), UInt8(run % 3)] }
        return [seed]
    }

    private static let arena = Arena(byteCount: 8192, isPopulated: true)

    static func run(_ input: RawSpan) {
        var reader = InputReader(input)
        let isOnlyOne = reader.flag()
        let room = 1 + reader.number(below: 900)
        let request: UInt64 = reader.number()
        let target = arena.region[0..<StatusChunk.byteCount(ofDescriptors: room)]
        let behind = arena.region[target.byteCount..<8192]
        behind.zero()
        var chunk = StatusChunk(target: target, requestByteCount: request, isOnlyOne: isOnlyOne)
        while !reader.isAtEnd {
            // Lengths of every size, and neighbours of the powers of two.
            let (below, power, status) = (reader.byte(), reader.byte() % 64, reader.byte() % 4)
            chunk.append(byteCount: (1 << UInt64(power)) &- UInt64(below), status: UInt32(status))
        }
        let byteCount = chunk.finish(context: .allocation, cookie: 7, isLast: true)
        invariant(byteCount <= target.byteCount, "a chunk fits its room")
        invariant(behind.bytes.copied.allSatisfy { $0 == 0 }, "nothing is written behind the room")
        let count = (byteCount - StatusChunk.byteCount(ofDescriptors: 0)) / 8
        invariant(count <= (isOnlyOne ? 1 : room), "no more is told than was asked for")
        var told: UInt64 = 0
        for index in 0..<count {
            let start = StatusChunk.byteCount(ofDescriptors: index)
            let length = (start..<(start + 4)).reduce(0) {
                $0 << 8 | UInt64(target.bytes.byte(at: $1))
            }
            invariant(length > 0, "no descriptor is empty")
            told += length
        }
        invariant(told <= request, "no more is told than the request is about")
    }
}
