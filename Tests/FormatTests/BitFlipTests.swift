import Format
import Testing
import Units

/// Every single bit of every checked structure is flipped in turn, and each is refused: by its
/// magic in the first eight bytes, by its checksum everywhere else.
@Suite struct BitFlipTests {
    /// Bits of `bytes` whose flip `decode` does not refuse in the way that it must.
    private func unnoticed(
        in bytes: [UInt8],
        _ decode: (RawSpan) throws(FormatError) -> Void
    ) -> [Int] {
        var bytes = bytes
        var bits: [Int] = []
        for bit in 0..<(bytes.count * 8) {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            do throws(FormatError) {
                try decode(bytes.raw)
                bits.append(bit)
            } catch {
                let isRight =
                    switch error {
                    case .noMagic: bit < 64
                    case .checksum: bit >= 64
                    default: false
                    }
                if !isRight { bits.append(bit) }
            }
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
        return bits
    }

    @Test func `no flipped bit of a superblock goes unnoticed`() {
        let bytes = Bytes.block { Sample.superblock.encode(into: &$0) }
        let bits = unnoticed(in: bytes) { span throws(FormatError) in
            _ = try Superblock(decoding: span)
        }
        #expect(bits == [])
    }

    @Test func `no flipped bit of a segment header goes unnoticed`() {
        let bytes = Bytes.block { Sample.segment.encode(into: &$0) }
        let bits = unnoticed(in: bytes) { span throws(FormatError) in
            _ = try SegmentHeader(decoding: span)
        }
        #expect(bits == [])
    }

    @Test func `no flipped bit of a record of the mirror goes unnoticed`() {
        let bits = unnoticed(in: Sample.mirror()) { span throws(FormatError) in
            _ = try MirrorRecord.decode(span)
        }
        #expect(bits == [])
    }

    @Test func `no flipped bit of a witness goes unnoticed`() {
        let bytes = Bytes.block { Sample.witness.encode(into: &$0) }
        let bits = unnoticed(in: bytes) { span throws(FormatError) in
            _ = try Witness(decoding: span)
        }
        #expect(bits == [])
    }

    @Test(arguments: [false, true])
    func `no flipped bit of a record header goes unnoticed`(isTail: Bool) {
        let bits = unnoticed(in: Sample.record(isTail: isTail)) { span throws(FormatError) in
            _ = try RecordHeader(decoding: span, nonce: Sample.nonce)
        }
        #expect(bits == [])
    }

    @Test func `no flipped bit of a leaf goes unnoticed`() {
        let bits = unnoticed(in: Sample.leaf()) { span throws(FormatError) in
            _ = try LeafFormat.identity(of: span)
        }
        #expect(bits == [])
    }

    @Test func `no flipped bit of heat goes unnoticed`() {
        var words = Sample.heat
        let bits = unnoticed(in: HeatFormat.encode(words.span)) { span throws(FormatError) in
            var target = words.mutableSpan
            try HeatFormat.decode(span, into: &target)
        }
        #expect(bits == [])
    }

    @Test func `bytes that are all zero are nothing`() {
        let bytes = [UInt8](repeating: 0, count: Geometry.blockByteCount)
        #expect(throws: FormatError.noMagic(structure: "superblock")) {
            try Superblock(decoding: bytes.raw)
        }
        #expect(throws: FormatError.noMagic(structure: "segment")) {
            try SegmentHeader(decoding: bytes.raw)
        }
        #expect(throws: FormatError.noMagic(structure: "record")) {
            try RecordHeader(decoding: bytes.raw, nonce: 0)
        }
        #expect(throws: FormatError.noMagic(structure: "leaf")) {
            try LeafFormat.identity(of: bytes.raw)
        }
        #expect(throws: FormatError.unknownVersion(structure: "volume", found: 0)) {
            try VolumeControl(decoding: bytes.raw)
        }
    }
}
