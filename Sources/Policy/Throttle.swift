internal import Units

/// How short of free flash segments the pool is, and how much to slow admission for it.
///
///     free segments   high ............ low ............ reserve ..... 0
///     pressure        0                                  1             1
///     delay           0      grows with the square       delayMax      delayMax
///
/// Pressure and delay are smooth in the number of free segments and never jump, so that near full a
/// pool gets slower and never stops at an edge.  The delay holds each write request back; what it
/// admits shrinks until reclaim keeps up, and the two meet somewhere between the marks.
package struct FreeSegmentMarks: Sendable, BitwiseCopyable {
    /// At this many free segments or more nothing is slowed and nothing hurries.
    package let high: Int
    /// Kept for what reclaim itself writes; hosts may not take these.
    package let reserve: Int

    /// At this many free segments or more no write is held back: half-way between the two.  Reclaim
    /// has begun by then; only where it does not keep up are hosts slowed.
    @inlinable
    package var slow: Int { reserve + max(1, (high - reserve) / 2) }

    /// `high` is raised to more than `reserve` when it is not.
    @inlinable
    package init(high: Int, reserve: Int) {
        invariant(reserve >= 0, "a reserve is a count")
        self.reserve = reserve
        self.high = max(high, reserve + 1)
    }

    /// 0 at `high` free segments and above, 1 at `reserve` and below, straight between.
    @inlinable
    package func pressure(freeSegments: Int) -> Float {
        let missing = high - max(reserve, min(high, freeSegments))
        return Float(missing) / Float(high - reserve)
    }

    /// Nanoseconds to hold a write request back: 0 at `slow`, `maximum` at `reserve`.
    ///
    /// - Parameter fractionFree: of the segment that is being emptied or filled, 0...1, what to add
    ///   to `freeSegments`, so that the delay does not move in steps where marks are few segments
    ///   apart.
    @inlinable
    package func admissionDelay(
        freeSegments: Int,
        fractionFree: Float = 0,
        maximum: UInt64 = 20_000_000
    ) -> UInt64 {
        let free = max(Float(reserve), min(Float(slow), Float(freeSegments) + fractionFree))
        let missing = (Float(slow) - free) / Float(slow - reserve)
        return UInt64(missing * missing * Float(maximum))
    }
}
