internal import Units

/// A request in the lane, from its arrival until its caller releases it.
struct RequestSlot: BitwiseCopyable {
    enum Phase: UInt8, BitwiseCopyable {
        case free
        /// Being worked on, or waiting for a leaf, for space, or for another request.
        case active
        /// Its changes are in a record that has not landed, or wait for a flush.
        case logged
        /// Handed to its caller.
        case finished
        /// Given back by its caller, while a device may still fill its memory.
        case lent
    }
    var phase = Phase.free
    var kind = RequestKind.read
    var status = RequestStatus.done
    /// Answered only when durable.
    var isDurable = false
    /// Of a write of zeros: the space stays owned.
    var keepsSpace = false
    /// It makes a volume smaller and is at taking away what lies behind the new end.
    var isShrinking = false
    /// Of a read: no block with data was met.
    var isHole = true
    /// Of a read: it goes on where an earlier one ended.
    var isSequential = false
    /// Of a read: it waited for a promotion once and is not to start another.
    var hasPromoted = false
    /// A damaged copy of a block was given up: the other one is to be read.
    var isToReadAgain = false
    /// Blocks of the volume between which flash has refused copies of what the disk has too.
    private var refusedFrom = UInt64.max
    private var refusedEnd: UInt64 = 0
    /// How often it read again because the map had changed beneath it.
    var repeatCount: UInt8 = 0
    /// How often it turned back to flash, as the disk did not give what flash had refused.
    var returnCount: UInt8 = 0
    /// Whose part of the merge arena it has: its own, or one that it was given instead.
    var mergeMemory: Int32 = 0
    /// A part of a block is being replaced: the old block was asked for, or is there.
    var mergePhase = MergePhase.none
    var generation: UInt32 = 0
    /// Of a change that is not wholly in the log: when it arrived; zero otherwise.
    var arrival: UInt64 = 0
    var volume: UInt32 = 0
    var offset: UInt64 = 0
    var byteCount: UInt64 = 0
    var context: UInt64 = 0
    /// What is done with, from the start of the range: of a read blocks, of a change bytes.
    var progress: UInt64 = 0
    var failedOffset: UInt64 = 0
    /// Holds payload or read data; -1 for none.
    var buffer: Int32 = -1
    var operationCount: Int32 = 0
    /// Next in whichever list the request is; -1 ends it.
    var next: Int32 = -1
    var extentCount: Int32 = 0
    /// The last record that holds a change of this request.
    var record = RecordNumber(0)

    /// Blocks that the range touches; of a range that is not empty.
    var blockCount: UInt64 { (offset + byteCount - 1) / 4096 + 1 - offset / 4096 }

    var hasRefused: Bool { refusedFrom < refusedEnd }
    func isRefused(_ block: UInt64) -> Bool { refusedFrom <= block && block < refusedEnd }
    mutating func noteRefused(_ block: UInt64) {
        refusedFrom = min(refusedFrom, block)
        refusedEnd = max(refusedEnd, block + 1)
    }
    mutating func forgetRefused() {
        refusedFrom = .max
        refusedEnd = 0
    }

    enum MergePhase: UInt8, BitwiseCopyable { case none, reading, ready }
}

/// Requests one behind the other, linked through `RequestSlot.next`.
struct RequestList: BitwiseCopyable {
    var first: Int32 = -1
    var last: Int32 = -1
    var isEmpty: Bool { first < 0 }
}

/// What a read must find in a block of a buffer.
struct BlockCheck: BitwiseCopyable {
    /// Where the block's checksum starts from.
    var start: UInt32 = 0
    var checksum: UInt32 = 0
    static var none: BlockCheck { BlockCheck() }
}
