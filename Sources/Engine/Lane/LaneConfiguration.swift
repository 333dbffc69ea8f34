/// The limits of one lane.  All memory is obtained once, from these, when the lane is made.
package struct LaneConfiguration: Sendable {
    /// Leaves of the map held in memory, beside one that is held in reserve; 16 KiB each.
    package var leafCount = 4096
    /// Requests of hosts in the lane at once.
    package var requestCount = 2048
    /// Device operations in flight at once.
    package var operationCount = 2048
    /// Records of the host stream that are open or being written.
    package var hostRecordCount = 12
    /// Records of the mature and cold streams that are being filled or written.
    package var moveCount = 8
    /// Host records on their way to the device at once; more only spreads a flush thinner.
    package var hostRecordsInFlightMax = 2
    /// Bytes of a request that are applied whole or not at all.
    package var atomicByteCountMax = 1 << 20
    /// Buffers for data of requests, by size in blocks.
    package var buffers: [BufferClass] = [
        BufferClass(blockCount: 2, count: 1024),
        BufferClass(blockCount: 20, count: 192),
        BufferClass(blockCount: 258, count: 48),
        BufferClass(blockCount: 1026, count: 6),
        BufferClass(blockCount: 8194, count: 2),
    ]
    /// Whether the arenas are faulted in at start.
    package var isPopulated = true
    /// A checkpoint is begun at the latest so long after a change.
    package var checkpointInterval: UInt64 = 5_000_000_000
    /// A checkpoint is begun when so many blocks were logged since the last one.
    package var checkpointLogBlockCount = 256 << 8
    /// No checkpoint begins earlier than so long after the last one ended.
    package var checkpointSpacing: UInt64 = 100_000_000
    /// After so long without a write, a flushed lane notes in its log how far it is durable.
    package var markDelay: UInt64 = 20_000_000
    /// Leaves that one turn encodes for a checkpoint: the slice that host requests may wait behind.
    package var leavesEncodedPerTurn = 8
    /// Blocks of the largest record of the mirror, from 8 to those of a slice of the scrub.
    package var mirrorRecordBlockMax = 64
    /// Blocks of leaves that a checkpoint says again at least, while a round of the mirror goes on.
    package var mirrorSliceBlockCount = 256
    /// Blocks of a victim that reclaim reads at a time, and chunks that it decides on in one turn:
    /// the slice that hosts may wait behind.
    package var reclaimSliceBlockCount = 64
    package var chunksDecidedPerTurn = 64
    /// Chunks demoted lately that the ghost list remembers: 1 GiB of them.
    package var ghostCount = 1 << 14
    /// A device that has answered nothing for so long hangs: longer than the seven seconds that a
    /// disk may take over a bad sector, twice, and shorter than the thirty after which hosts lose
    /// patience.
    package var silenceMax: UInt64 = 15_000_000_000
    package var scrub = ScrubPace()
    /// Nanoseconds of one tick of heat.
    package var heatTick: UInt64 = 1_000_000_000

    package init() {}

    /// Data blocks that the largest record holds: an atomic request, unaligned at both ends.
    package var recordDataBlockMax: Int { atomicByteCountMax / 4096 + 1 }
    /// Blocks of a segment that the largest record and the segment's header need.
    package var recordBlockMax: Int { recordDataBlockMax + 3 }
}

/// A class of data buffers.
package struct BufferClass: Sendable {
    package var blockCount: Int
    package var count: Int
    package init(blockCount: Int, count: Int) {
        self.blockCount = blockCount
        self.count = count
    }
}
