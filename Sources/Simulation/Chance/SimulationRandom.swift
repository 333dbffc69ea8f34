/// The only source of chance in the simulator: xoshiro256** seeded by splitmix64 (both public
/// domain algorithms by Blackman and Vigna).
///
/// A seed has several streams, one for each part of the world, so that a draw more in one part does
/// not change what the others do.
package struct SimulationRandom: RandomNumberGenerator, Sendable {
    /// The parts of the world that draw.
    package enum Stream: UInt64, Sendable {
        case parameters = 1
        case workload, schedule, catalogue, crash, verification, identity, faultRates
        case mirror, substitution, tiers
        /// One for each device: this and the ones that follow.
        case device = 100
        /// Likewise.
        case faults = 200
    }

    private var first: UInt64
    private var second: UInt64
    private var third: UInt64
    private var fourth: UInt64

    package init(seed: UInt64, stream: Stream, index: UInt64 = 0) {
        var state = Self.mix(seed) ^ Self.mix((stream.rawValue &+ index) &* 0x9E37_79B9_7F4A_7C15)
        func draw() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            return Self.mix(state)
        }
        first = draw()
        second = draw()
        third = draw()
        fourth = draw() | 1
    }

    /// The finisher of splitmix64: every bit of the result depends on every bit of `value`.
    @inlinable
    package static func mix(_ value: UInt64) -> UInt64 {
        var x = value
        x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
        return x ^ (x >> 31)
    }

    package mutating func next() -> UInt64 {
        func rotate(_ x: UInt64, _ count: UInt64) -> UInt64 { (x << count) | (x >> (64 - count)) }
        let result = rotate(second &* 5, 7) &* 9
        let shifted = second << 17
        third ^= first
        fourth ^= second
        second ^= third
        first ^= fourth
        third ^= shifted
        fourth = rotate(fourth, 45)
        return result
    }

    /// A number from zero to below `bound`, which is above zero.
    package mutating func below(_ bound: UInt64) -> UInt64 {
        next().multipliedFullWidth(by: bound).high
    }

    package mutating func below(_ bound: Int) -> Int { Int(below(UInt64(bound))) }

    /// A number of `range`.
    package mutating func number(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    /// A number of `range`, small ones more often: every doubling is equally likely.
    package mutating func skewedNumber(in range: ClosedRange<Int>) -> Int {
        let span = UInt64(range.upperBound - range.lowerBound + 1)
        let bits = below(65 - span.leadingZeroBitCount)
        let limit = min(span, bits == 0 ? 1 : 1 << UInt64(bits))
        return range.lowerBound + Int(below(limit))
    }

    package mutating func isOne(in count: Int) -> Bool { below(count) == 0 }

    /// True in `permille` of 1000 cases.
    package mutating func chance(permille: Int) -> Bool { below(1000) < permille }

    /// An element of `choices`, which is not empty.
    package mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[below(choices.count)]
    }

    /// An index of `weights`, in proportion to them; their sum is above zero.
    package mutating func weightedIndex(_ weights: [Int]) -> Int {
        var rest = below(weights.reduce(0, +))
        for (index, weight) in weights.enumerated() {
            if rest < weight { return index }
            rest -= weight
        }
        return weights.count - 1
    }

    /// A duration around `typical`: between half and double of it, and one in `slowOneIn` up to a
    /// hundred times longer.  Zero for `slowOneIn` means never.
    package mutating func duration(around typical: UInt64, slowOneIn: Int) -> UInt64 {
        let usual = typical / 2 + below(max(typical + typical / 2, 1))
        guard slowOneIn > 0, isOne(in: slowOneIn) else { return usual }
        return usual &* UInt64(number(in: 2...100))
    }
}
