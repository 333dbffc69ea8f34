import IO
import NBD
import Testing
import Units

/// Replies byte for byte.
@Suite struct ReplyTests {
    private let arena = Arena(byteCount: 65536, isPopulated: false)

    private func bytes(_ count: Int) -> [UInt8] {
        let stored = arena.region.bytes
        return (0..<count).map { unsafe stored.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }

    @Test func `a simple reply`() {
        let count = ReplyEncoding.simple(.noSpace, cookie: 0x1122, into: arena.region)
        #expect(
            bytes(count)
                == (ClientBytes.word32(0x6744_6698) + .word32(28) + .word64(0x1122)).bytes
        )
    }

    private func header(_ type: UInt16, _ length: UInt32, isLast: Bool = true) -> ClientBytes {
        .word32(0x668E_33EF) + .word16(isLast ? 1 : 0) + .word16(type) + .word64(0xABCD)
            + .word32(length)
    }

    @Test func `data, hole and nothing`() {
        var count = ReplyEncoding.data(
            offset: 7,
            byteCount: 32 << 20,
            cookie: 0xABCD,
            into: arena.region
        )
        #expect(bytes(count) == (header(1, 33_554_440) + .word64(7)).bytes)
        #expect(count == WireSize.dataChunkHeader)
        count = ReplyEncoding.hole(
            offset: 1 << 40,
            byteCount: 65536,
            cookie: 0xABCD,
            into: arena.region
        )
        #expect(bytes(count) == (header(2, 12) + .word64(1 << 40) + .word32(65536)).bytes)
        #expect(count == WireSize.holeChunk)
        count = ReplyEncoding.nothing(cookie: 0xABCD, into: arena.region)
        #expect(bytes(count) == header(0, 0).bytes)
    }

    @Test func `an error has its number, its text and the place`() {
        var count = ReplyEncoding.failure(
            .invalid,
            text: "no",
            offset: nil,
            cookie: 0xABCD,
            into: arena.region
        )
        #expect(
            bytes(count) == (header(0x8001, 8) + .word32(22) + .word16(2) + .text("no")).bytes
        )
        count = ReplyEncoding.failure(
            .inputOutput,
            text: "bad block",
            offset: 81920,
            cookie: 0xABCD,
            into: arena.region
        )
        let content = ClientBytes.word32(5) + .word16(9) + .text("bad block") + .word64(81920)
        #expect(bytes(count) == (header(0x8002, 23) + content).bytes)
        #expect(count <= WireSize.errorChunkMax)
    }

    // MARK: Block status

    private func status(
        _ runs: [(UInt64, UInt32)],
        request: UInt64,
        isOnlyOne: Bool = false,
        room: Int = 65536
    ) -> [[UInt32]] {
        var chunk = StatusChunk(
            target: arena.region[0..<room],
            requestByteCount: request,
            isOnlyOne: isOnlyOne
        )
        for (byteCount, status) in runs { chunk.append(byteCount: byteCount, status: status) }
        let count = chunk.finish(context: .tier, cookie: 0xABCD, isLast: true)
        let expected = (header(5, UInt32(count - 20)) + .word32(2)).bytes
        #expect(bytes(24) == expected)
        return stride(from: 24, to: count, by: 8).map { start in
            [start, start + 4].map { position in
                bytes(count)[position..<(position + 4)].reduce(0) { $0 * 256 + UInt32($1) }
            }
        }
    }

    @Test func `equal neighbours become one descriptor`() {
        #expect(
            status([(4096, 1), (4096, 1), (8192, 3), (4096, 1)], request: 20480)
                == [[8192, 1], [8192, 3], [4096, 1]]
        )
    }

    @Test func `no descriptor is empty and none passes the request`() {
        #expect(status([(0, 5), (4096, 1), (0, 2), (1 << 40, 1)], request: 6000) == [[6000, 1]])
        #expect(status([(4096, 1), (4096, 2)], request: 4096) == [[4096, 1]])
    }

    @Test func `an answer may stop early`() {
        #expect(status([(4096, 1)], request: 1 << 20) == [[4096, 1]])
    }

    @Test func `only one is one, merged and cut`() {
        #expect(
            status([(4096, 1), (4096, 1), (4096, 2)], request: 1 << 20, isOnlyOne: true)
                == [[8192, 1]]
        )
        #expect(status([(1 << 20, 1)], request: 10, isOnlyOne: true) == [[10, 1]])
    }

    @Test func `a run too long for 32 bits is split at 2^32 - 4096`() {
        let limit: UInt64 = (1 << 32) - 4096
        #expect(status([((1 << 32) - 1, 3)], request: (1 << 32) - 1) == [[.max, 3]])
        #expect(
            status([(1 << 32, 3)], request: 1 << 32) == [[UInt32(limit), 3], [4096, 3]]
        )
        #expect(
            status([(3 << 32, 3), (512, 1)], request: 1 << 40)
                == [
                    [UInt32(limit), 3], [UInt32(limit), 3], [UInt32(limit), 3], [12288, 3],
                    [512, 1],
                ]
        )
        #expect(
            status([(3 << 32, 3)], request: 1 << 40, isOnlyOne: true) == [[UInt32(limit), 3]]
        )
    }

    @Test func `descriptors end where their room ends`() {
        let runs = (0..<10).map { (UInt64(4096), UInt32($0)) }
        let room = StatusChunk.byteCount(ofDescriptors: 3)
        #expect(
            status(runs, request: 1 << 20, room: room) == [[4096, 0], [4096, 1], [4096, 2]]
        )
    }

    /// A cover of any runs, however given, tells the same status for each byte as the runs do.
    @Test func `random runs are told as they are`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(state: seed)
        for _ in 0..<300 {
            let runs = (0..<Int(generator.next() % 40)).map { _ in
                (generator.next() % 5, UInt32(generator.next() % 3))
            }
            let request = generator.next() % 100 + 1
            let found = status(runs, request: request)
            let wanted = runs.flatMap { Array(repeating: $0.1, count: Int($0.0)) }
            let told = found.flatMap { Array(repeating: $0[1], count: Int($0[0])) }
            #expect(told == Array(wanted.prefix(Int(request))), "seed \(seed)")
            #expect(found.allSatisfy { $0[0] > 0 }, "seed \(seed)")
        }
    }
}
