internal import Format
internal import IO
internal import Policy
internal import Units

/// The emptying of segments of one tier: which, how far it was read, and what is to be decided.
struct Reclaim {
    enum Phase { case idle, scanning, deciding }

    let tier: DeviceRole
    var phase = Phase.idle
    var victim = -1
    /// Of the victim: another one there is another segment.
    var sequence: UInt64 = 0
    /// Share of the victim's blocks that were live when it was chosen.
    var liveShare: Float = 1
    /// Where the next record header lies, in blocks from the segment's start.
    var nextHeader = 0
    /// The read of a slice of the segment is in flight.
    var isReading = false
    var sliceStart = 0
    /// Chunks that records of the segment name: volume slot and chunk, to be decided one by one.
    var chunks: [ChunkKey] = []
    var decided = 0
    /// The chunk that it has come to is moving: see `mustWait`.
    var isWaiting = false
    /// A chunk of the victim was queued or dropped.
    var hasGained = false
    /// The device refused to read a block of it: there may be more chunks than are known.
    var wasRefused = false
    /// Copies of it stay until it is known whether the disk has the same bytes.
    var isHeld = false
    /// Copies of it wait for a disk that takes some.
    var waitsForDisk = false
    /// A chunk of it is moving, and there is no segment to spare: nothing of it is kept.
    var staysInPart = false
    /// The lane's `endedMoveCount` when it was chosen.
    var endedMoveCount = 0

    init(tier: DeviceRole) { self.tier = tier }
}

/// A chunk of a volume of this lane.
struct ChunkKey: Comparable {
    var volume: UInt32
    var chunk: UInt64
    static func < (left: ChunkKey, right: ChunkKey) -> Bool {
        (left.volume, left.chunk) < (right.volume, right.chunk)
    }
}

// Reclaim is the tiering: the flash log is a queue of segments, and what reaches its end is
// forgotten, dropped, demoted or kept.  A segment is chosen; the tables of its records say which
// chunks had blocks in it; the map says which still have; the policy decides.  The segment is free
// when nothing refers to it any more and a checkpoint has said so.
extension Lane {
    /// Free flash segments at which reclaim begins, at which hosts are slowed, and which they may
    /// not take.
    var flashMarks: FreeSegmentMarks {
        FreeSegmentMarks(
            high: hostReserve + max(4 * pool.laneCount, pool.flashSegmentCount / 8),
            reserve: hostReserve
        )
    }

    /// Free disk segments below which disk segments are compacted.
    private var diskLow: Int {
        Lane.demoteSegmentReserve * pool.laneCount
            + max(2 * pool.laneCount, pool.diskSegmentCount / 16)
    }

    /// Whether reclaim will soon queue more chunks: a batch had better wait for them.
    var isReclaimFilling: Bool {
        (flashReclaim.phase != .idle && !isReclaimHeldUp(.flash))
            || (diskReclaim.phase != .idle && !diskReclaim.isWaiting && !isReclaimHeldUp(.disk)
                && !(diskReclaim.isReading && operations.lateDevices != 0))
    }

    /// The pins of queued chunks, or the copies under way, leave no room for more.
    private func isReclaimHeldUp(_ tier: DeviceRole) -> Bool {
        if movingLeafCount * 2 >= leaves.count || checkpoint.isWanted { return true }
        if tier == .disk { return isSegmentUnderWay(relocations, .disk) }
        return demotions.count >= Lane.queuedChunkMax || isSegmentUnderWay(keeps, .flash)
    }

    /// Chunks of one purpose that wait for a move: 512 x 64 KiB, a long sequential run on disk.
    static var queuedChunkMax: Int { 512 }

    func runReclaim() {
        guard !isReadOnly, !shutdown.isQuiet else { return }
        if !segmentsForDisk.isEmpty, canTake(.demote) {
            segmentsForDisk.removeAll(keepingCapacity: true)
        }
        step(&flashReclaim)
        step(&diskReclaim)
    }

    private func step(_ reclaim: inout Reclaim) {
        switch reclaim.phase {
        case .idle: begin(&reclaim)
        case .scanning: scan(&reclaim)
        case .deciding: decide(&reclaim)
        }
    }

    // MARK: Choice

    private func begin(_ reclaim: inout Reclaim) {
        guard isReclaimDue(reclaim.tier), !isReclaimHeldUp(reclaim.tier) else { return }
        guard hasRoomToReclaim(reclaim.tier) else {
            noteNoSegment()
            return leaveVainSegment(of: reclaim.tier)
        }
        guard let victim = chooseVictim(reclaim.tier) else {
            return leaveVainSegment(of: reclaim.tier)
        }
        pool.segments[victim].isVictim = true
        pool.segments[victim].wasVictim = true
        reclaim.victim = victim
        reclaim.sequence = pool.segments[victim].sequence
        reclaim.liveShare = liveShare(of: victim)
        reclaim.phase = .scanning
        reclaim.nextHeader = 1
        reclaim.chunks.removeAll(keepingCapacity: true)
        reclaim.decided = 0
        reclaim.hasGained = false
        reclaim.wasRefused = false
        reclaim.isHeld = false
        reclaim.waitsForDisk = false
        reclaim.endedMoveCount = endedMoveCount
        statistics.segmentsReclaimed += 1
        if let chunks = foundChunks.removeValue(forKey: victim) {
            reclaim.chunks = chunks
            return endScan(&reclaim)
        }
        scan(&reclaim)
    }

    /// Whether what a victim holds can go anywhere.  If not, only a checkpoint can help.
    private func hasRoomToReclaim(_ tier: DeviceRole) -> Bool {
        tier == .disk ? canTake(.relocate) : canTake(.keep) || canTake(.demote)
    }

    /// Whether the tier is short of segments, counting those that the next checkpoint frees, and as
    /// many as are full of what waits for a flush of its disk.
    private func isReclaimDue(_ tier: DeviceRole) -> Bool {
        var coming = 0
        for segment in emptiedSegments where pool.geometry(of: segment).role == tier { coming += 1 }
        for segment in checkpoint.forgetting where pool.geometry(of: segment).role == tier {
            coming += 1
        }
        if tier == .flash {
            var blocks = 0
            for flush in diskFlushes where !operations.isLate(flush.device) {
                blocks += flush.blockCount(of: .demote)
            }
            coming += blocks / max(1, pool.segmentBlockCountMin(.flash))
        }
        let free = pool.freeSegmentCount(tier) + coming
        return free < (tier == .flash ? flashMarks.high : diskLow)
    }

    /// On flash the emptiest among the oldest quarter; when segments run out, the emptiest of all.
    /// On disk, where age means nothing, always the emptiest, if it is worth its copying.
    private func chooseVictim(_ tier: DeviceRole) -> Int? {
        let sealed = sealedSegments[tier == .flash ? 0 : 1]
        let pressure = flashMarks.pressure(freeSegments: pool.freeSegmentCount(.flash))
        let window =
            tier == .flash && pressure < 1 ? max(4, sealed.count / 4) : sealed.count
        let rest = unfilledSegment(for: tier == .flash ? mature : cold)
        var best: Int?
        for segment in sealed.prefix(window) where segment != rest && mayBeVictim(segment, tier) {
            let live = pool.segments[segment].liveBlockCount
            if live < best.map({ pool.segments[$0].liveBlockCount }) ?? .max { best = segment }
        }
        if let best, fits(best, tier) { return best }
        // Where copies will go on is emptied only if nothing else is.
        guard let rest, mayBeVictim(rest, tier), fits(rest, tier) else {
            if best != nil { noteNoSegment() }
            return nil
        }
        return rest
    }

    // MARK: Scan

    /// Reads the next slice that may hold a record header.
    private func scan(_ reclaim: inout Reclaim) {
        guard !reclaim.isReading else { return }
        guard isStillThere(reclaim) else { return end(&reclaim) }
        let segment = reclaim.victim
        let geometry = pool.geometry(of: segment)
        guard reclaim.nextHeader < geometry.segmentBlockCount else {
            return endScan(&reclaim)
        }
        guard operations.freeCount > 64 else { return }
        let address = pool.address(of: segment)
        let left = geometry.segmentBlockCount - reclaim.nextHeader
        let count = min(configuration.reclaimSliceBlockCount, left)
        reclaim.sliceStart = reclaim.nextHeader
        reclaim.isReading = true
        beginReading(segment)
        operations.submit(
            .read,
            at: (
                address.device,
                geometry.firstBlock(of: address.index) + UInt64(reclaim.nextHeader)
            ),
            blockCount: count,
            region: scanRegion(reclaim.tier)[0..<(count * 4096)],
            for: OperationSlot(
                owner: .scan,
                ownerIndex: reclaim.tier == .flash ? 0 : 1,
                firstBlock: 0,
                blockCount: Int32(count),
                segment: Int32(segment)
            )
        )
    }

    func scanRegion(_ tier: DeviceRole) -> BufferRegion {
        let byteCount = configuration.reclaimSliceBlockCount * Geometry.blockByteCount
        return tier == .flash
            ? scanArena.region[0..<byteCount] : scanArena.region[byteCount..<(2 * byteCount)]
    }

    /// A piece of a slice is here, or cannot be had.
    func completeScan(_ tier: Int, _ slot: OperationSlot, _ result: OperationResult) {
        let region = scanRegion(tier == 0 ? .flash : .disk)
        if result != .done {
            for index in Int(slot.firstBlock)..<Int(slot.firstBlock + slot.blockCount) {
                region.block(index).zero()
            }
        }
        if tier == 0 {
            completeScan(&flashReclaim, slot, result)
        } else {
            completeScan(&diskReclaim, slot, result)
        }
    }

    private func completeScan(
        _ reclaim: inout Reclaim,
        _ slot: OperationSlot,
        _ result: OperationResult
    ) {
        if result != .done { reclaim.wasRefused = true }
        if slot.tailCount == 0 { readSlice(&reclaim, isGone: result == .deviceLost) }
    }

    /// Goes through the records of a slice.  Where a header is damaged, the record's tail, which
    /// has the same table, is looked for behind it: else what lies there would keep the segment for
    /// ever.
    ///
    /// Behind a gap in a segment of copies, a record of an earlier life may still stand, and others
    /// begin inside it: every block is looked at there.
    private func readSlice(_ reclaim: inout Reclaim, isGone: Bool) {
        reclaim.isReading = false
        guard !isGone else { return endScan(&reclaim) }
        let state = pool.segments[reclaim.victim]
        let region = scanRegion(reclaim.tier)
        let end = pool.geometry(of: reclaim.victim).segmentBlockCount
        let hasGaps = state.stream != .host && (state.openedTick == 0 || state.wasContinued)
        while reclaim.nextHeader < end {
            let index = reclaim.nextHeader - reclaim.sliceStart
            guard index < configuration.reclaimSliceBlockCount else { break }
            let block = region.block(index)
            guard let header = header(in: block, at: reclaim.nextHeader, of: state) else {
                // Behind the last record there is nothing to look for.
                let written = Int(state.writtenBlockCount)
                if written > 0 && reclaim.nextHeader >= written { return endScan(&reclaim) }
                reclaim.nextHeader += 1
                continue
            }
            do throws(FormatError) {
                try noteChunks(of: header, block.bytes, &reclaim)
                reclaim.nextHeader +=
                    header.isTail || hasGaps
                    ? 1 : Int(header.dataBlockCount) + RecordHeader.overheadBlockCount
            } catch {
                // No lane writes such a table: what stays live keeps the segment.
                return endScan(&reclaim)
            }
        }
    }

    /// The header, or tail, of a record of this segment that lies at a block of it.
    private func header(
        in block: BufferRegion,
        at place: Int,
        of state: SegmentState
    ) -> RecordHeader? {
        guard block.bytes.word64(at: 0) == RecordHeader.magic else { return nil }
        do throws(FormatError) {
            let header = try RecordHeader(decoding: block.bytes, nonce: state.nonce)
            let lead = header.isTail ? Int(header.dataBlockCount) + 1 : 0
            guard header.segmentSequence == state.sequence,
                Int(header.blockOffset) + lead == place
            else { return nil }
            return header
        } catch {
            return nil
        }
    }

    /// Notes the chunks that a record's table names.
    private func noteChunks(
        of header: RecordHeader,
        _ block: RawSpan,
        _ reclaim: inout Reclaim
    ) throws(FormatError) {
        var place = RecordHeader.tableOffset
        let end = RecordHeader.tableOffset + Int(header.tableByteCount)
        for _ in 0..<header.entryCount {
            let entry = try RecordEntry(decoding: block, at: place, end: end)
            place += entry.byteCount
            guard entry.dataBlockCount > 0, let volume = volumeSlots[entry.volume] else { continue }
            let first = entry.address / UInt64(Geometry.blocksPerChunk)
            let last =
                (entry.address + UInt64(entry.blockCount) - 1) / UInt64(Geometry.blocksPerChunk)
            for chunk in first...last {
                let key = ChunkKey(volume: UInt32(volume), chunk: chunk)
                if reclaim.chunks.last != key { reclaim.chunks.append(key) }
            }
        }
    }

    private func endScan(_ reclaim: inout Reclaim) {
        reclaim.chunks.sort()
        var unique: [ChunkKey] = []
        unique.reserveCapacity(reclaim.chunks.count)
        for key in reclaim.chunks where unique.last != key { unique.append(key) }
        reclaim.chunks = unique
        reclaim.staysInPart = reclaim.tier == .flash && wouldStayInPart(reclaim)
        reclaim.phase = .deciding
        hasProgressed = true
    }

    // MARK: Decision

    private func decide(_ reclaim: inout Reclaim) {
        reclaim.isWaiting = false
        for _ in 0..<configuration.chunksDecidedPerTurn {
            guard reclaim.decided < reclaim.chunks.count else { return end(&reclaim) }
            guard isStillThere(reclaim) else { return end(&reclaim) }
            if isReclaimHeldUp(reclaim.tier) { return }
            let key = reclaim.chunks[reclaim.decided]
            let leaf = key.chunk / UInt64(Geometry.chunksPerLeaf)
            if volumes[Int(key.volume)].life == .live {
                switch access(Int(key.volume), leaf: leaf, isForChange: false) {
                case .loading, .noRoom: return
                case .absent, .damaged: break
                case .ready(let slot):
                    reclaim.isWaiting = mustWait(for: key, in: slot, reclaim.tier)
                    if reclaim.isWaiting { return }
                    decide(&reclaim, slot, chunk: Int(key.chunk % UInt64(Geometry.chunksPerLeaf)))
                }
            }
            reclaim.decided += 1
        }
        hasProgressed = true
    }

    private func decide(_ reclaim: inout Reclaim, _ slot: Int, chunk: Int) {
        let live = liveBlocks(slot, chunk, in: reclaim.victim, of: reclaim.tier)
        guard live.count > 0 else { return }
        guard reclaim.tier == .flash else {
            queue(.relocate, slot, chunk, &reclaim, &relocations)
            return
        }
        let first = chunk * Geometry.blocksPerChunk
        let facts = reclaimFacts(
            slot,
            chunk,
            in: reclaim.victim,
            live: live,
            liveShare: reclaim.liveShare
        )
        switch policy.onReclaim(facts) {
        case .drop:
            drop(slot, first, &reclaim)
        case .demote:
            drop(slot, first, &reclaim)
            queue(.demote, slot, chunk, &reclaim, &demotions)
        case .keep:
            if reclaim.staysInPart { return }
            // While no disk takes any, it would be written again and again for little room.
            guard
                facts.diskHasRoom || pool.hasWaitingHosts || pool.diskSegmentCount == 0
                    || isWorthCopying(reclaim.victim, gain: 8)
            else {
                reclaim.waitsForDisk = true
                return
            }
            queue(.keep, slot, chunk, &reclaim, &keeps)
        }
    }

    /// How many of a chunk's blocks live in a segment, and whether any has no copy on disk.
    func liveBlocks(_ slot: Int, _ chunk: Int, in segment: Int, of tier: DeviceRole)
        -> (count: Int, isDirty: Bool)
    {
        let first = chunk * Geometry.blocksPerChunk
        var live = (count: 0, isDirty: false)
        for block in first..<(first + Geometry.blocksPerChunk) {
            let state = leaves.state(slot, block)
            let location = tier == .flash ? state.flash : state.disk
            guard state.isStored, location.isPlace, pool.slot(of: location) == segment else {
                continue
            }
            live.count += 1
            if state.disk.isNowhere { live.isDirty = true }
        }
        return live
    }

    /// What the policy is told of a chunk that lives in a flash segment.
    func reclaimFacts(
        _ slot: Int,
        _ chunk: Int,
        in segment: Int,
        live: (count: Int, isDirty: Bool),
        liveShare: Float
    ) -> ReclaimFacts {
        var facts = ReclaimFacts(
            heat: leaves.heat[slot * Geometry.chunksPerLeaf + chunk],
            tick: tick,
            isDirty: live.isDirty,
            liveBlockCount: live.count
        )
        facts.segmentTick = pool.segments[segment].openedTick
        facts.segmentLiveShare = liveShare
        facts.diskHasRoom = canTake(.demote)
        facts.flashPressure = flashMarks.pressure(
            freeSegments: pool.freeSegmentCount(.flash)
        )
        return facts
    }

    /// Queues a chunk of the victim, unless it is moving already.
    private func queue(
        _ purpose: MoveCandidate.Purpose,
        _ slot: Int,
        _ chunk: Int,
        _ reclaim: inout Reclaim,
        _ queue: inout [MoveCandidate]
    ) {
        guard let candidate = queueMove(purpose, slot, chunk: chunk, segment: reclaim.victim)
        else { return }
        queue.append(candidate)
        reclaim.hasGained = true
    }

    /// Whether something lives in the victim.
    private func isStillThere(_ reclaim: Reclaim) -> Bool {
        isStillOurs(reclaim) && pool.segments[reclaim.victim].use == .sealed
            && pool.segments[reclaim.victim].liveBlockCount > 0
    }

    /// One that hosts have emptied meanwhile may be used again by now, by whichever lane.
    private func isStillOurs(_ reclaim: Reclaim) -> Bool {
        let state = pool.segments[reclaim.victim]
        return state.lane == index && state.sequence == reclaim.sequence
    }

    /// All chunks of the victim are decided: their moves empty it, and the next one can begin.
    private func end(_ reclaim: inout Reclaim) {
        let victim = reclaim.victim
        let isOurs = isStillOurs(reclaim)
        reclaim.victim = -1
        reclaim.phase = .idle
        // The next victim is chosen in the next turn, whether or not this one has started a move.
        hasProgressed = true
        guard isOurs else { return }
        pool.segments[victim].isVictim = false
        guard pool.segments[victim].use == .sealed else { return }
        if reclaim.hasGained {
            silentSegments.remove(victim)
        } else if reclaim.isHeld {
            leaveAlone(victim)
        } else if reclaim.waitsForDisk {
            segmentsForDisk.insert(victim)
        } else {
            silentSegments.insert(victim)
            if reclaim.wasRefused {
                leaveAlone(victim)
            } else if reclaim.endedMoveCount == endedMoveCount {
                barrenSegments.insert(victim)
            }
        }
        // It goes to the end of the queue: by the time it comes up again its moves have ended.
        let tier = reclaim.tier == .flash ? 0 : 1
        if let place = sealedSegments[tier].firstIndex(of: victim) {
            sealedSegments[tier].remove(at: place)
            sealedSegments[tier].append(victim)
        }
    }
}
