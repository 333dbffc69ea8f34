internal import Format
internal import Units

// Which segments are worth their emptying.  Of the last ones, one that is emptied in part takes
// room and makes none.
extension Lane {
    /// Whether a sealed segment may be emptied now.
    func mayBeVictim(_ segment: Int, _ tier: DeviceRole) -> Bool {
        let state = pool.segments[segment]
        guard !state.isVictim, state.recordsInFlight == 0, !barrenSegments.contains(segment),
            !segmentsForDisk.contains(segment) || pool.hasWaitingHosts
                || isWorthCopying(segment, gain: 8)
        else { return false }
        if unreadablePause(of: segment) != nil { return false }
        // Where what is emptied can be dropped or demoted, each one is worth it.
        return tier == .flash && pool.diskSegmentCount > 0 || isWorthCopying(segment, gain: 16)
    }

    /// Whether to copy what lives in a segment makes room: more than one of `gain` parts of it.
    func isWorthCopying(_ segment: Int, gain: Int) -> Bool {
        let blocks = pool.geometry(of: segment).segmentBlockCount
        let live = Int(pool.segments[segment].liveBlockCount)
        return copiesBlockCount(live) < blocks - blocks / gain
    }

    /// Share of a segment's blocks that are live.
    func liveShare(of segment: Int) -> Float {
        Float(pool.segments[segment].liveBlockCount)
            / Float(pool.geometry(of: segment).segmentBlockCount)
    }

    /// Whether all live blocks of a victim find room on their tier, beside the copies that are
    /// under way.  Flash of a pool with disks needs none: what is clean is dropped, and what is not
    /// goes to disk when that has room again.
    func fits(_ victim: Int, _ tier: DeviceRole) -> Bool {
        let free = pool.freeSegmentCount(tier)
        // Demotions may take all but the last ones while this one is emptied.
        let few = tier == .disk ? 2 * pool.laneCount : pool.laneCount
        guard free <= few, tier == .disk || pool.diskSegmentCount == 0 else { return true }
        let underWay = copiesUnderWay(tier)
        // A whole segment for one that is not quite full.
        if free > 0 && underWay == 0 { return true }
        let stream = tier == .flash ? mature : cold
        var room = copyRoom(in: stream.remaining)
        for segment in sealedSegments[tier == .flash ? 0 : 1] where segment != victim {
            room += copyRoom(in: restBlockCount(of: segment, for: stream))
        }
        if free > 0 {
            let usable = max(1, free - pool.laneCount + 1)
            room += usable * copyRoom(in: pool.freeSegmentBlockCountMin(tier) - 1)
        }
        return Int(pool.segments[victim].liveBlockCount) <= room - underWay
    }

    /// Whether a chunk of a victim is moving, and the victim is to be emptied whole, as there are
    /// few segments left: what stays for that move would keep it.
    func mustWait(for chunk: ChunkKey, in slot: Int, _ tier: DeviceRole) -> Bool {
        guard tier == .disk, pool.freeSegmentCount(.disk) <= 2 * pool.laneCount else {
            return false
        }
        let bit = UInt32(1) << UInt32(chunk.chunk % UInt64(Geometry.chunksPerLeaf))
        return leaves.entries[slot].movingChunks & bit != 0
    }

    /// Whether a flash segment has blocks of a chunk that is moving, and there are few segments.
    /// To keep its others would take room and make none, for as long as a disk needs for that one.
    func wouldStayInPart(_ reclaim: Reclaim) -> Bool {
        guard pool.diskSegmentCount > 0, pool.freeSegmentCount(.flash) <= pool.laneCount else {
            return false
        }
        return reclaim.chunks.contains { key in
            let leaf = key.chunk / UInt64(Geometry.chunksPerLeaf)
            let chunk = Int(key.chunk % UInt64(Geometry.chunksPerLeaf))
            // The leaf of what moves is in memory.
            guard let slot = leaves.find(volume: key.volume, index: leaf),
                leaves.entries[slot].movingChunks & 1 << UInt32(chunk) != 0
            else { return false }
            return liveBlocks(slot, chunk, in: reclaim.victim, of: .flash).count > 0
        }
    }

    /// Leaves the segment in which copies go on, if nothing lives in it and there is no other: the
    /// device has lost them all, and what is left may be too little for any victim.  It is free
    /// when the next checkpoint has said so.
    func leaveVainSegment(of tier: DeviceRole) {
        let stream = tier == .flash ? mature : cold
        guard stream.segment >= 0, stream.cursor > 0, pool.freeSegmentCount(tier) == 0,
            pool.segments[stream.segment].liveBlockCount == 0,
            pool.segments[stream.segment].recordsInFlight == 0
        else { return }
        if tier == .flash { sealSegment(of: &mature) } else { sealSegment(of: &cold) }
        hasProgressed = true
    }

    /// Whether the copies that stay on their tier, queued or on their way, may fill a segment.
    ///
    /// Segments are emptied one after the other.  Were the chunks of many taken at once, in the
    /// order of their addresses, the last free segments could be filled before any is empty.
    func isSegmentUnderWay(_ queued: [MoveCandidate], _ tier: DeviceRole) -> Bool {
        guard queued.count < Lane.queuedChunkMax else { return true }
        var rest = pool.segmentBlockCountMin(tier)
        for move in 0..<moves.count where moves[move].itemCount > 0 {
            let purpose = moveItems[firstItem(move)].purpose
            guard purpose == (tier == .flash ? .keep : .relocate) else { continue }
            rest -= Int(moves[move].itemCount)
        }
        if tier == .disk {
            for flush in diskFlushes { rest -= flush.blockCount(of: .relocate) }
        }
        return queued.have(blockCount: rest)
    }

    /// Blocks of a segment that so many copies take at least, its header included.
    func copiesBlockCount(_ count: Int) -> Int {
        let most = configuration.recordDataBlockMax - 1
        return 1 + count + (count + most - 1) / most * RecordHeader.overheadBlockCount
    }

    /// Copies that are to be written to a tier: queued to stay there, or read by a move.
    private func copiesUnderWay(_ tier: DeviceRole) -> Int {
        var count = 0
        for candidate in tier == .flash ? keeps : relocations {
            count += Int(candidate.blockCount)
        }
        for move in 0..<moves.count where moves[move].toDisk == (tier == .disk) {
            if moves[move].phase == .reading || moves[move].phase == .ready {
                count += Int(moves[move].itemCount)
            }
        }
        return count
    }

    /// Copies that so many blocks of a segment have room for, however scattered they are.
    ///
    /// A record takes whole chunks, up to `most` blocks, and moves begin when there are more than
    /// that or no more to come.  So what fits into one record makes one; and of more, any two
    /// records that follow each other hold more than `most` but where a batch ends: for n blocks
    /// there are at most 2 + 3 n / (most + 1).
    private func copyRoom(in blockCount: Int) -> Int {
        let overhead = RecordHeader.overheadBlockCount
        let most = min(configuration.recordDataBlockMax - 1, Pool.scatteredCopyCount)
        let inOne = min(blockCount - overhead, most)
        let inMany = (blockCount - 2 * overhead) * (most + 1) / (most + 1 + 3 * overhead)
        return max(0, inOne, inMany)
    }
}
