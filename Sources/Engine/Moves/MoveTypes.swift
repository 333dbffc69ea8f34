internal import Units

/// A chunk that is to be moved, and why.  The chunk's bit in its leaf's `movingChunks` is set from
/// the moment it is queued until its move has ended, so that it is never moved twice at once.
struct MoveCandidate: BitwiseCopyable {
    enum Purpose: UInt8, BitwiseCopyable {
        /// From disk to flash, beside its home.
        case promote
        /// From a flash segment that is reclaimed to the mature stream.
        case keep
        /// From flash to disk; the flash copy is dropped.
        case demote
        /// From a disk segment that is reclaimed to the cold stream.
        case relocate
    }
    var purpose: Purpose
    var volume: UInt32
    var leaf: UInt64
    var chunk: Int32
    /// The segment that is reclaimed; -1 for a promotion.
    var segment: Int32
    /// Blocks to move when it was queued; by the time it is moved they may be fewer.
    var blockCount: Int32

    /// The order in which chunks are written: by volume and address.
    func precedes(_ other: MoveCandidate) -> Bool {
        (volume, leaf, chunk) < (other.volume, other.leaf, other.chunk)
    }
}

extension [MoveCandidate] {
    /// Whether the chunks have so many blocks to move.
    func have(blockCount: Int) -> Bool {
        var rest = blockCount
        for candidate in self where rest > 0 { rest -= Int(candidate.blockCount) }
        return rest <= 0
    }
}

/// One block of a move: what was copied, and what the map must still say when the copy is recorded.
struct MoveItem: BitwiseCopyable {
    var purpose = MoveCandidate.Purpose.promote
    /// Its bytes were not what the map expects: it is left where it is.
    var isBad = false
    /// Its bytes in the move's buffer were compared with the map's checksum.
    var isVerified = false
    /// The device gave no bytes: nothing is known of the block.
    var isUnread = false
    /// It was refused again and again, and hosts wait for its segment.
    var isTakenForLost = false
    /// It was refused, and so was the block's other copy, or that is not right.
    var isOtherBad = false
    /// The device gives no other blocks either: it is gone.
    var isGone = false
    var volume: UInt32 = 0
    var address: UInt64 = 0
    var source = Location.nowhere
    var sequence = SequenceNumber(0)
    var checksum: UInt32 = 0
}

/// One record of copies on its way: read, checked, written, on disk read back, recorded in the map;
/// what is on disk is recorded when the disk has been flushed, and the slot is free before.
///
///     free -> reading -> ready -> writing -> (verifying) -> free
///
/// `ready` waits for an operation.  A move that finds no segment ends without effect.  Move k owns
/// the record buffer behind the host's, at index `hostRecordCount + k`.
struct MoveSlot: BitwiseCopyable {
    enum Phase: UInt8, BitwiseCopyable { case free, reading, ready, writing, verifying }
    var phase = Phase.free
    var toDisk = false
    /// It reads from a disk or writes to one.
    var needsDisk = false
    var itemCount: Int32 = 0
    var operationCount: Int32 = 0
    /// Of a record for a disk: its flushes that had failed when it was submitted.
    var failedFlushCount = 0
    /// Reads of hosts that wait for the bytes.
    var waiters = RequestList()
}
