package import Units

/// One thing that the engine asks of a device.  The narrow interface below the engine: whoever
/// drives a lane takes its operations, carries them out in any order, and hands back one
/// `Completion` each.
///
/// An operation is whole or failed: the driver continues short transfers, and repeats what was
/// interrupted, by itself.  A flush covers the writes that had completed before it was taken.
package struct Operation: Sendable, BitwiseCopyable {
    package enum Kind: UInt8, Sendable, BitwiseCopyable {
        case read, write, flush, discard
    }
    package var kind: Kind
    package var device: DeviceIndex
    /// Byte offset on the device; a multiple of 4096.  Zero for a flush.
    package var offset: UInt64
    /// Bytes to discard; for read and write the region says it.
    package var byteCount: UInt64
    /// Memory to read into or write from; empty for flush and discard.  Owned by the engine, not to
    /// be touched between taking the operation and completing it, save by the transfer itself.
    package var region: BufferRegion
    /// Comes back in the completion.
    package var token: UInt64

    package init(
        kind: Kind,
        device: DeviceIndex,
        offset: UInt64,
        byteCount: UInt64,
        region: BufferRegion,
        token: UInt64
    ) {
        self.kind = kind
        self.device = device
        self.offset = offset
        self.byteCount = byteCount
        self.region = region
        self.token = token
    }
}

/// How an operation ended.
package enum OperationResult: UInt8, Sendable, BitwiseCopyable {
    case done
    /// The device reported an error for this range.
    case mediaError
    /// No answer within the deadline, or the device is gone.
    case deviceLost
    /// The file system below a device file has no space.
    case noSpace
}

/// The answer to one operation.
package struct Completion: Sendable, BitwiseCopyable {
    package var token: UInt64
    package var result: OperationResult
    package init(token: UInt64, result: OperationResult) {
        self.token = token
        self.result = result
    }
}
