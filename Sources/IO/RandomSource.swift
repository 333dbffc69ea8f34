internal import CLinux
internal import Units

/// A generator of random numbers (xoshiro256**), seeded by the system or, for tests, by a number.
///
/// Good for identities, nonces and sampling; not for secrets.
package struct RandomSource: RandomNumberGenerator, Sendable {
    private var state: [4 of UInt64]

    /// Seeded with 256 bits from the system.
    package init() {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let result = unsafe withUnsafeMutableBytes(of: &words) { bytes in
            unsafe isotherm_random(bytes.baseAddress, bytes.count)
        }
        invariant(result == 0, "the system has random bytes")
        state = [words.0, words.1, words.2, words.3 | 1]
    }

    /// The sequence that belongs to `seed`.
    package init(seed: UInt64) {
        var position = seed
        func word() -> UInt64 {
            // SplitMix64 spreads a seed over the state; it is never all zeros.
            position &+= 0x9E37_79B9_7F4A_7C15
            var mixed = position
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
        state = [word(), word(), word(), word()]
    }

    package mutating func next() -> UInt64 {
        let result = rotate(state[1] &* 5, by: 7) &* 9
        let shifted = state[1] << 17
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= shifted
        state[3] = rotate(state[3], by: 45)
        return result
    }

    private func rotate(_ word: UInt64, by count: UInt64) -> UInt64 {
        word << count | word >> (64 - count)
    }
}
