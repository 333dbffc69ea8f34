internal import Format
internal import IO
internal import Units

// Blocks that a write covers in part.  Their old contents are read and verified first: a new
// checksum is never computed over bytes that were not checked.  Until the write is in the log, no
// later change of these blocks is (`isBehindAnother`), so what was read is still what they hold.
extension Lane {
    /// Where the old contents of the block at the start, or the end, of a part go.  Each request
    /// has its own two, so that none ever waits for another's.
    func mergeBlock(_ request: Int, _ index: Int) -> BufferRegion {
        mergeArena.region.block(firstMergeBlock(request) + index)
    }

    func firstMergeBlock(_ request: Int) -> Int { 2 * Int(requests[request].mergeMemory) }

    /// Whether the request covers a block in part, at either end.
    func needsMerge(_ request: Int) -> Bool {
        let slot = requests[request]
        return slot.offset % 4096 != 0 || (slot.offset + slot.byteCount) % 4096 != 0
    }

    /// Whether a part of a change waits for the old contents at its ends.
    func needsMerge(_ slot: RequestSlot, _ part: ChangePart) -> Bool {
        slot.kind != .trim && slot.mergePhase != .ready
            && (part.hasPartialHead || part.hasPartialTail)
    }

    /// Gets the old contents of the blocks at the ends of a part into the request's merge buffer.
    func prepareMerge(_ request: Int, _ part: ChangePart, in found: PartLeaves) -> PartOutcome {
        guard operations.spareCount >= 2 else { return .stalled }
        if let disk = crowdedDisk(for: request, part, in: found) { return .crowded(disk) }
        if part.hasPartialHead {
            guard fetch(part.first, into: 0, request, part, in: found) else { return .finished }
        }
        if part.hasPartialTail {
            guard fetch(part.end - 1, into: 1, request, part, in: found) else { return .finished }
        }
        guard requests[request].operationCount > 0 else { return .appended }
        requests[request].mergePhase = .reading
        return .merging
    }

    /// The crowded disk that the first of the old blocks has to be read from that are on disk; nil
    /// for none.  The second one is asked for along with it.
    private func crowdedDisk(
        for request: Int,
        _ part: ChangePart,
        in found: PartLeaves
    ) -> DeviceIndex? {
        guard operations.crowdedDevices != 0 else { return nil }
        for (isNeeded, block) in [
            (part.hasPartialHead, part.first), (part.hasPartialTail, part.end - 1),
        ] where isNeeded {
            let slot = found.slot(of: block)
            if let crowded = crowded(for: request, slot, from: block, to: block + 1) {
                return crowded.disk
            }
            let state = leaves.state(slot, Int(block % UInt64(Geometry.blocksPerLeaf)))
            if state.isStored && state.flash.isNowhere { return nil }
        }
        return nil
    }

    /// Gets one old block, or asks a device for it; false when it is poisoned: the request failed.
    private func fetch(
        _ block: UInt64,
        into index: Int,
        _ request: Int,
        _ part: ChangePart,
        in found: PartLeaves
    ) -> Bool {
        let target = mergeBlock(request, index)
        let state = leaves.state(
            found.slot(of: block),
            Int(block % UInt64(Geometry.blocksPerLeaf))
        )
        switch state.kind {
        case .stored where Mutant.mergeTakesZeros.isOn: target.zero()
        case .absent, .zero: target.zero()
        case .poisoned, nil:
            fail(request, .mediaError, at: block * 4096)
            return requests[request].operationCount > 0
        case .stored:
            var location = source(of: state, at: block, for: request)
            if let source = bufferedBlock(at: location)
                ?? movedBlock(at: location, part.volume, block, state.sequence)
            {
                target.copy(from: source)
                return true
            }
            location = answering(location, of: state, at: block, for: request)
            guard location.isPlace else {
                fail(request, .mediaError, at: block * 4096)
                return requests[request].operationCount > 0
            }
            mergeChecks[firstMergeBlock(request) + index] = BlockCheck(
                start: Checksum.blockStart(
                    seed: volumes[part.volume].seed,
                    address: block,
                    sequence: state.sequence
                ),
                checksum: state.checksum
            )
            let segment = pool.slot(of: location)
            beginReading(segment)
            requests[request].operationCount += 1
            statistics.mergeReads += 1
            operations.submit(
                .read,
                at: (location.device, location.block),
                blockCount: 1,
                region: target,
                for: OperationSlot(
                    owner: .merge,
                    ownerIndex: Int32(request),
                    firstBlock: Int32(index),
                    blockCount: 1,
                    segment: Int32(segment)
                )
            )
        }
        return true
    }

    func hasRightBytes(mergeOf request: Int, _ index: Int) -> Bool {
        let check = mergeChecks[firstMergeBlock(request) + index]
        return mergeBlock(request, index).checksum(from: check.start) == check.checksum
    }

    /// The block of the volume whose old contents go there.
    func mergedBlock(_ request: Int, _ index: Int) -> UInt64 {
        let part = currentPart(request)
        return index == 0 ? part.first : part.end - 1
    }

    /// An old block is here, or cannot be had.
    func completeMerge(
        _ request: Int,
        _ slot: OperationSlot,
        _ result: OperationResult,
        isSound: Bool
    ) {
        let index = Int(slot.firstBlock)
        if isSound && requests[request].hasRefused {
            giveUpRefused(request, mergedBlock(request, index), count: 1, at: slot.location)
        } else if !isSound && !Mutant.mergeOverDamage.isOn {
            let address = mergedBlock(request, index)
            statistics.badBlocks += 1
            if findsElsewhere(request, address, at: slot.location, result) {
                requests[request].isToReadAgain = true
            } else {
                note("block_unreadable", "a block to be written in part is damaged")
                requests[request].status = .mediaError
            }
        }
        guard requests[request].operationCount == 0 else { return }
        if requests[request].status != .done {
            return finish(request, requests[request].status)
        }
        requests[request].mergePhase = requests[request].isToReadAgain ? .none : .ready
        requests[request].isToReadAgain = false
        attemptChange(request)
    }

    /// Puts the new bytes over the old ones, at the moment at which the part is appended.
    func applyMergeOverlay(_ request: Int, _ part: ChangePart, _ payload: BufferRegion) {
        guard requests[request].kind != .trim else { return }
        if part.hasPartialHead {
            let from = Int(part.offset % 4096)
            overlay(request, 0, from: from, count: min(4096 - from, part.byteCount), payload, at: 0)
        }
        if part.hasPartialTail {
            let count = Int((part.offset + UInt64(part.byteCount)) % 4096)
            overlay(request, 1, from: 0, count: count, payload, at: part.byteCount - count)
        }
    }

    private func overlay(
        _ request: Int,
        _ index: Int,
        from: Int,
        count: Int,
        _ payload: BufferRegion,
        at: Int
    ) {
        let target = mergeBlock(request, index)[from..<(from + count)]
        if payload.byteCount == 0 {
            target.zero()
        } else {
            target.copy(from: payload[at..<(at + count)])
        }
    }
}
