import Format
import Testing
import Units

@Suite struct ChecksumTests {
    /// The definition, bit by bit: polynomial 0x1EDC6F41, reflected.
    private func reference(_ bytes: [UInt8]) -> UInt32 {
        var state = ~UInt32(0)
        for byte in bytes {
            state ^= UInt32(byte)
            for _ in 0..<8 { state = state >> 1 ^ (state & 1 == 1 ? 0x82F6_3B78 : 0) }
        }
        return ~state
    }

    @Test func `the way back ends where the checksum started`() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<20 {
            let bytes = (0..<4096).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let start = UInt32(truncatingIfNeeded: random.next())
            let checksum = Checksum.crc32c(bytes.raw, skipping: 12, from: start)
            #expect(Checksum.start(of: bytes.raw, skipping: 12, checksum: checksum) == start)
        }
    }

    @Test func `the known values come out`() {
        #expect(Checksum.crc32c(Array("123456789".utf8).raw) == 0xE306_9283)
        #expect(Checksum.crc32c([UInt8](repeating: 0, count: 32).raw) == 0x8A91_36AA)
        #expect(Checksum.crc32c([UInt8](repeating: 0xFF, count: 32).raw) == 0x62A8_AB43)
        #expect(Checksum.crc32c([UInt8]().raw) == 0)
    }

    /// Around each length at which another way of computing takes over.
    @Test(arguments: [0...40, 4070...4110, 8150...8200])
    func `every length is computed as defined`(lengths: ClosedRange<Int>) {
        var random = SeededGenerator(seed: 1)
        for length in lengths {
            let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            #expect(Checksum.crc32c(bytes.raw) == reference(bytes), "length \(length)")
        }
    }

    @Test func `a checksum goes on where another ended`() {
        let bytes = Array("from one end to the other".utf8)
        let whole = Checksum.crc32c(bytes.raw)
        for place in 0...bytes.count {
            let head = Checksum.crc32c(Array(bytes[..<place]).raw)
            #expect(Checksum.crc32c(Array(bytes[place...]).raw, from: head) == whole)
        }
    }

    @Test func `a field that is skipped counts as zero`() {
        var bytes = (0..<64).map { UInt8($0) }
        let found = Checksum.crc32c(bytes.raw, skipping: 12, from: 7)
        for place in 12..<16 { bytes[place] = 0 }
        #expect(found == Checksum.crc32c(bytes.raw, from: 7))
    }

    @Test func `a block's checksum is of its volume, place and version too`() {
        let block = [UInt8](repeating: 5, count: Geometry.blockByteCount)
        func checksum(_ volume: VolumeIdentifier, _ address: UInt64, _ sequence: UInt64) -> UInt32 {
            let seed = Checksum.seed(of: volume)
            let number = SequenceNumber(sequence)
            return Checksum.block(block.raw, seed: seed, address: address, sequence: number)
        }
        let own = checksum(Sample.volume, 9, 100)
        #expect(own == checksum(Sample.volume, 9, 100))
        #expect(own != checksum(Sample.clone, 9, 100))
        #expect(own != checksum(Sample.volume, 10, 100))
        #expect(own != checksum(Sample.volume, 9, 101))
    }
}
