import Format
import Units

/// Bytes as tests write and change them.
enum Bytes {
    /// A block that `encode` fills.  It is full of ones before: what is to be zero is written so.
    static func block(_ encode: (inout MutableRawSpan) -> Void) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xFF, count: Geometry.blockByteCount)
        change(&bytes, encode)
        return bytes
    }

    static func change(_ bytes: inout [UInt8], _ body: (inout MutableRawSpan) -> Void) {
        var span = bytes.mutableSpan
        // Safe: any bytes are valid elements of an array of bytes.
        var raw = unsafe span.mutableBytes
        body(&raw)
    }

    /// Makes the checksum of a structure fit its bytes again.
    ///
    /// - Parameter start: where it starts from; a record's comes from its segment's nonce.
    static func fixChecksum(_ bytes: inout [UInt8], from start: UInt32 = 0) {
        guard bytes.count >= Preamble.byteCount else { return }
        let place = Preamble.Layout.checksum.offset
        let checksum = Checksum.crc32c(bytes.raw, skipping: place, from: start)
        change(&bytes) { checksum.store(into: &$0, at: place) }
    }

    /// Bytes of `hex`, whose blanks count for nothing, then zeros up to `count`.
    static func parse(_ hex: String, count: Int? = nil) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        var bytes: [UInt8] = []
        for place in stride(from: 0, to: digits.count - 1, by: 2) {
            bytes.append(UInt8(digits[place] << 4 | digits[place + 1]))
        }
        return bytes + [UInt8](repeating: 0, count: (count ?? bytes.count) - bytes.count)
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

    /// Adds a number, little-endian.
    mutating func append(number: some FixedWidthInteger) {
        for byte in 0..<(number.bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: number >> (8 * byte)))
        }
    }
}
