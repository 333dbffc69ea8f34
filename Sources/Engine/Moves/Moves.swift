internal import Format
internal import IO
internal import Policy
internal import Units

// Moves between tiers and segments.  Crash order, each step only after the one before it:
//
// 1. The blocks are read from their source and verified against the map.
// 2. They are written as one record of copies, with the sequences and checksums they always had.
// 3. What went to disk is read back and verified, as it may become the sole copy; then the disk is
//    flushed (DiskFlush).
// 4. The map is changed, block by block, only where the whole location and the sequence are still
//    those of step 1.  A newer write, a trim or another move wins.
// 5. A checkpoint flushes flash, commits the changed leaves, and only then frees the source.
//
// Before 5 a crash finds the source still in place, so that copies need no replay.
extension Lane {
    var hasMovesInFlight: Bool {
        for move in 0..<moves.count where moves[move].phase != .free { return true }
        return diskFlushes.contains { !$0.isIdle }
    }

    /// Goes on with moves: those that wait for a segment, then new ones.
    func runMoves() {
        guard !isReadOnly else { return }
        for move in 0..<moves.count where moves[move].phase == .ready { writeMove(move) }
        recordPoison()
        startPromotions()
        startMoves(from: &keeps, toDisk: false, isUrgent: isMoveDue(keeps))
        startMoves(from: &relocations, toDisk: true, isUrgent: isMoveDue(relocations))
        startMoves(from: &demotions, toDisk: true, isUrgent: isMoveDue(demotions))
    }

    func startPromotions() {
        startMoves(
            from: &promotions,
            toDisk: false,
            leavingSlots: slotsLeftByPromotions,
            isUrgent: true
        )
    }

    /// Moves that promotions leave to reclaim, of as many as there are.
    var slotsLeftByPromotions: Int { min(2, moves.count - 1) }

    /// A batch is worth a record when it is full, or when nothing more will join it soon.
    private func isMoveDue(_ candidates: [MoveCandidate]) -> Bool {
        candidates.have(blockCount: configuration.recordDataBlockMax) || !isReclaimFilling
            || shutdown.isBegun
    }

    private func startMoves(
        from candidates: inout [MoveCandidate],
        toDisk: Bool,
        leavingSlots: Int = 0,
        isUrgent: Bool
    ) {
        // What waits for more of its kind waits for nothing when its device is late.
        guard isUrgent || operations.lateDevices != 0 else { return }
        while let purpose = candidates.first?.purpose {
            guard canTake(purpose) else {
                // Queued chunks would keep others from taking what they lie in.
                noteNoSegment()
                statistics.movesDropped += UInt64(candidates.count)
                for one in candidates { endMoving(one.volume, one.leaf, one.chunk) }
                return candidates.removeAll(keepingCapacity: true)
            }
            guard isUrgent else { return }
            var free = 0
            var slot = -1
            for move in 0..<moves.count where moves[move].phase == .free {
                free += 1
                slot = move
            }
            // A disk that hangs keeps those that need it, and reclaim on flash goes on.
            let needsDisk = purpose != .keep
            guard free > leavingSlots, slot >= 0, mayHoldMore(needsDisk: needsDisk),
                mayRead(candidates[0]), operations.freeCount > configuration.recordDataBlockMax + 64
            else { return }
            candidates.sort { $0.precedes($1) }
            var taken = 0
            moves[slot] = MoveSlot()
            moves[slot].toDisk = toDisk
            moves[slot].needsDisk = needsDisk
            var table = 0
            while taken < candidates.count,
                gather(candidates[taken], into: slot, tableByteCount: &table)
            {
                taken += 1
            }
            invariant(taken > 0, "an empty move takes at least one chunk")
            candidates.removeFirst(taken)
            beginMove(slot)
        }
    }

    /// Whether one slot at least is left to the other kind of moves.
    func mayHoldMore(needsDisk: Bool) -> Bool {
        var count = 0
        for move in 0..<moves.count
        where moves[move].phase != .free && moves[move].needsDisk == needsDisk {
            count += 1
        }
        return count < max(1, moves.count - 1)
    }

    func firstItem(_ move: Int) -> Int { move * configuration.recordDataBlockMax }

    /// Adds a chunk's blocks to a move; false when it has no room for them.
    private func gather(
        _ candidate: MoveCandidate,
        into move: Int,
        tableByteCount: inout Int
    ) -> Bool {
        guard let slot = leaves.find(volume: candidate.volume, index: candidate.leaf) else {
            invariantFailed("the leaf of a moving chunk stays", file: #fileID, line: #line)
        }
        let first = Int(candidate.chunk) * Geometry.blocksPerChunk
        var count = 0
        var runs = 0
        var previous = -2
        for block in first..<(first + Geometry.blocksPerChunk)
        where isMoved(leaves.state(slot, block), candidate) {
            if block != previous + 1 { runs += 1 }
            previous = block
            count += 1
        }
        let bytes =
            runs * RecordEntry.fixedByteCount + count * RecordEntry.copyByteCount
        let used = Int(moves[move].itemCount)
        guard used + count <= configuration.recordDataBlockMax - 1,
            tableByteCount + bytes <= RecordHeader.tableByteCountMax
        else { return used == 0 && count == 0 }
        tableByteCount += bytes
        let isLive = volumes[Int(candidate.volume)].life == .live
        for block in first..<(first + Geometry.blocksPerChunk) {
            let state = leaves.state(slot, block)
            guard isMoved(state, candidate) else { continue }
            var item = MoveItem()
            item.purpose = candidate.purpose
            item.volume = candidate.volume
            item.address = candidate.leaf * UInt64(Geometry.blocksPerLeaf) + UInt64(block)
            item.source =
                candidate.purpose == .promote || candidate.purpose == .relocate
                ? state.disk : state.flash
            item.sequence = state.sequence
            item.checksum = state.checksum
            moveItems[firstItem(move) + Int(moves[move].itemCount)] = item
            moves[move].itemCount += 1
        }
        if count == 0 || !isLive { endMoving(candidate.volume, candidate.leaf, candidate.chunk) }
        return true
    }

    /// Whether a block is one that this candidate moves.
    private func isMoved(_ state: BlockState, _ candidate: MoveCandidate) -> Bool {
        guard state.isStored else { return false }
        switch candidate.purpose {
        case .promote: return state.flash.isNowhere && state.disk.isPlace
        case .keep:
            return state.flash.isPlace && pool.slot(of: state.flash) == Int(candidate.segment)
        case .demote: return state.flash.isPlace && state.disk.isNowhere
        case .relocate:
            return state.disk.isPlace && pool.slot(of: state.disk) == Int(candidate.segment)
        }
    }

    /// Marks a chunk as moving and queues it; false when it is moving already.
    func queueMove(
        _ purpose: MoveCandidate.Purpose,
        _ slot: Int,
        chunk: Int,
        segment: Int
    ) -> MoveCandidate? {
        let bit = UInt32(1) << UInt32(chunk)
        guard leaves.entries[slot].movingChunks & bit == 0 else { return nil }
        if leaves.entries[slot].movingChunks == 0 { movingLeafCount += 1 }
        leaves.entries[slot].movingChunks |= bit
        var candidate = MoveCandidate(
            purpose: purpose,
            volume: leaves.entries[slot].volume,
            leaf: leaves.entries[slot].index,
            chunk: Int32(chunk),
            segment: Int32(segment),
            blockCount: 0
        )
        let first = chunk * Geometry.blocksPerChunk
        for block in first..<(first + Geometry.blocksPerChunk)
        where isMoved(leaves.state(slot, block), candidate) {
            candidate.blockCount += 1
        }
        return candidate
    }

    func endMoving(_ volume: UInt32, _ leaf: UInt64, _ chunk: Int32) {
        guard let slot = leaves.find(volume: volume, index: leaf) else { return }
        let bit = UInt32(1) << UInt32(chunk)
        guard leaves.entries[slot].movingChunks & bit != 0 else { return }
        leaves.entries[slot].movingChunks &= ~bit
        endedMoveCount += 1
        if !Mutant.barrenSegmentsKept.isOn { barrenSegments.removeAll(keepingCapacity: true) }
        if leaves.entries[slot].movingChunks == 0 { movingLeafCount -= 1 }
    }

    // MARK: Reading

    /// Submits the reads of a move, neighbours on a device as one operation.
    private func beginMove(_ move: Int) {
        moves[move].phase = .reading
        let count = Int(moves[move].itemCount)
        let record = configuration.hostRecordCount + move
        var index = 0
        while index < count {
            let item = moveItems[firstItem(move) + index]
            if let source = bufferedBlock(at: item.source) {
                recordDataBlock(record, index).copy(from: source)
                index += 1
                continue
            }
            var run = 1
            while index + run < count {
                let next = moveItems[firstItem(move) + index + run].source
                guard next.rawValue == item.source.rawValue &+ UInt64(run),
                    bufferedBlock(at: next) == nil
                else { break }
                run += 1
            }
            submitMoveRead(move, record, index, run, at: item.source)
            index += run
        }
        if moves[move].operationCount == 0 { finishMoveReads(move) }
    }

    private func submitMoveRead(
        _ move: Int,
        _ record: Int,
        _ index: Int,
        _ count: Int,
        at source: Location
    ) {
        let segment = pool.slot(of: source)
        beginReading(segment)
        moves[move].operationCount += 1
        let start = (2 + index) * Geometry.blockByteCount
        operations.submit(
            .read,
            at: (source.device, source.block),
            blockCount: count,
            region: recordBuffer(record)[start..<(start + count * Geometry.blockByteCount)],
            for: OperationSlot(
                owner: .moveRead,
                ownerIndex: Int32(move),
                firstBlock: Int32(index),
                blockCount: Int32(count),
                segment: Int32(segment)
            )
        )
    }

    /// Whether these blocks, which a device gave, are what the map expects; those that are need not
    /// be looked at again.
    func hasRightBytes(move: Int, _ blocks: Range<Int>) -> Bool {
        var areRight = true
        for index in blocks {
            // What an earlier read of the piece gave right, this one may not have.
            let isRight = isRight(move, index)
            moveItems[firstItem(move) + index].isVerified = isRight
            if !isRight { areRight = false }
        }
        return areRight
    }

    private func isRight(_ move: Int, _ index: Int) -> Bool {
        let item = moveItems[firstItem(move) + index]
        let start = Checksum.blockStart(
            seed: volumes[Int(item.volume)].seed,
            address: item.address,
            sequence: item.sequence
        )
        let block = recordDataBlock(configuration.hostRecordCount + move, index)
        let found = block.checksum(from: start)
        if Mutant.checksumTakenAnew.isOn {
            moveItems[firstItem(move) + index].checksum = found
            return true
        }
        return found == item.checksum
    }

    func completeMoveRead(_ move: Int, _ slot: OperationSlot, _ result: OperationResult) {
        let first = firstItem(move) + Int(slot.firstBlock)
        for item in first..<(first + Int(slot.blockCount)) {
            if result != .done {
                moveItems[item].isBad = true
                moveItems[item].isUnread = true
                moveItems[item].isGone = result == .deviceLost
            } else if !moveItems[item].isVerified {
                moveItems[item].isBad = true
            }
        }
        if moves[move].operationCount == 0 { finishMoveReads(move) }
    }

    /// Verifies what was read, and leaves out what is bad before anything else is decided of it;
    /// hosts that wait are served from memory.
    private func finishMoveReads(_ move: Int) {
        verify(move)
        dropBadItems(move)
        moves[move].phase = .ready
        var waiting = moves[move].waiters
        moves[move].waiters = RequestList()
        while let request = popFirst(of: &waiting) {
            requests[request].hasPromoted = true
            attemptRead(request)
        }
    }

    /// Marks items whose bytes in the move's buffer are not what the map expects.
    private func verify(_ move: Int) {
        for index in 0..<Int(moves[move].itemCount)
        where !moveItems[firstItem(move) + index].isVerified && !isRight(move, index) {
            moveItems[firstItem(move) + index].isBad = true
        }
    }

    /// The verified bytes of a block that a promotion has just read; nil when there are none.
    func movedBlock(
        at source: Location,
        _ volume: Int,
        _ address: UInt64,
        _ sequence: SequenceNumber
    ) -> BufferRegion? {
        for move in 0..<moves.count
        where !moves[move].toDisk && (moves[move].phase == .ready || moves[move].phase == .writing)
        {
            for index in 0..<Int(moves[move].itemCount) {
                let item = moveItems[firstItem(move) + index]
                // The place may have been written anew since: the sequence tells.
                if item.address == address && item.source == source && !item.isBad
                    && item.volume == UInt32(volume) && item.sequence == sequence
                {
                    return recordDataBlock(configuration.hostRecordCount + move, index)
                }
            }
        }
        return nil
    }

    // MARK: Writing

    private func writeMove(_ move: Int) {
        guard moves[move].itemCount > 0 else { return endMove(move) }
        guard operations.spareCount > 0 else { return }
        let record = configuration.hostRecordCount + move
        guard
            hasRoom(for: moveItems[firstItem(move)].purpose),
            moves[move].toDisk
                ? openRecord(record, of: move, in: &cold)
                : openRecord(record, of: move, in: &mature)
        else {
            // Others took the space meanwhile.  To wait for more would hold a move that those may
            // need who make room: the sources stay, and reclaim decides anew.
            statistics.movesDropped += 1
            return endMove(move)
        }
        appendCopies(move, record)
        moves[move].phase = .writing
        let owner = OperationSlot(owner: .moveWrite, ownerIndex: Int32(move))
        if moves[move].toDisk {
            moves[move].failedFlushCount = pool.failedFlushCount(.disk(records[record].device))
            submitRecord(record, in: &cold, as: owner)
        } else {
            submitRecord(record, in: &mature, as: owner)
        }
    }

    func chunk(of item: MoveItem) -> ChunkKey {
        ChunkKey(volume: item.volume, chunk: item.address / UInt64(Geometry.blocksPerChunk))
    }

    func endMoving(_ item: MoveItem) {
        let chunk = item.address / UInt64(Geometry.blocksPerChunk)
        endMoving(
            item.volume,
            chunk / UInt64(Geometry.chunksPerLeaf),
            Int32(chunk % UInt64(Geometry.chunksPerLeaf))
        )
    }

    /// Fills the record's table: one entry for each run of neighbouring addresses.
    private func appendCopies(_ move: Int, _ record: Int) {
        var header = recordHeaderBlock(record).mutableBytes
        let count = Int(moves[move].itemCount)
        var index = 0
        while index < count {
            let item = moveItems[firstItem(move) + index]
            var run = 1
            while index + run < count {
                let next = moveItems[firstItem(move) + index + run]
                guard next.volume == item.volume, next.address == item.address + UInt64(run) else {
                    break
                }
                run += 1
            }
            let place = RecordHeader.tableOffset + Int(records[record].tableByteCount)
            RecordEntry(
                volume: volumes[Int(item.volume)].identifier,
                address: item.address,
                blockCount: UInt32(run),
                kind: .copy
            ).store(into: &header, at: place)
            for offset in 0..<run {
                let copied = moveItems[firstItem(move) + index + offset]
                RecordEntry.store(
                    sequence: copied.sequence,
                    checksum: copied.checksum,
                    ofBlock: offset,
                    into: &header,
                    at: place
                )
            }
            records[record].tableByteCount += Int32(
                RecordEntry.byteCount(.copy, blockCount: run)
            )
            records[record].entryCount += 1
            index += run
        }
        records[record].dataCount = Int32(count)
    }

    func completeMoveWrite(_ move: Int, isGood: Bool) {
        let record = configuration.hostRecordCount + move
        guard isGood else { return refuseMove(move, record) }
        refusedMoveCount[moves[move].toDisk ? 1 : 0] = 0
        if !moves[move].toDisk && !Mutant.flushInFlightCoversAll.isOn { flashIsUnflushed = true }
        records[record].state = .landed
        guard moves[move].toDisk else { return recordMove(move) }
        // Read back what the disk says it has: it may become the sole copy.
        moves[move].phase = .verifying
        let slot = records[record]
        let count = Int(moves[move].itemCount)
        let start = 2 * Geometry.blockByteCount
        operations.submit(
            .read,
            at: (slot.device, slot.firstDataBlock),
            blockCount: count,
            region: recordBuffer(record)[start..<(start + count * Geometry.blockByteCount)],
            for: OperationSlot(owner: .moveVerify, ownerIndex: Int32(move))
        )
    }

    func completeMoveVerify(_ move: Int, isGood: Bool) {
        for index in 0..<Int(moves[move].itemCount) {
            moveItems[firstItem(move) + index].isVerified = false
        }
        verify(move)
        for index in 0..<Int(moves[move].itemCount)
        where moveItems[firstItem(move) + index].isBad || !isGood {
            moveItems[firstItem(move) + index].isBad = true
            statistics.verifyFailures += 1
        }
        if !isGood { note("verify_failed", "demoted blocks could not be read back") }
        if Mutant.copiesNamedUnflushed.isOn { return recordMove(move) }
        awaitFlush(of: move)
    }
}
