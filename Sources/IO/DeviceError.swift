/// What can go wrong with a device file before and beside the rings: opening, superblocks,
/// recovery.
package enum DeviceError: Error, Hashable, Sendable, CustomStringConvertible {
    case cannotOpen(path: String, SystemCode)
    /// Another engine, or another user of the block device, has it open.
    case inUse(path: String)
    case cannotLock(path: String, SystemCode)
    /// The file system knows no direct I/O (`O_DIRECT`).
    case noDirectAccess(path: String)
    case cannotMeasure(path: String, SystemCode)
    /// Neither a regular file nor a block device.
    case notADevice(path: String)
    /// The smallest unit that the device writes is larger than a block of the store.
    case sectorTooLarge(path: String, byteCount: Int)
    /// Nothing is ever made over a file that is there.
    case exists(path: String)
    case cannotCreate(path: String, SystemCode)
    /// The file system has no room for a file of this size.
    case noSpace(path: String, byteCount: UInt64)
    case readFailed(path: String, offset: UInt64, SystemCode)
    case writeFailed(path: String, offset: UInt64, SystemCode)
    case flushFailed(path: String, SystemCode)
    /// A transfer met the end of the device at `offset`.
    case endOfDevice(path: String, offset: UInt64)

    package var description: String {
        switch self {
        case .cannotOpen(let path, let code): "cannot open \(path): \(code)"
        case .inUse(let path): "\(path) is in use by another process"
        case .cannotLock(let path, let code): "cannot lock \(path): \(code)"
        case .noDirectAccess(let path): "\(path) lies on a file system without direct I/O"
        case .cannotMeasure(let path, let code): "cannot tell the size of \(path): \(code)"
        case .notADevice(let path): "\(path) is neither a file nor a block device"
        case .sectorTooLarge(let path, let count): "\(path) has sectors of \(count) bytes"
        case .exists(let path): "\(path) exists"
        case .cannotCreate(let path, let code): "cannot create \(path): \(code)"
        case .noSpace(let path, let count): "no space for \(path) of \(count) bytes"
        case .readFailed(let path, let offset, let code):
            "reading \(path) at \(offset) failed: \(code)"
        case .writeFailed(let path, let offset, let code):
            "writing \(path) at \(offset) failed: \(code)"
        case .flushFailed(let path, let code): "flushing \(path) failed: \(code)"
        case .endOfDevice(let path, let offset): "\(path) ends at \(offset)"
        }
    }
}
