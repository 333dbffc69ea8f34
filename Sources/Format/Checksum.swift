internal import CLinux
package import Units

/// CRC-32C as the format uses it.
package enum Checksum {
    /// CRC-32C of `bytes`, going on from `start`.
    package static func crc32c(_ bytes: RawSpan, from start: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { buffer in
            unsafe isotherm_crc32c(start, buffer.baseAddress, buffer.count)
        }
    }

    /// CRC-32C of a structure whose own checksum field, of four bytes at `field`, counts as zero.
    package static func crc32c(_ bytes: RawSpan, skipping field: Int, from start: UInt32) -> UInt32
    {
        let head = crc32c(bytes.extracting(0..<field), from: start)
        let hole = isotherm_crc32c_zeros(head, 4)
        return crc32c(bytes.extracting((field + 4)..<bytes.byteCount), from: hole)
    }

    /// Where a structure's checksum started from, by what it is: the way back through all bytes.
    ///
    /// Any bytes have such a start: that two structures have the same says that they belong
    /// together.  Costs about as much as a checksum byte by byte.
    package static func start(
        of bytes: RawSpan,
        skipping field: Int,
        checksum: UInt32
    ) -> UInt32 {
        let table = (0..<256).map { crc32cStep(UInt32($0)) }
        var places = [UInt8](repeating: 0, count: 256)
        for (index, value) in table.enumerated() { places[Int(value >> 24)] = UInt8(index) }
        var register = ~checksum
        for offset in (0..<bytes.byteCount).reversed() {
            let isSkipped = offset >= field && offset < field + 4
            let byte = isSkipped ? 0 : bytes.byte(at: offset)
            let place = places[Int(register >> 24)]
            register = (register ^ table[Int(place)]) << 8 | UInt32(place ^ byte)
        }
        return ~register
    }

    /// Eight steps of the polynomial, lowest bit first.
    private static func crc32cStep(_ value: UInt32) -> UInt32 {
        var value = value
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
        return value
    }

    /// Where the checksums of a volume's blocks start from: its identity, mixed.
    package static func seed(of volume: VolumeIdentifier) -> UInt32 {
        isotherm_crc32c_pair(0, volume.high, volume.low)
    }

    /// Where the checksum of one block starts from: a block that lies in the wrong place, or is an
    /// older version of itself, does not have the checksum that the map expects.
    package static func blockStart(seed: UInt32, address: UInt64, sequence: SequenceNumber)
        -> UInt32
    {
        isotherm_crc32c_pair(seed, address, sequence.rawValue)
    }

    /// The checksum of a block of data in its place and version.
    package static func block(
        _ bytes: RawSpan,
        seed: UInt32,
        address: UInt64,
        sequence: SequenceNumber
    ) -> UInt32 {
        crc32c(bytes, from: blockStart(seed: seed, address: address, sequence: sequence))
    }
}
