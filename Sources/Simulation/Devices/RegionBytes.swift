internal import Glibc
package import IO
internal import Units

extension BufferRegion {
    /// Whether both regions have the same length and bytes.
    package func isEqual(to other: BufferRegion) -> Bool {
        guard byteCount == other.byteCount else { return false }
        // Both regions are alive and this long; comparing reads no further.
        return unsafe memcmp(baseAddress, other.baseAddress, byteCount) == 0
    }

    /// Whether every byte is zero.
    package var isZero: Bool {
        guard byteCount > 0 else { return true }
        // Each byte equals its neighbour, and the first is zero.
        let first = unsafe baseAddress.load(as: UInt8.self)
        guard first == 0 else { return false }
        return unsafe memcmp(baseAddress, baseAddress + 1, byteCount - 1) == 0
    }

    /// Sets every byte.
    package func fill(with byte: UInt8) {
        unsafe baseAddress.initializeMemory(as: UInt8.self, repeating: byte, count: byteCount)
    }

    /// Makes every sector other than any that was written: its first word.
    package func spoil() {
        var bytes = mutableBytes
        for sector in stride(from: 0, to: byteCount, by: 512) {
            bytes.storeBytes(of: 0xEEEE_EEEE_EEEE_EEEE, toByteOffset: sector, as: UInt64.self)
        }
    }

    /// A copy of the bytes.
    package var byteArray: [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(start: baseAddress, count: byteCount))
    }

    /// Copies all of `source` to the start of this region.
    package func copy(from source: [UInt8]) {
        invariant(source.count <= byteCount, "a copy fits its target")
        unsafe source.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe baseAddress.copyMemory(from: start, byteCount: bytes.count)
        }
    }

    /// Whether the two share a byte of memory.
    package func overlaps(_ other: BufferRegion) -> Bool {
        let start = unsafe UInt(bitPattern: baseAddress)
        let otherStart = unsafe UInt(bitPattern: other.baseAddress)
        return start < otherStart + UInt(other.byteCount) && otherStart < start + UInt(byteCount)
    }

    /// Fills with bytes that follow from `seed`; the count is a multiple of eight.
    package func fillRandomly(seed: UInt64) {
        var bytes = mutableBytes
        var state = SimulationRandom.mix(seed &+ 0x5EED)
        for offset in stride(from: 0, to: byteCount, by: 8) {
            state &+= 0x9E37_79B9_7F4A_7C15
            let word = state ^ (state >> 31) &* 0xBF58_476D_1CE4_E5B9
            bytes.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
        }
    }
}
