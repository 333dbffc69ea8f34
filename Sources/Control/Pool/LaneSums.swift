internal import Engine
internal import Units

/// The counters of all lanes since the pool was opened, in `pool.status/1`.
struct LaneSums {
    var lanes: [LaneStatistics]

    private func sum(_ path: KeyPath<LaneStatistics, UInt64>) -> JSONValue {
        .count(total(path))
    }

    /// Blocks in bytes.
    private func bytes(_ path: KeyPath<LaneStatistics, UInt64>) -> JSONValue {
        .count(total(path) * UInt64(Geometry.blockByteCount))
    }

    private func total(_ path: KeyPath<LaneStatistics, UInt64>) -> UInt64 {
        lanes.reduce(0) { $0 + $1[keyPath: path] }
    }

    var counters: [JSONField] {
        [
            JSONField("requestCount", sum(\.requests)),
            JSONField("failedRequestCount", sum(\.failedRequests)),
            JSONField("flushRequestCount", sum(\.flushRequests)),
            JSONField("deviceFlushCount", sum(\.flushes)),
            JSONField("hostWrittenByteCount", bytes(\.blocksWritten)),
            JSONField("flashWrittenByteCount", bytes(\.flashBlocksWritten)),
            JSONField("diskWrittenByteCount", bytes(\.diskBlocksWritten)),
            JSONField("reclaimedSegmentCount", sum(\.segmentsReclaimed)),
            JSONField("checkpointCount", sum(\.checkpoints)),
            JSONField("checksumErrorCount", sum(\.badBlocks)),
            JSONField("repairedReadCount", sum(\.copiesGivenUp)),
            JSONField("healedReadCount", sum(\.readsHealed)),
            JSONField("healedWriteCount", sum(\.writesHealed)),
            JSONField("recordsAppendedAgainCount", sum(\.recordsAppendedAgain)),
            JSONField("continuedSegmentCount", sum(\.segmentsContinued)),
            // Times that a lane found that a device hangs, and reads that waited for it no more.
            JSONField("hangCount", sum(\.devicesHung)),
            JSONField("abandonedReadCount", sum(\.readsBegunAnew)),
            JSONField("crowdedOutCount", sum(\.requestsCrowdedOut)),
            JSONField("refusedMoveCount", sum(\.movesRefused)),
            JSONField("diskFlushCount", sum(\.diskFlushes)),
            // Records of copies on a disk that were left unused, as its flush failed or hung.
            JSONField("unflushedMoveCount", sum(\.movesUnflushed)),
            // Moves, and chunks queued for one, that were given up as no segment was free.
            JSONField("droppedMoveCount", sum(\.movesDropped)),
            // Chunks that a client asked to have on flash and that were not taken there.
            JSONField("droppedPromotionCount", sum(\.promotionsDropped)),
            // Demoted blocks that the disk did not give back as they were written.
            JSONField("failedVerificationCount", sum(\.verifyFailures)),
            // Reads refused because the map does not say where the block lies.
            JSONField("damagedStateCount", sum(\.damagedStates)),
            // Leaves whose heat was forgotten: no room to keep it, or not readable.
            JSONField("lostHeatCount", sum(\.heatLost)),
            JSONField("poisonedBlockCount", sum(\.blocksPoisoned)),
            // Of these, blocks that their device refused again and again.
            JSONField("blocksTakenForLostCount", sum(\.blocksTakenForLost)),
            JSONField("mapSearchCount", sum(\.mapSearches)),
            JSONField("scrubbedByteCount", bytes(\.blocksScrubbed)),
            JSONField("noSpaceCount", sum(\.noSpace)),
            JSONField("throttledTurnCount", sum(\.throttledTurns)),
            // What was told to the mirror of the catalogue, what of it was read back, how often
            // all of it was said, and how often it was given up.
            JSONField("mirrorWrittenByteCount", bytes(\.mirrorBlocksWritten)),
            JSONField("mirrorScrubbedByteCount", bytes(\.mirrorBlocksScrubbed)),
            JSONField("mirrorRoundCount", sum(\.mirrorRounds)),
            JSONField("mirrorGivenUpCount", sum(\.mirrorsGivenUp)),
        ]
    }

    /// Bytes that hosts read, by where they came from.
    var reads: JSONValue {
        [
            "memoryByteCount": bytes(\.blocksFromMemory),
            "flashByteCount": bytes(\.blocksFromFlash),
            "diskByteCount": bytes(\.blocksFromDisk),
        ]
    }

    /// Bytes that were moved between tiers, or did not have to be.
    var moves: JSONValue {
        [
            "demotedByteCount": bytes(\.blocksDemoted),
            "promotedByteCount": bytes(\.blocksPromoted),
            "keptByteCount": bytes(\.blocksKept), "droppedByteCount": bytes(\.blocksDropped),
        ]
    }
}
