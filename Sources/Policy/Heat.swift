internal import Units

/// What touched a chunk.
package enum Touch: UInt8, Sendable, BitwiseCopyable {
    case read
    case write
}

/// How much one chunk has been read and written lately, in 12 bytes.
///
///     word  bits    field
///        0  0..<32  tick of the last touch
///        1  0..<16  reads, short average      16..<32  reads, long average
///        2  0..<16  writes, short average     16..<32  writes, long average
///
/// An average is a count in which each touch has lost half its weight after a half-life.  It is
/// held as of the last touch and decayed when it is looked at, so an untouched chunk costs no work.
/// The three words are also the stored form.  All zeros is a chunk that was never touched.
///
/// A touch of a sequential run weighs 1/16 for each block of the chunk that it covers: a scan
/// counts once, whether it reads the chunk at one go or in sixteen blocks.  Averages stay at 4,095
/// once they reach it: 0.8 touches a second by the short one.
package struct Heat: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline var lastTick: UInt32
    @usableFromInline var reads: UInt32
    @usableFromInline var writes: UInt32

    /// Never touched.
    @inlinable
    package init() {
        lastTick = 0
        reads = 0
        writes = 0
    }

    /// Takes the words back that `words` gave.  Every value is valid.
    @inlinable
    package init(words: InlineArray<3, UInt32>) {
        lastTick = words[0]
        reads = words[1]
        writes = words[2]
    }

    @inlinable package var words: InlineArray<3, UInt32> { [lastTick, reads, writes] }

    @inlinable package var isUntouched: Bool { lastTick | reads | writes == 0 }

    /// When the chunk was last touched; zero for one that never was.
    @inlinable package var lastTouch: UInt32 { lastTick }

    /// Counts one touch of `blockCount` blocks at `tick`.  A tick before the last touch counts as
    /// the last touch's.
    @inlinable
    package mutating func touch(
        _ kind: Touch,
        tick: UInt32,
        isSequential: Bool,
        blockCount: Int = 1,
        scale: HeatScale = .standard
    ) {
        let now = max(tick, lastTick)
        let factors = remainders(at: now, scale)
        let weight = isSequential ? Float(min(blockCount, 16)) / 16 : 1
        let isRead = kind == .read
        reads = Self.decayed(reads, by: factors, adding: isRead ? weight : 0)
        writes = Self.decayed(writes, by: factors, adding: isRead ? 0 : weight)
        lastTick = now
    }

    /// Reads an hour: the larger of what the short and the long average say.
    @inlinable
    package func readsPerHour(tick: UInt32, scale: HeatScale = .standard) -> Float {
        rate(of: reads, remainders(at: tick, scale), scale)
    }

    /// Writes an hour, in the same way.
    @inlinable
    package func writesPerHour(tick: UInt32, scale: HeatScale = .standard) -> Float {
        rate(of: writes, remainders(at: tick, scale), scale)
    }

    /// Heat, from zero: touches an hour, a write counting half of a read.
    ///
    /// The short average answers at once to a change; the long one remembers yesterday.  The larger
    /// counts, so a burst is hot now, and what is used every day does not cool overnight.  A write
    /// weighs less since the log takes it wherever the chunk lives; a read from disk costs a seek.
    @inlinable
    package func value(tick: UInt32, scale: HeatScale = .standard) -> Float {
        let factors = remainders(at: tick, scale)
        return rate(of: reads, factors, scale) + 0.5 * rate(of: writes, factors, scale)
    }

    /// Heat on a logarithmic scale: 0 never touched, 1...255 from 2^-6 to 2^11 touches an hour.
    @inlinable
    package func bucket(tick: UInt32, scale: HeatScale = .standard) -> UInt8 {
        isUntouched ? 0 : Self.bucket(ofValue: value(tick: tick, scale: scale))
    }

    /// Heat in the eight levels that people see: 0 never touched, 1...7 cold to hot.
    @inlinable
    package func heatBucket(tick: UInt32, scale: HeatScale = .standard) -> UInt8 {
        let fine = UInt32(bucket(tick: tick, scale: scale))
        return fine == 0 ? 0 : UInt8(1 + (fine - 1) * 7 / 255)
    }

    /// Heat from 0 to 1 on the logarithmic scale, for people and for limits in policies.
    @inlinable
    package func score(tick: UInt32, scale: HeatScale = .standard) -> Float {
        Float(bucket(tick: tick, scale: scale)) / 255
    }

    /// The logarithmic scale itself: 15 buckets an octave, 17 octaves, 1 + 15 x 17 = 256 codes.
    @inlinable
    package static func bucket(ofValue value: Float) -> UInt8 {
        // The bits of a Float, read as a number, are its logarithm with straight lines between the
        // powers of two: monotonic, and near enough for a scale of fifteenths of an octave.
        let octaves = Float(value.bitPattern) / Float(1 << 23) - 127 + 6
        return UInt8(1 + max(0, min(254, octaves * 15)))
    }

    // MARK: Private work

    @usableFromInline
    struct Remainders {
        @usableFromInline var short: Float
        @usableFromInline var long: Float
        @inlinable
        init(short: Float, long: Float) {
            self.short = short
            self.long = long
        }
    }

    /// What is left of the averages at `tick`.
    @inlinable
    @inline(__always)
    func remainders(at tick: UInt32, _ scale: HeatScale) -> Remainders {
        guard tick > lastTick else { return Remainders(short: 1, long: 1) }
        // Differences of absolute step numbers, so that many short waits decay like one long one.
        func steps(_ perTick: UInt64) -> UInt64 {
            (UInt64(tick) &* perTick) >> 24 &- (UInt64(lastTick) &* perTick) >> 24
        }
        return Remainders(
            short: remainder(afterSteps: steps(scale.shortStepsPerTick)),
            long: remainder(afterSteps: steps(scale.longStepsPerTick))
        )
    }

    @inlinable
    @inline(__always)
    static func decayed(_ word: UInt32, by left: Remainders, adding weight: Float) -> UInt32 {
        let short = CompactNumber.value(of: UInt16(truncatingIfNeeded: word)) * left.short
        let long = CompactNumber.value(of: UInt16(truncatingIfNeeded: word >> 16)) * left.long
        return UInt32(CompactNumber.code(of: short + weight))
            | UInt32(CompactNumber.code(of: long + weight)) << 16
    }

    @inlinable
    @inline(__always)
    func rate(of word: UInt32, _ left: Remainders, _ scale: HeatScale) -> Float {
        let short = CompactNumber.value(of: UInt16(truncatingIfNeeded: word)) * left.short
        let long = CompactNumber.value(of: UInt16(truncatingIfNeeded: word >> 16)) * left.long
        return max(short * scale.shortHourlyRate, long * scale.longHourlyRate)
    }
}
