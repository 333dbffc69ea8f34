import IO
import Testing
import Units

/// CRC-32C bit by bit, straight from its definition.
private func reference(_ bytes: some Sequence<UInt8>, from start: UInt32 = 0) -> UInt32 {
    var state = ~start
    for byte in bytes {
        state ^= UInt32(byte)
        for _ in 0..<8 { state = state >> 1 ^ (state & 1 == 1 ? 0x82F6_3B78 : 0) }
    }
    return ~state
}

/// Proves that both fast ways to compute CRC-32C, alone and while copying, equal the definition,
/// for lengths around every step of the implementation (8 bytes, 3 stretches of 1,360), at every
/// alignment of source and target, and going on from any earlier result.
@Suite struct ChecksumTests {
    @Test func `the check value is that of the standard`() {
        let text = Array("123456789".utf8)
        let space = memory(byteCount: 16)
        for (index, byte) in text.enumerated() {
            unsafe space.baseAddress.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
        #expect(reference(text) == 0xE306_9283)
        #expect(space[0..<9].checksum(from: 0) == 0xE306_9283)
        #expect(
            memory(byteCount: 16)[0..<9].copy(from: space[0..<9], checksumFrom: 0) == 0xE306_9283
        )
        // RFC 3720, B.4: 32 bytes of zeros.
        #expect(memory(byteCount: 32).checksum(from: 0) == 0x8A91_36AA)
    }

    @Test(arguments: [
        0, 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 511, 1359, 1360, 1361, 4079, 4080, 4081, 4087,
        4088, 4089, 4095, 4096, 4097, 8160, 8161, 12_288, 65_536,
    ])
    func `plain and copying equal the definition`(byteCount: Int) {
        let source = memory(byteCount: byteCount + 16)
        source[0..<(byteCount + 16) / 8 * 8].fill(seed: UInt64(byteCount))
        let target = memory(byteCount: byteCount + 32)
        let starts: [UInt32] = [0, 0xFFFF_FFFF, 0x1234_5678]
        for shift in 0..<8 {
            let part = source[shift..<(shift + byteCount)]
            let bytes = (0..<byteCount).map { byte(part, $0) }
            let start = starts[shift % 3]
            let expected = reference(bytes, from: start)
            #expect(part.checksum(from: start) == expected)
            let place = 8 + shift * 3 % 8
            target.zero()
            let copied = target[place..<(place + byteCount)].copy(from: part, checksumFrom: start)
            #expect(copied == expected)
            #expect(target[place..<(place + byteCount)].equals(part))
            // Nothing around the target was touched.
            #expect((0..<place).allSatisfy { byte(target, $0) == 0 })
            #expect(((place + byteCount)..<target.byteCount).allSatisfy { byte(target, $0) == 0 })
        }
    }

    @Test func `a checksum goes on where another ended`() {
        let whole = memory(byteCount: 16_384)
        whole.fill(seed: 5)
        let expected = whole.checksum(from: 0)
        var random = RandomSource(seed: 6)
        for _ in 0..<200 {
            let cut = Int.random(in: 0...16_384, using: &random)
            let head = whole[0..<cut].checksum(from: 0)
            #expect(whole[cut..<16_384].checksum(from: head) == expected)
        }
    }
}
