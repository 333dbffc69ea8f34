/// A 128-bit identity that is made at random once and never used twice.
@usableFromInline
package struct Identifier: Hashable, Sendable, Comparable, BitwiseCopyable, CustomStringConvertible
{
    @usableFromInline package var high: UInt64
    @usableFromInline package var low: UInt64

    @inlinable
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Draws a new identity from `generator`.
    package init(from generator: inout some RandomNumberGenerator) {
        self.init(high: generator.next(), low: generator.next() | 1)
    }

    /// Reads the 8-4-4-4-12 form that `description` writes, in small or capital digits; nil when
    /// the text is not in it.
    package init?(_ text: String) {
        var halves: [2 of UInt64] = [0, 0]
        var digitCount = 0
        for (place, byte) in text.utf8.enumerated() {
            if [8, 13, 18, 23].contains(place) {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard digitCount < 32, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                return nil
            }
            halves[digitCount / 16] = halves[digitCount / 16] << 4 | UInt64(digit)
            digitCount += 1
        }
        guard digitCount == 32 else { return nil }
        self.init(high: halves[0], low: halves[1])
    }

    @inlinable
    package static func < (left: Identifier, right: Identifier) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    @usableFromInline package var description: String {
        func hex(_ value: UInt64) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        let digits = Array(hex(high) + hex(low))
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
        return groups.map { String(digits[$0]) }.joined(separator: "-")
    }
}

@usableFromInline package typealias PoolIdentifier = Identifier
@usableFromInline package typealias DeviceIdentifier = Identifier
@usableFromInline package typealias VolumeIdentifier = Identifier

/// A device's place in the pool's device list, from zero.
@usableFromInline
package struct DeviceIndex: Hashable, Sendable, Comparable, BitwiseCopyable {
    @usableFromInline package var rawValue: UInt8
    @inlinable package init(_ rawValue: UInt8) { self.rawValue = rawValue }
    @inlinable
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A segment's place on its device, from zero.
@usableFromInline
package struct SegmentIndex: Hashable, Sendable, Comparable, BitwiseCopyable {
    @usableFromInline package var rawValue: UInt32
    @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A segment of a pool: which device, and where on it.
@usableFromInline
package struct SegmentAddress: Hashable, Sendable, Comparable, BitwiseCopyable {
    @usableFromInline package var device: DeviceIndex
    @usableFromInline package var index: SegmentIndex
    @inlinable
    package init(device: DeviceIndex, index: SegmentIndex) {
        self.device = device
        self.index = index
    }
    @inlinable
    package static func < (left: Self, right: Self) -> Bool {
        (left.device, left.index) < (right.device, right.index)
    }
}

/// A tree of leaves: a live volume, or later a snapshot.  Never used twice in a pool.
@usableFromInline
package struct TreeIdentifier: Hashable, Sendable, Comparable, BitwiseCopyable {
    @usableFromInline package var rawValue: UInt64
    @inlinable package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One of the pool's logs, from zero.
@usableFromInline
package struct LaneIndex: Hashable, Sendable, Comparable, BitwiseCopyable {
    @usableFromInline package var rawValue: UInt16
    @inlinable package init(_ rawValue: UInt16) { self.rawValue = rawValue }
    @inlinable
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The place of one entry in its lane's write order.
///
/// The upper 24 bits are the pool's incarnation (how often it was opened) and the lower 40 count
/// within it, so that no number is ever used twice, whatever a crash took away.
@usableFromInline
package struct SequenceNumber: Hashable, Sendable, Comparable, BitwiseCopyable {
    @usableFromInline package var rawValue: UInt64
    @inlinable package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable
    package init(incarnation: UInt32, count: UInt64) {
        rawValue = UInt64(incarnation) << 40 | count
    }
    @inlinable
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The place of one record in its stream's chain; consecutive, from one.
@usableFromInline
package struct RecordNumber: Hashable, Sendable, Comparable, BitwiseCopyable {
    @usableFromInline package var rawValue: UInt64
    @inlinable package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    @inlinable package var next: RecordNumber { RecordNumber(rawValue + 1) }
}

/// What a device is for.
@usableFromInline
package enum DeviceRole: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    case flash = 1
    case disk = 2
}

/// Which of a lane's streams a segment belongs to.
@usableFromInline
package enum StreamKind: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// What hosts write, in log order, on flash.  The only stream that recovery replays.
    case host = 1
    /// What was found warm by reclaim, or was promoted, on flash.
    case mature = 2
    /// What cooled, on disk.
    case cold = 3
}

/// A point in time, in nanoseconds of a clock that never goes back.  Zero is the clock's start.
@usableFromInline
package struct Instant: Hashable, Sendable, Comparable, BitwiseCopyable {
    @usableFromInline package var nanoseconds: UInt64
    @inlinable package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
    @inlinable
    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
    @inlinable
    package func advanced(byNanoseconds count: UInt64) -> Instant {
        Instant(nanoseconds: nanoseconds &+ count)
    }
    /// Nanoseconds since `earlier`; zero when `earlier` is later.
    @inlinable
    package func nanoseconds(since earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }
}
