internal import Units

/// Which sizes a volume may have.
package enum VolumeSize {
    /// NBD clients and file systems address sectors of this size.
    package static var unitByteCount: UInt64 { 512 }
    package static var byteCountMin: UInt64 { 4096 }

    package static func validate(_ byteCount: UInt64) throws(ControlError) {
        guard byteCount >= byteCountMin, byteCount <= Geometry.volumeByteCountMax,
            byteCount % unitByteCount == 0
        else {
            throw .volumeSize(
                byteCount: byteCount,
                byteCountMin: byteCountMin,
                byteCountMax: Geometry.volumeByteCountMax
            )
        }
    }
}
