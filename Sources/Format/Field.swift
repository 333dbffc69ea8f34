package import Units

/// One field of a structure: where its value of type `Value` begins, in bytes from the start.
///
/// Layouts declare their fields as computed properties, which fold to plain loads and stores.
package struct Field<Value: FieldValue>: Sendable {
    package let offset: Int
    @inlinable package init(at offset: Int) { self.offset = offset }

    /// The field's line in its structure's table.
    package func row(_ name: StaticName) -> LayoutRow {
        LayoutRow(name: name, offset: offset, byteCount: Value.storedByteCount)
    }
}

/// A stretch of bytes in a structure: text, a table, or what is reserved and must be zero.
package struct Stretch: Sendable {
    package let offset: Int
    package let byteCount: Int
    @inlinable
    package init(at offset: Int, byteCount: Int) {
        self.offset = offset
        self.byteCount = byteCount
    }

    @inlinable package var range: Range<Int> { offset..<(offset + byteCount) }

    /// The stretch's line in its structure's table.
    package func row(_ name: StaticName) -> LayoutRow {
        LayoutRow(name: name, offset: offset, byteCount: byteCount)
    }
}

/// A line of a structure's table: the rows of a structure fill its size and do not overlap.
package struct LayoutRow: Equatable, Sendable {
    package var name: StaticName
    package var offset: Int
    package var byteCount: Int
}

/// A value with one stored form of a fixed size, little-endian.
package protocol FieldValue: Sendable {
    static var storedByteCount: Int { get }
    static func load(from bytes: RawSpan, at offset: Int) -> Self
    func store(into bytes: inout MutableRawSpan, at offset: Int)
}

extension FieldValue where Self: FixedWidthInteger & BitwiseCopyable {
    package static var storedByteCount: Int { bitWidth / 8 }
    @inline(__always)
    package static func load(from bytes: RawSpan, at offset: Int) -> Self {
        Self(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Self.self))
    }
    @inline(__always)
    package func store(into bytes: inout MutableRawSpan, at offset: Int) {
        bytes.storeBytes(of: littleEndian, toByteOffset: offset, as: Self.self)
    }
}

extension UInt8: FieldValue {}
extension UInt16: FieldValue {}
extension UInt32: FieldValue {}
extension UInt64: FieldValue {}
extension Int64: FieldValue {}

/// The high word, then the low word, each little-endian.
extension Identifier: FieldValue {
    package static var storedByteCount: Int { 16 }
    package static func load(from bytes: RawSpan, at offset: Int) -> Identifier {
        Identifier(high: .load(from: bytes, at: offset), low: .load(from: bytes, at: offset + 8))
    }
    package func store(into bytes: inout MutableRawSpan, at offset: Int) {
        high.store(into: &bytes, at: offset)
        low.store(into: &bytes, at: offset + 8)
    }
}

extension RawSpan {
    @inline(__always)
    func load<Value>(_ field: Field<Value>) -> Value { .load(from: self, at: field.offset) }

    /// Whether every byte of `range` is zero.
    func isZero(in range: Range<Int>) -> Bool {
        var offset = range.lowerBound
        var unions = SIMD8<UInt64>()
        invariant(range.upperBound <= byteCount, "a range lies in its span")
        while offset + 64 <= range.upperBound {
            unions |= unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
            offset += 64
        }
        var union = unions.indices.reduce(0) { $0 | unions[$1] }
        while offset + 8 <= range.upperBound {
            union |= word64(at: offset)
            offset += 8
        }
        while offset < range.upperBound {
            union |= UInt64(byte(at: offset))
            offset += 1
        }
        return union == 0
    }
}

extension MutableRawSpan {
    @inline(__always)
    mutating func store<Value: FieldValue>(_ value: Value, in field: Field<Value>) {
        value.store(into: &self, at: field.offset)
    }

    /// Writes zeros over the whole span.
    mutating func zero() { zero(in: 0..<byteCount) }

    /// Writes zeros over `range`.
    mutating func zero(in range: Range<Int>) {
        var offset = range.lowerBound
        while offset + 8 <= range.upperBound {
            storeBytes(of: 0, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        while offset < range.upperBound {
            storeBytes(of: 0, toByteOffset: offset, as: UInt8.self)
            offset += 1
        }
    }
}
