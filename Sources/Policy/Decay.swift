internal import Units

/// How fast heat is forgotten: two half-lives, in ticks, and what is derived from them.
///
/// A tick is a second of pool uptime in production; tests and replays pass whatever they count in.
/// Values decay in steps of 1/64 of a half-life and not with every tick.  One step takes 1.1 % off,
/// which a 16-bit value can hold (its own steps are 0.05 %); a decay of 0.02 % a second would be
/// rounded away, and a chunk touched every second would never cool.
package struct HeatScale: Sendable, BitwiseCopyable {
    /// Steps of 1/64 of the short half-life in a tick, times 2^24.
    @usableFromInline let shortStepsPerTick: UInt64
    /// Steps of 1/64 of the long half-life in a tick, times 2^24.
    @usableFromInline let longStepsPerTick: UInt64
    /// Touches an hour for each unit of a short average: ln 2 / half-life in hours.
    @usableFromInline let shortHourlyRate: Float
    /// Touches an hour for each unit of a long average.
    @usableFromInline let longHourlyRate: Float
    @usableFromInline let hoursPerTick: Float

    /// - Parameters:
    ///   - shortHalfLifeTicks: at least 1.
    ///   - longHalfLifeTicks: at least the short one.
    ///   - ticksPerHour: what turns averages into rates.
    @inlinable
    package init(
        shortHalfLifeTicks: UInt32,
        longHalfLifeTicks: UInt32,
        ticksPerHour: UInt32 = 3600
    ) {
        invariant(shortHalfLifeTicks >= 1, "a half-life is at least one tick")
        invariant(longHalfLifeTicks >= shortHalfLifeTicks, "the long half-life is the longer one")
        // 64 x 2^24 = 2^30.  A tick count of 32 bits times 2^30 fits 64 bits.
        shortStepsPerTick = (1 << 30) / UInt64(shortHalfLifeTicks)
        longStepsPerTick = (1 << 30) / UInt64(longHalfLifeTicks)
        shortHourlyRate = 0.693_147_2 * Float(ticksPerHour) / Float(shortHalfLifeTicks)
        longHourlyRate = 0.693_147_2 * Float(ticksPerHour) / Float(longHalfLifeTicks)
        hoursPerTick = 1 / Float(max(1, ticksPerHour))
    }

    @inlinable
    package func hours(ofTicks count: UInt32) -> Float { Float(count) * hoursPerTick }

    /// One hour and one day, in ticks of a second.
    @inlinable
    package static var standard: HeatScale {
        HeatScale(shortHalfLifeTicks: 3600, longHalfLifeTicks: 86_400)
    }
}

/// A non-negative number in 16 bits: 5 bits of exponent, 11 of mantissa, from 2^-19 to just below
/// 2^12, exact for whole numbers up to 4,095, and zero as zero.  Larger values stay at the top.
///
/// The bits are those of a `Float` with its exponent moved and its mantissa cut, so that both
/// conversions are an addition and a shift, and larger codes are larger numbers.
@usableFromInline
enum CompactNumber {
    /// The exponent of 2^-19 in a `Float` is 127 - 19 = 108, and code 1 here; code 0 is zero.
    @usableFromInline static var exponentOffset: UInt32 { 107 << 23 }

    @inlinable
    @inline(__always)
    static func value(of code: UInt16) -> Float {
        code < 0x800 ? 0 : Float(bitPattern: UInt32(code) << 12 + exponentOffset)
    }

    /// Rounds to the nearest code.
    @inlinable
    @inline(__always)
    static func code(of value: Float) -> UInt16 {
        let bits = value.bitPattern &+ 0x800
        guard bits >= exponentOffset + 1 << 23 else { return 0 }
        return UInt16(truncatingIfNeeded: min((bits - exponentOffset) >> 12, 0xFFFF))
    }
}

/// 2^(-steps / 64): what is left after `steps` steps.
@inlinable
@inline(__always)
func remainder(afterSteps steps: UInt64) -> Float {
    guard steps < 40 * 64 else { return 0 }
    // Fractions by a polynomial of 2^-x on 0..<1 (error below 2e-4 of the value, far below the
    // 1.1 % of a step), whole half-lives by the exponent.
    let x = Float(steps & 63) * (1 / 64)
    let fraction = 1 + x * (-0.692_97 + x * (0.238_24 + x * (-0.045_27)))
    return fraction * Float(bitPattern: UInt32(127 - Int(steps >> 6)) << 23)
}
