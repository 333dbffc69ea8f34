import NBD
import Testing
import Units

/// Bytes, time and memory that a client may take before it has chosen an export.
@Suite struct HandshakeLimitTests {
    @Test func `a handshake of more than 1 MiB is closed`() {
        var conversation = Conversation()
        conversation.send(ClientBytes.flags().bytes[...])
        let option = ClientBytes.option(99, .zeros(60_000)).bytes
        var sentCount = 0
        while case .ongoing = conversation.outcome, sentCount < 100 {
            conversation.send(option[...])
            sentCount += 1
        }
        #expect(conversation.outcome == .closed(.tooManyBytes))
        // 1,048,576 / 60,016 = 17.4: the 18th is too much.
        #expect(sentCount == 18)
    }

    @Test func `thousands of options are answered inside the limit`() {
        var conversation = Conversation()
        conversation.send(ClientBytes.flags().bytes[...])
        for _ in 0..<5000 {
            conversation.send(ClientBytes.option(6, .query(.text("tank/db01"))).bytes[...])
        }
        #expect(conversation.outcome == .ongoing)
    }

    @Test func `ten seconds without a finished option pass the deadline`() {
        var conversation = Conversation()
        #expect(conversation.handshake.deadline == Instant(nanoseconds: 10_000_000_000))
        conversation.now = Instant(nanoseconds: 4_000_000_000)
        conversation.send(ClientBytes.flags().bytes[...])
        #expect(conversation.handshake.deadline == Instant(nanoseconds: 14_000_000_000))
        // Bytes that finish nothing win no time.
        conversation.now = Instant(nanoseconds: 9_000_000_000)
        conversation.send(ClientBytes.option(3).bytes.dropLast())
        #expect(conversation.handshake.deadline == Instant(nanoseconds: 14_000_000_000))
        conversation.send([0])
        #expect(conversation.handshake.deadline == Instant(nanoseconds: 19_000_000_000))
    }

    @Test func `a minute is the end whatever the client finishes`() {
        var conversation = Conversation()
        conversation.send(ClientBytes.flags().bytes[...])
        conversation.now = Instant(nanoseconds: 59_000_000_000)
        conversation.send(ClientBytes.option(3).bytes[...])
        #expect(conversation.handshake.deadline == Instant(nanoseconds: 60_000_000_000))
    }

    @Test func `who does not read replies is not read either`() {
        var handshake = Handshake(at: Instant(nanoseconds: 0))
        var sent = ClientBytes.flags().bytes
        for _ in 0..<4000 { sent += ClientBytes.option(3).bytes }
        let outcome = unsafe handshake.receive(
            sent.span.bytes,
            at: Instant(nanoseconds: 0),
            from: SampleDirectory()
        )
        #expect(outcome == .ongoing)
        #expect(handshake.isHeldBack)
        // One LIST of three exports may stand above the limit, no more.
        #expect(handshake.takeOutput().count < (64 << 10) + 8192)
        #expect(!handshake.isHeldBack)
    }

    @Test func `a long LIST goes out in parts and is complete`() throws {
        struct Thousands: ExportDirectory {
            var isStopping: Bool { false }
            func export(named name: String) -> ExportDescription? { nil }
            func allExports() -> [ExportDescription] {
                (0..<5000).map { index in
                    ExportDescription(
                        name: "tank/volume-\(index)",
                        description: "number \(index)",
                        lane: LaneIndex(0),
                        volumeSlot: UInt32(index),
                        byteCount: 0,
                        isReadOnly: false
                    )
                }
            }
        }
        var handshake = Handshake(at: Instant(nanoseconds: 0))
        var output = handshake.takeOutput()
        let sent = (ClientBytes.flags() + .option(3) + .option(2)).bytes
        var outcome = unsafe handshake.receive(
            sent.span.bytes,
            at: Instant(nanoseconds: 0),
            from: Thousands()
        )
        var partCount = 0
        while handshake.hasOutput {
            output += handshake.takeOutput()
            partCount += 1
            guard case .ongoing = outcome else { break }
            outcome = handshake.resume(at: Instant(nanoseconds: 0), from: Thousands())
        }
        let replies = try #require(OptionReply.all(in: Array(output.dropFirst(18))))
        #expect(outcome == .closed(.aborted))
        #expect(replies.count == 5002 && partCount > 3)
        let last = ClientBytes.string("tank/volume-4999") + .text("number 4999")
        #expect(replies[4999].data == last.bytes)
    }
}
