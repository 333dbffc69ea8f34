// Big-endian words: read from a span, stored into a span, appended to an array.  Spans check their
// bounds; whoever reads or stores has made sure that the bytes are there.
extension RawSpan {
    func big16(at offset: Int) -> UInt16 {
        UInt16(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
    func big32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    func big64(at offset: Int) -> UInt64 {
        UInt64(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension MutableRawSpan {
    @_lifetime(self: copy self)
    mutating func storeBig(_ value: UInt16, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }
    @_lifetime(self: copy self)
    mutating func storeBig(_ value: UInt32, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }
    @_lifetime(self: copy self)
    mutating func storeBig(_ value: UInt64, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
    }
}

extension [UInt8] {
    /// Appends `value`, most significant byte first.
    mutating func appendBig(_ value: some FixedWidthInteger & UnsignedInteger) {
        var shift = type(of: value).bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}

/// Reads the data of one option from front to back; nothing outside it can be reached, and what is
/// missing is nil.
struct OptionReader {
    private var rest: ArraySlice<UInt8>

    init(_ data: ArraySlice<UInt8>) { rest = data }

    /// Bytes not yet read.
    var byteCount: Int { rest.count }

    mutating func word16() -> UInt16? {
        word(byteCount: 2).map { UInt16(truncatingIfNeeded: $0) }
    }
    mutating func word32() -> UInt32? {
        word(byteCount: 4).map { UInt32(truncatingIfNeeded: $0) }
    }
    mutating func word64() -> UInt64? { word(byteCount: 8) }

    /// The next `count` bytes; nil when there are fewer.
    mutating func bytes(count: UInt32) -> ArraySlice<UInt8>? {
        guard count <= UInt32(clamping: rest.count) else { return nil }
        let taken = rest.prefix(Int(count))
        rest = rest.dropFirst(Int(count))
        return taken
    }

    private mutating func word(byteCount: Int) -> UInt64? {
        guard rest.count >= byteCount else { return nil }
        var value: UInt64 = 0
        for byte in rest.prefix(byteCount) { value = value << 8 | UInt64(byte) }
        rest = rest.dropFirst(byteCount)
        return value
    }
}
