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
