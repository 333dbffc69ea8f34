/// Where one block lies: a device and a block of it; or the statement that it lies nowhere.
///
///     bits 0..<40   block of the device, counted in 4 KiB from its first byte
///     bits 40..<48  device index
///     bits 56..<64  tag: 0x5A a place, 0xA5 nowhere
///
/// All zeros is neither: it is damage, and nothing that was lost can read as a hole.
@usableFromInline
package struct Location: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline package var rawValue: UInt64

    @inlinable
    package init(device: DeviceIndex, block: UInt64) {
        invariant(block < 1 << 40, "a device has fewer than 2^40 blocks")
        rawValue = 0x5A << 56 | UInt64(device.rawValue) << 40 | block
    }

    /// Takes a value read from a device or the catalogue; nil when it is no valid code.
    @inlinable
    package init?(rawValue: UInt64) {
        let tag = rawValue >> 56
        guard tag == 0x5A && (rawValue >> 48) & 0xFF == 0 || rawValue == 0xA5 << 56 else {
            return nil
        }
        self.rawValue = rawValue
    }

    @usableFromInline init(unchecked rawValue: UInt64) { self.rawValue = rawValue }

    /// On no device of this tier.
    @inlinable package static var nowhere: Location { Location(unchecked: 0xA5 << 56) }

    @inlinable package var isPlace: Bool { rawValue >> 56 == 0x5A }
    @inlinable package var isNowhere: Bool { rawValue == 0xA5 << 56 }
    @inlinable package var block: UInt64 { rawValue & ((1 << 40) - 1) }
    @inlinable
    package var device: DeviceIndex { DeviceIndex(UInt8(truncatingIfNeeded: rawValue >> 40)) }
    @inlinable package var byteOffset: UInt64 { block * UInt64(Geometry.blockByteCount) }
}
