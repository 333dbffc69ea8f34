internal import CLinux
internal import Glibc
internal import Units

/// An open device of the store: a regular file or a block device, read and written past the page
/// cache, and locked so that no two engines ever work on it.
///
/// The lock belongs to the open file (`F_OFD_SETLK`), not to the process: that another part of this
/// process opens and closes the same path does not drop it, and the kernel drops it when the
/// process dies.  A block device is opened with `O_EXCL` as well, which keeps mounts away.
///
/// Its own transfers block the caller: they are for superblocks and recovery.  Lanes share the
/// descriptor and go through their rings.  Closed when the last user lets go of it.
package final class DeviceFile: Sendable {
    /// How a device is opened.
    package enum Access: Sendable {
        /// Read and written, locked.
        case exclusive
        /// Read only, without a lock: for looking at a device, even while an engine has it.
        case inspection
    }

    package let path: String
    package let access: Access
    /// Whole blocks of 4 KiB; what stands beyond is not used.
    package let byteCount: UInt64
    package let isBlockDevice: Bool
    /// Transfers pass the page cache.
    package let isDirect: Bool
    package let descriptor: Int32

    /// Opens the device at `path`.  `isDirect` may be given up only where nothing depends on it:
    /// tests on a file system that has no direct I/O.
    package init(
        path: String,
        access: Access = .exclusive,
        isDirect: Bool = true
    ) throws(DeviceError) {
        descriptor = try DeviceFile.open(path: path, access: access, isDirect: isDirect)
        self.path = path
        self.access = access
        self.isDirect = isDirect
        do throws(DeviceError) {
            let facts = try DeviceFile.measure(descriptor, path: path)
            let block = UInt64(Geometry.blockByteCount)
            byteCount = facts.byte_count / block * block
            isBlockDevice = facts.is_block_device != 0
            if access == .exclusive { try DeviceFile.lock(descriptor, path: path) }
        } catch {
            _ = isotherm_close(descriptor)
            throw error
        }
    }

    deinit { _ = isotherm_close(descriptor) }

    /// Makes a file of `byteCount` bytes that reads as zeros, durably with its name.  Space is set
    /// aside for all of it, unless it `isSparse`.  On an error nothing is left behind.
    package static func create(
        path: String,
        byteCount: UInt64,
        isSparse: Bool = false
    ) throws(DeviceError) {
        let descriptor = unsafe isotherm_create_file(path)
        guard descriptor >= 0 else {
            let code = SystemCode(ofResult: descriptor)
            if code.number == EEXIST { throw .exists(path: path) }
            throw .cannotCreate(path: path, code)
        }
        defer { _ = isotherm_close(descriptor) }
        var result = isotherm_size_file(descriptor, byteCount, isSparse ? 1 : 0)
        if result == 0 { result = isotherm_sync_data(descriptor) }
        if result == 0 { result = unsafe isotherm_sync_directory(path) }
        guard result < 0 else { return }
        // The first error is the one to report; a file that stays is met by `exists` next time.
        _ = unsafe isotherm_remove_file(path)
        let code = SystemCode(ofResult: result)
        if code == .noSpace { throw .noSpace(path: path, byteCount: byteCount) }
        throw .cannotCreate(path: path, code)
    }

    /// Fills `region` from `offset`.  Address, offset and count are multiples of 4096.
    package func read(into region: BufferRegion, at offset: UInt64) throws(DeviceError) {
        checkAlignment(of: region, offset)
        var done = 0
        while done < region.byteCount {
            let rest = region[done..<region.byteCount]
            let place = offset + UInt64(done)
            let count = unsafe isotherm_read_at(
                descriptor,
                rest.baseAddress,
                rest.byteCount,
                place
            )
            guard count >= 0 else {
                throw .readFailed(path: path, offset: place, SystemCode(ofResult: count))
            }
            guard count > 0 else { throw .endOfDevice(path: path, offset: place) }
            done += Int(count)
        }
    }

    /// Writes all of `region` at `offset`.  Address, offset and count are multiples of 4096.
    ///
    /// Refused beyond the device's end: a file must never grow by a stray write.
    package func write(from region: BufferRegion, at offset: UInt64) throws(DeviceError) {
        checkAlignment(of: region, offset)
        invariant(access == .exclusive, "only a locked device is written")
        guard offset <= byteCount, UInt64(region.byteCount) <= byteCount - offset else {
            throw .endOfDevice(path: path, offset: byteCount)
        }
        var done = 0
        while done < region.byteCount {
            let rest = region[done..<region.byteCount]
            let place = offset + UInt64(done)
            let count = unsafe isotherm_write_at(
                descriptor,
                rest.baseAddress,
                rest.byteCount,
                place
            )
            guard count > 0 else {
                throw .writeFailed(path: path, offset: place, SystemCode(ofResult: count))
            }
            done += Int(count)
        }
    }

    /// Makes durable what was written before.
    ///
    /// Not to be repeated when it fails: the second try may succeed with the data gone.
    package func flush() throws(DeviceError) {
        let result = isotherm_sync_data(descriptor)
        guard result == 0 else { throw .flushFailed(path: path, SystemCode(ofResult: result)) }
    }

    private func checkAlignment(of region: BufferRegion, _ offset: UInt64) {
        let bits = region.addressBits | UInt64(region.byteCount) | offset
        invariant(bits & 4095 == 0, "a direct transfer is aligned to blocks")
    }
}

extension DeviceFile {
    private static func open(
        path: String,
        access: Access,
        isDirect: Bool
    ) throws(DeviceError) -> Int32 {
        let kind = unsafe isotherm_is_block_device(path)
        guard kind >= 0 else { throw .cannotOpen(path: path, SystemCode(ofResult: kind)) }
        let isExclusive = access == .exclusive && kind == 1
        let descriptor = unsafe isotherm_open_device(
            path,
            access == .inspection ? 1 : 0,
            isDirect ? 1 : 0,
            isExclusive ? 1 : 0
        )
        guard descriptor < 0 else { return descriptor }
        let code = SystemCode(ofResult: descriptor)
        if isExclusive && code == .busy { throw .inUse(path: path) }
        if isDirect && code == .invalid { throw .noDirectAccess(path: path) }
        throw .cannotOpen(path: path, code)
    }

    private static func measure(
        _ descriptor: Int32,
        path: String
    ) throws(DeviceError) -> isotherm_file_facts {
        var facts = isotherm_file_facts()
        let result = unsafe isotherm_measure_file(descriptor, &facts)
        guard result == 0 else { throw .cannotMeasure(path: path, SystemCode(ofResult: result)) }
        guard facts.is_block_device != 0 || facts.is_regular_file != 0 else {
            throw .notADevice(path: path)
        }
        guard facts.sector_byte_count <= Geometry.blockByteCount else {
            throw .sectorTooLarge(path: path, byteCount: Int(facts.sector_byte_count))
        }
        return facts
    }

    /// Locks the file, with some patience: when a process with operations on a ring is killed, the
    /// kernel lets go of its files a little after the process is gone.
    private static func lock(_ descriptor: Int32, path: String) throws(DeviceError) {
        for _ in 0..<lockAttemptMax {
            let result = isotherm_lock_file(descriptor)
            guard result < 0 else { return }
            let code = SystemCode(ofResult: result)
            guard code == .tryAgain else { throw .cannotLock(path: path, code) }
            Clock.pause(milliseconds: 20)
        }
        throw .inUse(path: path)
    }

    private static var lockAttemptMax: Int { 100 }
}
