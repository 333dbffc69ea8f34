internal import Format
internal import IO
internal import Policy
internal import Units

// Promotion: what hosts read from disk is copied to flash, if the policy says so.  The host's own
// read brings it: the move reads the chunk, the host is served from the move's buffer, and the same
// buffer is written to flash.
extension Lane {
    /// The promotion that a read of these blocks is to wait for; nil when it reads by itself.
    func promotionFor(_ request: Int, _ slot: Int, from start: UInt64, to stop: UInt64) -> Int? {
        guard mayWaitForPromotion(request) else { return nil }
        let volume = leaves.entries[slot].volume
        let base = leaves.entries[slot].index * UInt64(Geometry.blocksPerLeaf)
        let firstChunk = Int(start - base) / Geometry.blocksPerChunk
        let lastChunk = Int(stop - 1 - base) / Geometry.blocksPerChunk
        for chunk in firstChunk...lastChunk
        where needsDisk(slot, chunk, from: Int(start - base), to: Int(stop - base)) {
            if leaves.entries[slot].movingChunks >> UInt32(chunk) & 1 == 1 {
                if let move = readingPromotion(of: volume, base, chunk) { return move }
                continue
            }
            var facts = readFacts(slot, chunk)
            facts.noteRead(
                isSequential: requests[request].isSequential,
                blockCount: blocks(of: chunk, Int(start - base), Int(stop - base))
            )
            guard case .promote(let group, _) = policy.onDiskRead(facts) else { continue }
            let first = chunk / group * group
            let last = max(first + group - 1, min(lastChunk, first + Self.promotedChunkMax - 1))
            if let move = beginPromotion(slot, first...min(last, Geometry.chunksPerLeaf - 1)) {
                return move
            }
            return nil
        }
        return nil
    }

    private func mayWaitForPromotion(_ request: Int) -> Bool {
        !requests[request].hasPromoted && !isReadOnly && !shutdown.isBegun
            && operations.silentDevices == 0
    }

    /// Whether a request will wait for a promotion that is reading a block.
    func isBeingPromoted(_ slot: Int, block: Int, for request: Int) -> Bool {
        guard requests[request].kind == .read, mayWaitForPromotion(request) else { return false }
        let chunk = block / Geometry.blocksPerChunk
        let base = leaves.entries[slot].index * UInt64(Geometry.blocksPerLeaf)
        return leaves.entries[slot].movingChunks >> UInt32(chunk) & 1 == 1
            && readingPromotion(of: leaves.entries[slot].volume, base, chunk) != nil
    }

    /// Chunks that one promotion takes at most: one record of copies.
    private static var promotedChunkMax: Int { 16 }

    /// What the policy is told of a chunk that lies on disk; the read itself is to be counted in.
    func readFacts(_ slot: Int, _ chunk: Int) -> ReadFacts {
        var facts = ReadFacts(
            heat: leaves.heat[slot * Geometry.chunksPerLeaf + chunk],
            tick: tick
        )
        let address =
            leaves.entries[slot].index * UInt64(Geometry.chunksPerLeaf) + UInt64(chunk)
        let tree = volumes[Int(leaves.entries[slot].volume)].tree
        facts.isGhost = ghosts.contains(GhostList.key(tree: tree, chunk: address))
        facts.flashPressure = flashMarks.pressure(
            freeSegments: pool.freeSegmentCount(.flash)
        )
        return facts
    }

    /// Whether blocks of the chunk inside the range are only on disk.
    func needsDisk(_ slot: Int, _ chunk: Int, from: Int, to: Int) -> Bool {
        let first = max(chunk * Geometry.blocksPerChunk, from)
        let end = min((chunk + 1) * Geometry.blocksPerChunk, to)
        for block in first..<end {
            let state = leaves.state(slot, block)
            if state.isStored && state.flash.isNowhere { return true }
        }
        return false
    }

    /// A promotion that is reading this chunk.
    private func readingPromotion(of volume: UInt32, _ base: UInt64, _ chunk: Int) -> Int? {
        let first = base + UInt64(chunk * Geometry.blocksPerChunk)
        for move in 0..<moves.count where moves[move].phase == .reading && !moves[move].toDisk {
            for index in 0..<Int(moves[move].itemCount) {
                let item = moveItems[firstItem(move) + index]
                if item.purpose == .promote && item.volume == volume && item.address >= first
                    && item.address < first + UInt64(Geometry.blocksPerChunk)
                {
                    return move
                }
            }
        }
        return nil
    }

    /// Begins to promote chunks of a leaf; nil when no move is free or nothing is to be read.
    private func beginPromotion(_ slot: Int, _ chunks: ClosedRange<Int>) -> Int? {
        guard promotions.isEmpty, hasFreeMove(leaving: slotsLeftByPromotions) else { return nil }
        for chunk in chunks.prefix(promotedChunkCountMax)
        where needsDisk(
            slot,
            chunk,
            from: chunk * Geometry.blocksPerChunk,
            to: (chunk + 1) * Geometry.blocksPerChunk
        ) {
            if let candidate = queueMove(.promote, slot, chunk: chunk, segment: -1) {
                promotions.append(candidate)
            }
        }
        guard !promotions.isEmpty else { return nil }
        let before = movesInFlightMask
        startPromotions()
        let started = movesInFlightMask & ~before
        guard started != 0 else { return nil }
        let move = started.trailingZeroBitCount
        return moves[move].phase == .reading ? move : nil
    }

    /// Whole chunks that fit into one record.
    private var promotedChunkCountMax: Int {
        max(1, (configuration.recordDataBlockMax - 1) / Geometry.blocksPerChunk)
    }

    private func hasFreeMove(leaving count: Int) -> Bool {
        var free = 0
        for move in 0..<moves.count where moves[move].phase == .free { free += 1 }
        return free > count && operations.freeCount > configuration.recordDataBlockMax + 64
    }

    private var movesInFlightMask: UInt64 {
        var mask: UInt64 = 0
        for move in 0..<moves.count where moves[move].phase != .free { mask |= 1 << UInt64(move) }
        return mask
    }

    // MARK: On request

    /// Promotes a range because a client asked for it; answered once queued.
    package func promote(
        _ volume: VolumeSlot,
        offset: UInt64,
        byteCount: UInt64,
        context: UInt64
    ) {
        let request = begin(
            .promote,
            volume,
            offset: offset,
            byteCount: byteCount,
            context: context
        )
        guard isServable(request, changes: false) else { return }
        guard byteCount > 0, !isReadOnly else { return finish(request, .done) }
        attemptPromote(request)
    }

    /// Queues the chunks of the range, up to what one record holds; more is dropped and counted.
    func attemptPromote(_ request: Int) {
        let slot = requests[request]
        let first = slot.offset / UInt64(Geometry.chunkByteCount)
        let last = (slot.offset + slot.byteCount - 1) / UInt64(Geometry.chunkByteCount)
        var chunk = first + slot.progress
        while chunk <= last {
            let leaf = chunk / UInt64(Geometry.chunksPerLeaf)
            switch access(Int(slot.volume), leaf: leaf, isForChange: false) {
            case .absent, .damaged: break
            case .loading(let waiting): return wait(request, forLeafIn: waiting)
            case .noRoom:
                statistics.promotionsDropped += last - chunk + 1
                return finish(request, .done)
            case .ready(let ready):
                let inLeaf = Int(chunk % UInt64(Geometry.chunksPerLeaf))
                guard promotions.count < Self.promotedChunkMax * 8,
                    movingLeafCount * 2 < leaves.count
                else {
                    statistics.promotionsDropped += last - chunk + 1
                    return finish(request, .done)
                }
                queueRequestedPromotion(ready, inLeaf)
            }
            chunk += 1
            requests[request].progress += 1
        }
        finish(request, .done)
    }

    private func queueRequestedPromotion(_ slot: Int, _ chunk: Int) {
        let first = chunk * Geometry.blocksPerChunk
        guard needsDisk(slot, chunk, from: first, to: first + Geometry.blocksPerChunk) else {
            return
        }
        var facts = readFacts(slot, chunk)
        facts.isRequested = true
        guard case .promote = policy.onDiskRead(facts) else {
            statistics.promotionsDropped += 1
            return
        }
        if let candidate = queueMove(.promote, slot, chunk: chunk, segment: -1) {
            promotions.append(candidate)
        }
    }
}
