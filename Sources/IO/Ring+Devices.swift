internal import CLinux

/// Entries for files and devices.  The caller owns the memory until the completion.
extension Ring {
    /// Reads into all of `region`; may end short.
    package func read(
        _ file: RingFile,
        into region: BufferRegion,
        at offset: UInt64,
        userData: UInt64
    ) {
        transfer(.read, file, region, offset, userData)
    }

    /// Writes all of `region`; may end short.
    package func write(
        _ file: RingFile,
        from region: BufferRegion,
        at offset: UInt64,
        userData: UInt64
    ) {
        transfer(.write, file, region, offset, userData)
    }

    /// Makes the data of the file durable, and of its metadata what is needed to reach it.
    package func flush(_ file: RingFile, userData: UInt64) {
        var entry = blank(.flush, file, userData)
        entry.operation_flags = RingFlag.flushData
        prepare(entry)
    }

    /// Gives the range back to the device; it reads as zeros afterwards.  The size stays.
    package func discard(_ file: RingFile, at offset: UInt64, byteCount: UInt64, userData: UInt64) {
        var entry = blank(.allocate, file, userData)
        entry.offset = offset
        // This operation carries its length in the address and its mode in the byte count.
        entry.address = byteCount
        entry.byte_count = RingFlag.punchHole
        prepare(entry)
    }

    /// Does nothing and completes; for measurements and wake-ups.
    package func nothing(userData: UInt64) {
        prepare(blank(.nothing, RingFile(descriptor: -1), userData))
    }

    /// Completes once, with `isTimeout`, after so many nanoseconds.
    package func timeout(afterNanoseconds count: UInt64, userData: UInt64) {
        let index = reserve()
        unsafe timeouts[index] = isotherm_timespec(
            seconds: Int64(count / 1_000_000_000),
            nanoseconds: Int64(count % 1_000_000_000)
        )
        var entry = blank(.timeout, RingFile(descriptor: -1), userData)
        entry.address = unsafe UInt64(UInt(bitPattern: timeouts + index))
        entry.byte_count = 1
        prepare(entry)
    }

    /// Cancels the entry with the user data `target`.  Both complete: the target as cancelled, if
    /// it had not ended, and the cancel under `userData`.
    package func cancel(_ target: UInt64, userData: UInt64) {
        var entry = blank(.cancel, RingFile(descriptor: -1), userData)
        entry.address = target
        prepare(entry)
    }

    @inline(__always)
    private func transfer(
        _ opcode: RingOpcode,
        _ file: RingFile,
        _ region: BufferRegion,
        _ offset: UInt64,
        _ userData: UInt64
    ) {
        var entry = blank(opcode, file, userData)
        entry.offset = offset
        entry.address = region.addressBits
        entry.byte_count = UInt32(region.byteCount)
        prepare(entry)
    }

    /// An entry of zeros but for what every operation has.
    @inline(__always)
    func blank(_ opcode: RingOpcode, _ file: RingFile, _ userData: UInt64) -> isotherm_submission {
        var entry = isotherm_submission()
        entry.opcode = opcode.rawValue
        entry.flags = file.isRegistered ? RingFlag.fixedFile : 0
        entry.descriptor = file.number
        entry.user_data = userData
        return entry
    }
}

extension BufferRegion {
    /// The address of the first byte, as system calls take it.
    @inline(__always)
    var addressBits: UInt64 { unsafe UInt64(UInt(bitPattern: baseAddress)) }
}
