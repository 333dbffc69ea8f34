import Format
import Units

/// Reads an input as numbers, from front to back; behind its end everything is zero.
struct InputReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ input: RawSpan) { bytes = input.copied }

    var isAtEnd: Bool { position >= bytes.count }

    mutating func byte() -> UInt8 {
        defer { position += 1 }
        return position < bytes.count ? bytes[position] : 0
    }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) -> Number {
        (0..<(Number.bitWidth / 8)).reduce(0) { value, _ in
            value << 8 | Number(truncatingIfNeeded: byte())
        }
    }

    /// Below `end`, which is above zero.
    mutating func number(below end: Int) -> Int { Int(number(UInt16.self)) % end }

    mutating func flag() -> Bool { byte() & 1 == 1 }

    /// At most `count` bytes.
    mutating func take(_ count: Int) -> [UInt8] {
        let start = min(position, bytes.count)
        let end = min(start + count, bytes.count)
        position = end
        return Array(bytes[start..<end])
    }

    mutating func rest() -> [UInt8] { take(.max - bytes.count) }
}

extension RawSpan {
    /// A copy of the bytes, in an allocation of their length.
    ///
    /// In one go: a loop is instrumented, and would take longer than what is tried.
    var copied: [UInt8] {
        // Safe: the bytes are copied before the closure returns.
        unsafe withUnsafeBytes { unsafe Array($0) }
    }
}

extension [UInt8] {
    /// The bytes as decoders take them.
    var raw: RawSpan {
        @_lifetime(borrow self)
        get {
            // Safe: bytes have no padding between them.
            unsafe span.bytes
        }
    }

    mutating func change(_ body: (inout MutableRawSpan) -> Void) {
        var span = mutableSpan
        // Safe: any bytes are valid elements of an array of bytes.
        var raw = unsafe span.mutableBytes
        body(&raw)
    }

    /// Makes the checksum of a structure fit its bytes: a fuzzer never guesses it.
    ///
    /// - Parameter start: where it starts from; a record's comes from its segment's nonce.
    mutating func fixChecksum(from start: UInt32 = 0) {
        guard count >= Preamble.byteCount else { return }
        let field = Preamble.Layout.checksum
        let checksum = Checksum.crc32c(raw, skipping: field.offset, from: start)
        change { checksum.store(into: &$0, at: field.offset) }
    }

    /// A block that `encode` fills.  It is full of ones before: what is to be zero is written so.
    static func block(_ encode: (inout MutableRawSpan) -> Void) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xFF, count: Geometry.blockByteCount)
        bytes.change(encode)
        return bytes
    }

    mutating func appendBig(_ number: some FixedWidthInteger) {
        for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
