import NBD
import Testing
import Units

/// One conversation and what must come of it.
struct HandshakeCase: CustomTestStringConvertible, Sendable {
    var name: String
    /// What the client sends behind its flags.
    var sent: [UInt8]
    /// Replies as "option:type", then "closed" or "serve" and the volume's slot.
    var expected: String
    /// A LIST behind it must be answered as if nothing had happened.
    var isStillUsable: Bool

    var testDescription: String { name }

    init(_ name: String, _ sent: ClientBytes, _ expected: String) {
        self.name = name
        self.sent = sent.bytes
        self.expected = expected
        isStillUsable = !expected.contains("closed") && !expected.contains("serve")
    }
}

private typealias Bytes = ClientBytes
private let listed = "3:SERVER 3:SERVER 3:SERVER 3:ACK"
private let served = "7:INFO 7:INFO 7:INFO 7:INFO 7:ACK serve 4"
private let informed = "6:INFO 6:INFO 6:INFO 6:INFO 6:ACK"

/// Options that are as the specification wants them.
private let goodCases: [HandshakeCase] = [
    .init("LIST", .option(3), listed),
    .init("ABORT", .option(2), "2:ACK closed"),
    .init("ABORT with data", .option(2, .text("bye")), "2:ACK closed"),
    .init("GO", .go("tank/db01"), served),
    .init("GO with kinds", .go("tank/db01", kinds: [0, 1, 2, 3]), served),
    .init("GO with unknown, repeated kinds", .go("tank/db01", kinds: [3, 3, 9, 65535]), served),
    .init(
        "INFO, then GO",
        .option(6, .query(.text("tank/db01"))) + .go("tank/db01"),
        informed + " " + served
    ),
    .init(
        "INFO without description",
        .option(6, .query(.text("tank/archive"))),
        "6:INFO 6:INFO 6:INFO 6:ACK"
    ),
    .init("STRUCTURED_REPLY", .option(8), "8:ACK"),
    .init("STRUCTURED_REPLY again", .option(8) + .option(8), "8:ACK 8:ACK"),
    .init("LIST twice", .option(3) + .option(3), listed + " " + listed),
    .init(
        "contexts before structured replies are listed",
        .option(9, .contexts("tank/db01", [])),
        "9:CONTEXT 9:CONTEXT 9:CONTEXT 9:ACK"
    ),
    .init(
        "options in another order",
        .option(9, .contexts("tank/db01", ["base:"])) + .option(8)
            + .option(10, .contexts("tank/db01", ["base:allocation"])) + .option(3) + .option(8)
            + .go("tank/db01"),
        "9:CONTEXT 9:ACK 8:ACK 10:CONTEXT 10:ACK " + listed + " 8:ACK " + served
    ),
    .init(
        "GO with the longest name",
        .option(7, .query(.letters(4096))),
        "7:INFO 7:INFO 7:INFO 7:ACK serve 9"
    ),
]

/// Options that are refused while the client stays.
private let refusedCases: [HandshakeCase] = [
    .init("unknown option", .option(4), "4:UNSUP"),
    .init("unknown option with data", .option(0xFFFF_FFFF, .zeros(999)), "4294967295:UNSUP"),
    .init("option 0", .option(0), "0:UNSUP"),
    .init("STARTTLS", .option(5), "5:UNSUP"),
    .init("STARTTLS with data", .option(5, .zeros(1)), "5:INVALID"),
    .init("STARTTLS twice", .option(5) + .option(5), "5:UNSUP 5:UNSUP"),
    .init("EXTENDED_HEADERS", .option(11), "11:UNSUP"),
    .init("EXTENDED_HEADERS with data", .option(11, .zeros(5)), "11:UNSUP"),
    .init("LIST with data", .option(3, .zeros(1)), "3:INVALID"),
    .init("STRUCTURED_REPLY with data", .option(8, .zeros(4)), "8:INVALID"),
    .init("GO without default export", .go(""), "7:UNKNOWN"),
    .init("GO to no such export", .go("tank/db02"), "7:UNKNOWN"),
    .init("GO to a prefix of a name", .go("tank/db0"), "7:UNKNOWN"),
    .init("GO without data", .option(7), "7:INVALID"),
    .init("GO with a name alone", .option(7, .string("tank/db01")), "7:INVALID"),
    .init(
        "GO that claims 3 kinds and has 1",
        .option(7, .query(.text("tank/db01"), kinds: [3], count: 3)),
        "7:INVALID"
    ),
    .init(
        "GO that claims 65535 kinds",
        .option(7, .query(.text("tank/db01"), kinds: [], count: 65535)),
        "7:INVALID"
    ),
    .init(
        "GO with half a kind",
        .option(7, .query(.text("tank/db01"), kinds: [3], count: 2) + .zeros(1)),
        "7:INVALID"
    ),
    .init("GO with a NUL", .option(7, .query(.text("tank/db01\0"))), "7:INVALID"),
    .init("GO that is not UTF-8", .option(7, .query(.word8(0xFF))), "7:INVALID"),
    .init("GO with an overlong encoding", .option(7, .query(.word16(0xC080))), "7:INVALID"),
    .init("option of 64 KiB", .option(6, .zeros(65536)), "6:INVALID"),
    .init("option above 64 KiB", .option(6, .zeros(65537)), "6:TOO_BIG"),
    .init("unknown option above 64 KiB", .option(77, .zeros(100_000)), "77:TOO_BIG"),
    .init("LIST above 64 KiB", .option(3, .zeros(70_000)), "3:TOO_BIG"),
]

/// What ends the connection.
private let closedCases: [HandshakeCase] = [
    .init("another magic", .text("IHAVEOPS") + .zeros(8), "closed"),
    .init("option of 2^31 bytes", .option(6, length: 1 << 31), "6:TOO_BIG closed"),
    .init("option of 2^32 - 1 bytes", .option(3, length: .max), "3:TOO_BIG closed"),
    .init("unknown option of 2^32 - 1 bytes", .option(99, length: .max), "99:TOO_BIG closed"),
    .init("EXPORT_NAME of 2^32 - 1 bytes", .option(1, length: .max), "closed"),
    .init("EXPORT_NAME above 64 KiB", .option(1, length: 65537), "closed"),
    .init("EXPORT_NAME to no such export", .option(1, .text("tank/db02")), "closed"),
    .init("EXPORT_NAME without default export", .option(1), "closed"),
    .init("EXPORT_NAME above 4096", .option(1, .letters(4097)), "closed"),
    .init("EXPORT_NAME with a NUL", .option(1, .text("tank\0")), "closed"),
    .init("what follows ABORT is not read", .option(2) + .option(3), "2:ACK closed"),
]

/// Names of each critical length, and lengths that are lies, in each option that has a name.
private let nameCases: [HandshakeCase] = {
    var cases: [HandshakeCase] = []
    for (code, tail) in [(UInt32(6), Bytes.word16(0)), (7, .word16(0)), (9, .word32(0))] {
        for byteCount in [0, 1, 255, 256, 257, 4095] {
            cases.append(
                .init(
                    "name of \(byteCount) in \(code)",
                    .option(code, .string(.letters(byteCount)) + tail),
                    "\(code):UNKNOWN"
                )
            )
        }
        for byteCount in [4097, 5000, 60_000] {
            cases.append(
                .init(
                    "name of \(byteCount) in \(code)",
                    .option(code, .string(.letters(byteCount)) + tail),
                    "\(code):INVALID"
                )
            )
        }
        for length in [UInt32(10), 4096, 4097, 1 << 31, .max - 5, .max] {
            cases.append(
                .init(
                    "name that claims \(length) in \(code)",
                    .option(code, .string("tank/db01", length: length) + tail),
                    "\(code):INVALID"
                )
            )
        }
    }
    return cases
}()

/// Each option with surplus bytes behind its last field.
private let surplusCases: [HandshakeCase] = {
    let options: [(UInt32, Bytes, String)] = [
        (3, Bytes(), "3:INVALID"), (5, Bytes(), "5:INVALID"),
        (6, .query(.text("tank/db01")), "6:INVALID"), (7, .query(.text("tank/db01")), "7:INVALID"),
        (8, Bytes(), "8:INVALID"), (9, .contexts("tank/db01", ["base:"]), "9:INVALID"),
        (11, Bytes(), "11:UNSUP"), (12, Bytes(), "12:UNSUP"),
    ]
    return [1, 2, 3, 4, 7, 8, 16, 255, 256, 4095, 4096].flatMap { surplus in
        options.map { code, data, expected in
            HandshakeCase(
                "option \(code) with \(surplus) surplus bytes",
                .option(code, data + .zeros(surplus)),
                expected
            )
        }
    }
}()

/// Every case is sent whole, byte by byte, and cut in two at each byte; all must give the same.
@Suite struct HandshakeTests {
    static let cases = goodCases + refusedCases + closedCases + nameCases + surplusCases

    @Test(arguments: cases)
    func `an option gets its answer and the next one is found`(_ sample: HandshakeCase) {
        let opening = ClientBytes.flags().bytes + sample.sent
        let bytes = sample.isStillUsable ? opening + ClientBytes.option(3).bytes : opening
        let expected = sample.isStillUsable ? sample.expected + " " + listed : sample.expected
        let whole = Result(of: bytes, cuts: [], directory: SampleDirectory())
        #expect(whole.summary == expected)
        #expect(
            whole.output.prefix(18).elementsEqual(
                ClientBytes.text("NBDMAGICIHAVEOPT").bytes + [0, 3]
            )
        )
        let single = Result(
            of: bytes,
            cuts: Array(0..<bytes.count),
            directory: SampleDirectory()
        )
        #expect(single == whole)
        for cut in 0..<min(bytes.count, 200) {
            let halves = Result(of: bytes, cuts: [cut], directory: SampleDirectory())
            #expect(halves == whole, "cut at \(cut)")
        }
    }

    @Test(arguments: cases)
    func `every refusal has a text of at most 256 plain bytes`(_ sample: HandshakeCase) throws {
        let bytes = ClientBytes.flags().bytes + sample.sent
        let result = Result(of: bytes, cuts: [], directory: SampleDirectory())
        let replies = try #require(OptionReply.all(in: Array(result.output.dropFirst(18))))
        for reply in replies where reply.type >= 1 << 31 {
            #expect(!reply.data.isEmpty && reply.data.count <= 256)
            #expect(reply.data.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
        }
    }

    @Test func `client flags that nobody offered close the connection`() {
        for flags: UInt32 in [4, 7, 0x8000_0000, .max] {
            let result = Result(
                of: ClientBytes.flags(flags).bytes,
                cuts: [],
                directory: SampleDirectory()
            )
            #expect(result.outcome == .closed(.unknownClientFlags))
        }
    }

    @Test func `without fixed newstyle only EXPORT_NAME is served`() {
        let name = ClientBytes.flags(0) + .option(1, .text("tank/db01"))
        let result = Result(of: name.bytes, cuts: [], directory: SampleDirectory())
        // Greeting 18, size 8, flags 2, padding 124.
        #expect(result.output.count == 18 + 134)
        let list = ClientBytes.flags(0) + .option(3)
        let refused = Result(of: list.bytes, cuts: [], directory: SampleDirectory())
        #expect(refused.outcome == .closed(.notFixedNewstyle))
    }

    @Test func `EXPORT_NAME answers size and flags, padded unless told otherwise`() {
        let answer = ClientBytes.word64(5 << 30) + .word16(0b1101_0110_1101)
        for (flags, padding) in [(UInt32(1), 124), (3, 0)] {
            let sent = ClientBytes.flags(flags) + .option(1, .text("tank/db01"))
            let result = Result(of: sent.bytes, cuts: [], directory: SampleDirectory())
            let expected = (answer + .zeros(padding)).bytes
            #expect(Array(result.output.dropFirst(18)) == expected)
        }
    }

    @Test func `GO tells export, name, description and block sizes, byte for byte`() {
        let sent = ClientBytes.flags() + .option(8) + .go("tank/db01")
        func reply(_ option: UInt32, _ type: UInt32, _ data: ClientBytes) -> ClientBytes {
            .word64(0x0003_E889_0455_65A9) + .word32(option) + .word32(type)
                + .word32(UInt32(data.bytes.count)) + data
        }
        // Bits 0, 2, 3, 5, 6, 7 (structured replies), 8, 10, 11.
        let export = ClientBytes.word16(0) + .word64(5 << 30) + .word16(0b1101_1110_1101)
        let sizes =
            ClientBytes.word16(3) + .word32(1) + .word32(4096) + .word32(32 << 20)
        let expected =
            ClientBytes.text("NBDMAGICIHAVEOPT") + .word16(3) + reply(8, 1, ClientBytes())
            + reply(7, 3, export) + reply(7, 3, .word16(1) + .text("tank/db01"))
            + reply(7, 3, .word16(2) + .text("the database")) + reply(7, 3, sizes)
            + reply(7, 1, ClientBytes())
        let result = Result(of: sent.bytes, cuts: [], directory: SampleDirectory())
        #expect(result.output == expected.bytes)
    }

    @Test func `a read-only export offers no writing`() {
        let sent = ClientBytes.flags() + .go("tank/archive")
        let result = Result(of: sent.bytes, cuts: [], directory: SampleDirectory())
        guard case .transmission(let negotiation) = result.outcome else {
            Issue.record("not served")
            return
        }
        #expect(negotiation.flags.rawValue == 0b101_0000_1111)
    }

    @Test func `the empty name is the default export where there is one`() {
        var directory = SampleDirectory()
        directory.defaultName = "tank/db01"
        let sent = ClientBytes.flags() + .go("")
        #expect(Result(of: sent.bytes, cuts: [], directory: directory).summary == served)
    }

    @Test func `requests behind GO are handed over, wherever the packets end`() {
        let requests = ClientBytes.request(1, length: 5) + .text("hello") + .request(3)
        for opening in [ClientBytes.go("tank/db01"), .option(1, .text("tank/db01"))] {
            let bytes = (ClientBytes.flags() + .option(8) + opening + requests).bytes
            for cut in 0..<bytes.count {
                let result = Result(of: bytes, cuts: [cut], directory: SampleDirectory())
                guard case .transmission(let negotiation) = result.outcome else {
                    Issue.record("not served, cut at \(cut)")
                    return
                }
                #expect(negotiation.leftover == requests.bytes, "cut at \(cut)")
                #expect(negotiation.usesStructuredReplies)
                #expect(negotiation.export == SampleDirectory.database)
            }
        }
    }

    @Test func `a server that stops refuses options and closes`() {
        var directory = SampleDirectory()
        directory.isStopping = true
        for code: UInt32 in [3, 5, 6, 7, 8, 9, 10, 11] {
            let sent = ClientBytes.flags() + .option(code) + .option(3)
            let result = Result(of: sent.bytes, cuts: [], directory: directory)
            #expect(result.summary == "\(code):SHUTDOWN closed")
        }
        let named = ClientBytes.flags() + .option(1, .text("tank/db01"))
        let closed = Result(of: named.bytes, cuts: [], directory: directory)
        #expect(closed.outcome == .closed(.shuttingDown) && closed.output.count == 18)
        let aborted = ClientBytes.flags() + .option(2)
        #expect(
            Result(of: aborted.bytes, cuts: [], directory: directory).summary == "2:ACK closed"
        )
    }
}
