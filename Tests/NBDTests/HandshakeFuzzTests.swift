import NBD
import Testing
import Units

/// Random and half-random bytes in each phase of the handshake.  What it must show is that nothing
/// traps, that output and held bytes stay bounded, and that the way of cutting never matters.  A
/// failure prints the seed.
@Suite struct HandshakeFuzzTests {
    private static let openings: [ClientBytes] = [
        ClientBytes(), .flags(), .flags(1), .flags() + .option(8),
        .flags() + .option(8) + .option(10, .contexts("tank/db01", ["base:allocation"])),
    ]

    @Test(arguments: 0..<openings.count)
    func `random bytes are survived in each phase`(_ opening: Int) {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(state: seed)
        for _ in 0..<1500 {
            let bytes = Self.openings[opening].bytes + noise(&generator)
            let whole = Result(of: bytes, cuts: [], directory: SampleDirectory())
            let cut = Int(generator.next() % UInt64(bytes.count + 1))
            let halves = Result(of: bytes, cuts: [cut], directory: SampleDirectory())
            #expect(whole == halves, "seed \(seed)")
        }
    }

    @Test func `damaged conversations are survived`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(state: seed)
        for _ in 0..<20_000 {
            let samples = HandshakeTests.cases
            let first = samples[Int(generator.next() % UInt64(samples.count))]
            let second = samples[Int(generator.next() % UInt64(samples.count))]
            guard first.sent.count + second.sent.count < 2000 else { continue }
            var bytes = ClientBytes.flags().bytes + first.sent + second.sent
            for _ in 0...(generator.next() % 4) {
                let position = Int(generator.next() % UInt64(bytes.count))
                switch generator.next() % 3 {
                case 0: bytes[position] ^= 1 << UInt8(generator.next() % 8)
                case 1: bytes[position] = [0, 1, 0x7F, 0x80, 0xFF][Int(generator.next() % 5)]
                default: if bytes.count > 1 { bytes.remove(at: position) }
                }
            }
            let whole = Result(of: bytes, cuts: [], directory: SampleDirectory())
            let cut = Int(generator.next() % UInt64(bytes.count + 1))
            let halves = Result(of: bytes, cuts: [cut], directory: SampleDirectory())
            #expect(whole == halves, "seed \(seed)")
            #expect(whole.output.count < 1 << 20, "seed \(seed)")
        }
    }

    /// Bytes at random, or an option header whose fields are.
    private func noise(_ generator: inout SeededGenerator) -> [UInt8] {
        let count = Int(generator.next() % 200)
        let random = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        if generator.next() % 4 == 0 { return random }
        let code = UInt32(generator.next() % 13)
        let length: UInt32? =
            generator.next() % 2 == 0 ? nil : UInt32(truncatingIfNeeded: generator.edge())
        var data = ClientBytes(bytes: random)
        if generator.next() % 2 == 0 {
            let claimed = UInt32(truncatingIfNeeded: generator.edge())
            data = .word32(generator.next() % 2 == 0 ? 9 : claimed) + .text("tank/db01") + data
        }
        return ClientBytes.option(code, data, length: length).bytes
    }
}
