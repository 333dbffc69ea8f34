import NBD
import Testing
import Units

/// The loop of a lane with real sockets, rings and files.  The malformed clients are in
/// `tools/check-bad-clients`; here is what well-behaved ones are promised.
@Suite(.serialized) struct LaneLoopTests {
    private typealias Bytes = ClientBytes

    private func pattern(_ count: Int, seed: UInt64) -> ClientBytes {
        var generator = SeededGenerator(state: seed)
        return ClientBytes(
            bytes: (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        )
    }

    @Test(arguments: [0, 1])
    func `requests in one packet with GO are served, on either lane`(_ volume: Int) throws {
        let server = try TestServer()
        let payload = pattern(5000, seed: 1)
        let client = try TestClient.connect(
            to: server,
            volume: volume,
            behind: .request(1, cookie: 1, offset: 4097, length: 5000) + payload
        )
        #expect(try client.reply() == .init(error: 0, cookie: 1))
        try client.send(.request(0, cookie: 2, offset: 4097, length: 5000))
        #expect(try client.data(5000) == payload.bytes)
        #expect(server.stop())
    }

    @Test func `what A wrote is durable when B is flushed, and C reads it`() throws {
        let server = try TestServer()
        let payload = pattern(65536, seed: 2)
        let first = try TestClient.connect(to: server, volume: 1)
        let second = try TestClient.connect(to: server, volume: 1)
        try first.send(.request(1, cookie: 1, offset: 1 << 20, length: 65536) + payload)
        #expect(try first.reply() == .init(error: 0, cookie: 1))
        try second.send(.request(3, cookie: 2))
        #expect(try second.reply() == .init(error: 0, cookie: 2))
        let third = try TestClient.connect(to: server, volume: 1)
        try third.send(.request(0, cookie: 3, offset: 1 << 20, length: 65536))
        #expect(try third.data(65536) == payload.bytes)
        #expect(server.stop())
    }

    @Test func `a payload longer than every buffer comes back as it was sent`() throws {
        let server = try TestServer()
        let client = try TestClient.connect(to: server, volume: 0)
        let payload = pattern((3 << 20) + 777, seed: 3)
        let length = UInt32(payload.bytes.count)
        try client.send(.request(1, flags: 1, cookie: 1, offset: 513, length: length) + payload)
        #expect(try client.reply() == .init(error: 0, cookie: 1))
        try client.send(.request(0, cookie: 2, offset: 513, length: length))
        #expect(try client.data(payload.bytes.count) == payload.bytes)
        #expect(server.stop())
    }

    @Test func `holes are zeros for simple clients and one chunk for others`() throws {
        let server = try TestServer()
        let simple = try TestClient.connect(to: server, volume: 0, isStructured: false)
        try simple.send(.request(0, cookie: 1, offset: 8 << 20, length: 3 << 20))
        #expect(try simple.reply() == .init(error: 0, cookie: 1))
        #expect(try simple.receive(3 << 20) == [UInt8](repeating: 0, count: 3 << 20))
        let structured = try TestClient.connect(to: server, volume: 0)
        try structured.send(.request(0, cookie: 1, offset: 8 << 20, length: 3 << 20))
        let expected =
            Bytes.word32(0x668E_33EF) + .word16(1) + .word16(2) + .word64(1) + .word32(12)
            + .word64(8 << 20) + .word32(3 << 20)
        #expect(try structured.receive(32) == expected.bytes)
        #expect(server.stop())
    }

    @Test func `DISC is followed by the replies to what came before it, then by the end`() throws {
        let server = try TestServer()
        let client = try TestClient.connect(to: server, volume: 1, isStructured: false)
        var sent = Bytes()
        for cookie in 0..<100 { sent = sent + .request(0, cookie: UInt64(cookie), length: 512) }
        try client.send(sent + .request(2, cookie: 255))
        var cookies: Set<UInt8> = []
        for _ in 0..<100 {
            guard let reply = try client.reply() else { break }
            #expect(reply.error == 0)
            cookies.insert(reply.cookie)
            _ = try client.receive(512)
        }
        #expect(cookies == Set(0..<100))
        #expect(try client.receive(1).isEmpty)
        #expect(server.stop())
    }

    @Test func `more requests than a connection may have in flight are all answered`() throws {
        let server = try TestServer()
        let client = try TestClient.connect(to: server, volume: 0, isStructured: false)
        var sent = Bytes()
        for index in 0..<1000 {
            sent =
                sent + .request(1, cookie: UInt64(index % 256), offset: 0, length: 16) + .zeros(16)
        }
        try client.send(sent)
        var count = 0
        while count < 1000, let reply = try client.reply() {
            #expect(reply.error == 0)
            count += 1
        }
        #expect(count == 1000)
        #expect(server.stop())
    }

    /// The old client's READ fills its socket, so that its WRITE behind it stays unserved; then it
    /// closes its side and only takes what comes.
    @Test func `what waits on a socket whose peer is gone never lands on a newer write`() throws {
        var limits = ServerLimits()
        limits.requestCountMax = 1
        let server = try TestServer(limits: limits)
        let newer = pattern(4096, seed: 5)
        let old = try TestClient.connect(to: server, volume: 0, isStructured: false)
        try old.send(
            .request(0, cookie: 1, offset: 8 << 20, length: 4 << 20)
                + .request(1, cookie: 2, offset: 0, length: 4096) + pattern(4096, seed: 6)
        )
        #expect(try old.reply() == .init(error: 0, cookie: 1))
        old.endSending()
        let client = try TestClient.connect(
            to: server,
            volume: 0,
            behind: .request(1, flags: 1, cookie: 2, offset: 0, length: 4096) + newer
        )
        #expect(try client.reply() == .init(error: 0, cookie: 2))
        // Either the end or an error: the old connection is no more.
        let rest = try? old.receive((4 << 20) + 16)
        #expect((rest?.count ?? 0) < 4 << 20)
        try client.send(.request(0, cookie: 4, offset: 0, length: 4096))
        #expect(try client.data(4096) == newer.bytes)
        #expect(server.statistics(of: 0).hangUps == 1)
        #expect(server.stop())
    }

    @Test func `a server that stops answers what it took and ends every connection`() throws {
        let server = try TestServer()
        let client = try TestClient.connect(to: server, volume: 1, isStructured: false)
        try client.send(.request(3, cookie: 1))
        #expect(try client.reply() == .init(error: 0, cookie: 1))
        #expect(server.stop())
        #expect(try client.receive(1).isEmpty)
        #expect(server.state.openConnectionCount == 0)
    }

    @Test func `a connection too many is closed, and room is made by one that leaves`() throws {
        var limits = ServerLimits()
        limits.connectionCountMax = 2
        let server = try TestServer(limits: limits)
        do {
            let first = try TestClient.connect(to: server, volume: 0)
            let second = try TestClient.connect(to: server, volume: 1)
            #expect(throws: (any Error).self) {
                let third = try TestClient.connect(to: server, volume: 0)
                try third.send(.request(3, cookie: 1))
                guard try third.reply() != nil else { throw Closed() }
            }
            try first.send(.request(3, cookie: 1))
            #expect(try first.reply() == .init(error: 0, cookie: 1))
            try second.send(.request(3, cookie: 1))
            #expect(try second.reply() == .init(error: 0, cookie: 1))
        }
        var isServed = false
        for _ in 0..<100 where !isServed {
            isServed = (try? TestClient.connect(to: server, volume: 0).isAnswered()) ?? false
        }
        #expect(isServed)
        #expect(server.statistics(of: 0).refusedConnections >= 1)
        #expect(server.stop())
    }
}

private struct Closed: Error {}

extension TestClient {
    borrowing func isAnswered() throws -> Bool {
        try send(.request(3, cookie: 1))
        return try reply() != nil
    }
}
