import NBD
import Testing
import Units

private typealias Bytes = ClientBytes

/// Options 9 and 10: what matches, what replaces, what is refused.
@Suite struct MetaContextTests {
    private func answers(_ sent: ClientBytes) -> String {
        Result(
            of: (ClientBytes.flags() + sent).bytes,
            cuts: [],
            directory: SampleDirectory()
        ).summary
    }

    /// The contexts in force after `sent` and GO.
    private func selected(_ sent: ClientBytes, export: String = "tank/db01") -> MetaContextSet? {
        let bytes = (ClientBytes.flags() + sent + .go(export)).bytes
        let result = Result(of: bytes, cuts: [], directory: SampleDirectory())
        guard case .transmission(let negotiation) = result.outcome else { return nil }
        return negotiation.contexts
    }

    private func set(_ queries: [String], export: String = "tank/db01") -> ClientBytes {
        .option(10, .contexts(export, queries))
    }

    @Test(arguments: [
        ([], 3), (["base:"], 1), (["x-isotherm:"], 2), (["base:", "x-isotherm:"], 3),
        (["base:allocation"], 1), (["x-isotherm:tier", "x-isotherm:tier"], 1),
        (["qemu:dirty-bitmap:a"], 0), (["base:nothing", "base"], 0), ([""], 0), ([":"], 0),
        (["b:"], 0), (["x-isotherm:tier:more"], 0), (["BASE:ALLOCATION"], 0),
    ])
    func `LIST tells what the queries match`(_ queries: [String], _ count: Int) {
        let expected =
            Array(repeating: "9:CONTEXT", count: count).joined(separator: " ")
            + (count > 0 ? " 9:ACK" : "9:ACK")
        #expect(answers(.option(9, .contexts("tank/db01", queries))) == expected)
        #expect(
            answers(.option(8) + .option(9, .contexts("tank/db01", queries)))
                == "8:ACK " + expected
        )
    }

    @Test func `LIST tells identifier zero, SET the real one`() throws {
        let sent =
            Bytes.flags() + .option(8) + .option(9, .contexts("tank/db01", ["x-isotherm:heat"]))
            + set(["x-isotherm:heat"])
        let result = Result(of: sent.bytes, cuts: [], directory: SampleDirectory())
        let replies = try #require(OptionReply.all(in: Array(result.output.dropFirst(18))))
        #expect(replies[1].data == (Bytes.word32(0) + .text("x-isotherm:heat")).bytes)
        #expect(replies[3].data == (Bytes.word32(3) + .text("x-isotherm:heat")).bytes)
    }

    @Test func `SET needs structured replies`() {
        #expect(answers(set(["base:allocation"])) == "10:INVALID")
        #expect(selected(set(["base:allocation"]) + .option(8)) == [])
    }

    @Test func `SET selects leaves, never wildcards`() {
        #expect(answers(.option(8) + set(["base:", "x-isotherm:"])) == "8:ACK 10:ACK")
        #expect(selected(.option(8) + set(["base:", "x-isotherm:"])) == [])
        #expect(selected(.option(8) + set(["base:allocation"])) == MetaContext.allocation.member)
        let two = set(["x-isotherm:tier", "base:allocation", "what:ever"])
        #expect(answers(.option(8) + two) == "8:ACK 10:CONTEXT 10:CONTEXT 10:ACK")
        #expect(
            selected(.option(8) + two)
                == [MetaContext.allocation.member, MetaContext.tier.member]
        )
    }

    @Test func `SET replaces the earlier choice, without queries by none`() {
        let first = Bytes.option(8) + set(["base:allocation"])
        #expect(selected(first + set(["x-isotherm:heat"])) == MetaContext.heat.member)
        #expect(selected(first + set([])) == [])
    }

    @Test func `a SET that fails leaves none selected`() {
        let first = Bytes.option(8) + set(["base:allocation"])
        let failures: [ClientBytes] = [
            .option(10), .option(10, .zeros(3)), set(["base:allocation"], export: "tank/none"),
            .option(10, .contexts("tank/db01", ["base:allocation"]) + .zeros(1)),
            .option(10, .contexts("tank/db01", ["base:allocation"], count: 2)),
            .option(10, .contexts("tank/db01", [], count: 65)),
            .option(10, .contexts("tank/db01", [], count: .max)),
            .option(10, .zeros(65537)),
        ]
        for failure in failures { #expect(selected(first + failure) == []) }
        // Another option that fails leaves the choice alone.
        for other in [Bytes.option(9), .option(3, .zeros(1)), .option(7), .option(99)] {
            #expect(selected(first + other) == MetaContext.allocation.member)
        }
    }

    @Test func `the choice counts for its export only`() {
        let sent = Bytes.option(8) + set(["base:allocation"], export: "tank/archive")
        #expect(selected(sent) == [])
        #expect(selected(sent, export: "tank/archive") == MetaContext.allocation.member)
    }

    @Test func `64 queries are parsed, 65 are too many`() {
        let many = Array(repeating: "x-isotherm:tier", count: 64)
        #expect(answers(.option(9, .contexts("tank/db01", many))) == "9:CONTEXT 9:ACK")
        #expect(answers(.option(9, .contexts("tank/db01", many + ["base:"]))) == "9:TOO_BIG")
    }

    @Test func `query lengths are held to the option and to 4096`() {
        let name = ClientBytes.string("tank/db01") + .word32(1)
        #expect(answers(.option(9, name + .string(.letters(4096)))) == "9:ACK")
        #expect(answers(.option(9, name + .string(.letters(4097)))) == "9:INVALID")
        for length: UInt32 in [6, 1 << 31, .max - 3, .max] {
            #expect(answers(.option(9, name + .string("base:", length: length))) == "9:INVALID")
        }
        #expect(answers(.option(9, name)) == "9:INVALID")
        #expect(answers(.option(9, name + .string(.word8(0)))) == "9:INVALID")
        #expect(answers(.option(9, name + .string(.word8(0xC3)))) == "9:INVALID")
    }
}
