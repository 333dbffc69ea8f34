package import IO
internal import Units

/// A volume's place in its lane.
package struct VolumeSlot: Hashable, Sendable {
    package var rawValue: UInt32
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// What a host, or the control side, asks of a volume.
package enum RequestKind: UInt8, Sendable, BitwiseCopyable {
    case read, write, trim, writeZeroes, flush, promote, extents
    case createVolume, resizeVolume, destroyVolume, shutDown
}

/// How a request ended.
package enum RequestStatus: UInt8, Sendable, BitwiseCopyable {
    case done
    /// The bytes are damaged, or their device failed.
    case mediaError
    /// The pool is full.
    case noSpace
    /// The lane accepts no changes; its events say why.
    case readOnly
    case shuttingDown
    /// The request names a volume or a range that is not there.
    case invalid
}

/// Names a request until it is released.
package struct RequestToken: Hashable, Sendable, BitwiseCopyable {
    package var rawValue: UInt64
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// The answer to a request.  It holds the request's buffer until the token is released.
package struct Finished: Sendable {
    package var token: RequestToken
    /// As the caller gave it.
    package var context: UInt64
    package var kind: RequestKind
    package var status: RequestStatus
    /// Of a read: the bytes asked for.  Empty for others, for a hole and for a failure.
    package var data: BufferRegion
    /// Of a read: the whole range reads as zeros and has no data.
    package var isHole: Bool
    /// Of a failed read: the volume's byte offset of the first bad block.
    package var failedOffset: UInt64
    /// Of a look at extents: how many `extent(of:index:)` gives.
    package var extentCount: Int
}

/// A stretch of a volume whose blocks are in the same state.
package struct Extent: Sendable, BitwiseCopyable {
    package var byteCount: UInt64
    package var state: ExtentState
}

/// Where a stretch of a volume lies, and how warm it is.
package struct ExtentState: OptionSet, Sendable, BitwiseCopyable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Owns no space.
    package static var hole: ExtentState { ExtentState(rawValue: 1) }
    /// Reads as zeros.
    package static var zero: ExtentState { ExtentState(rawValue: 2) }
    package static var flash: ExtentState { ExtentState(rawValue: 4) }
    package static var disk: ExtentState { ExtentState(rawValue: 8) }
    /// Has no home on disk.
    package static var dirty: ExtentState { ExtentState(rawValue: 16) }
    package static var pinned: ExtentState { ExtentState(rawValue: 32) }
    package static var moving: ExtentState { ExtentState(rawValue: 64) }
    package static var poisoned: ExtentState { ExtentState(rawValue: 128) }
    /// Bits 8 to 15: how warm the chunk is, 0 for never touched.
    package var heatBucket: UInt8 {
        get { UInt8(truncatingIfNeeded: rawValue >> 8) }
        set { rawValue = rawValue & ~0xFF00 | UInt32(newValue) << 8 }
    }
}

/// Memory for the bytes of a write that has not arrived whole.
package struct Payload: Sendable {
    /// Exactly as long as was asked for.
    package let region: BufferRegion
    let buffer: Int32
}
