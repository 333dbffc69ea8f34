internal import Units

/// Counters of a lane since it was opened.  Blocks are of 4 KiB.
package struct LaneStatistics: Sendable {
    package var requests: UInt64 = 0
    package var failedRequests: UInt64 = 0
    package var flushRequests: UInt64 = 0
    package var flushes: UInt64 = 0
    package var blocksWritten: UInt64 = 0
    /// Blocks that hosts read, by where they came from; a read that waits for the disk counts
    /// there, also when it is served from the buffer of a promotion.
    package var blocksFromMemory: UInt64 = 0
    package var blocksFromFlash: UInt64 = 0
    package var blocksFromDisk: UInt64 = 0
    package var mergeReads: UInt64 = 0
    package var flashBlocksWritten: UInt64 = 0
    package var diskBlocksWritten: UInt64 = 0
    package var blocksPromoted: UInt64 = 0
    package var blocksDemoted: UInt64 = 0
    package var blocksKept: UInt64 = 0
    package var blocksRelocated: UInt64 = 0
    package var blocksDropped: UInt64 = 0
    /// Of these, those of which both copies had been refused, as hosts waited for room.
    package var blocksDroppedInDoubt: UInt64 = 0
    package var blocksPoisoned: UInt64 = 0
    /// Of these, blocks that were not damaged but refused by their device again and again.
    package var blocksTakenForLost: UInt64 = 0
    /// Times that the map was searched for what no record tells.
    package var mapSearches: UInt64 = 0
    package var movesOvertaken: UInt64 = 0
    /// Moves, and chunks queued for one, that were given up because no segment was free.
    package var movesDropped: UInt64 = 0
    package var promotionsDropped: UInt64 = 0
    package var verifyFailures: UInt64 = 0
    package var badBlocks: UInt64 = 0
    package var copiesGivenUp: UInt64 = 0
    /// Pieces that were read again after a read that was not wholly good.
    package var readsRepeated: UInt64 = 0
    /// Blocks that were right when they were asked for once more.
    package var readsHealed: UInt64 = 0
    /// Blocks that the scrub read and verified, and those that a second look found as they were
    /// not: changed meanwhile, or read right.
    package var blocksScrubbed: UInt64 = 0
    package var scrubDoubtsSettled: UInt64 = 0
    package var damagedStates: UInt64 = 0
    package var segmentsReclaimed: UInt64 = 0
    package var checkpoints: UInt64 = 0
    /// Of the mirror: blocks, those that the scrub read, rounds that said everything, and times
    /// that it was given up.
    package var mirrorBlocksWritten: UInt64 = 0
    package var mirrorBlocksScrubbed: UInt64 = 0
    package var mirrorRounds: UInt64 = 0
    package var mirrorsGivenUp: UInt64 = 0
    package var leafLoads: UInt64 = 0
    package var leafStalls: UInt64 = 0
    package var heatLost: UInt64 = 0
    package var noSpace: UInt64 = 0
    package var throttledTurns: UInt64 = 0
    package var fences: UInt64 = 0
    /// Host records that were written once more, as a device refused them or one before them.
    package var recordsAppendedAgain: UInt64 = 0
    /// Writes of records that were refused once and then taken.
    package var writesHealed: UInt64 = 0
    /// Sealed segments that copies went on in, as segments were short.
    package var segmentsContinued: UInt64 = 0
    /// Records of copies that a device refused; their sources stayed.
    package var movesRefused: UInt64 = 0
    /// Times that a device was found to hang, and reads that no longer waited for it.
    package var devicesHung: UInt64 = 0
    package var readsBegunAnew: UInt64 = 0
    /// Looks at reads that waited on, as there was no other buffer.
    package var readsWithoutBuffer: UInt64 = 0
    /// Times that a request waited until a crowded disk had answered others.
    package var requestsCrowdedOut: UInt64 = 0
    /// Flushes of disks behind moves.
    package var diskFlushes: UInt64 = 0
    /// Records of copies that a disk had taken and that were left unused: a flush of it failed, it
    /// hung, or the lane stopped changing anything.
    package var movesUnflushed: UInt64 = 0
    package init() {}
}
