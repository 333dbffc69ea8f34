internal import Format
internal import IO
internal import Units

// One bad sector makes a device refuse a read of many, and bytes may be damaged on their way.  So
// a read that was not wholly good is done again in pieces, one after the other: half of what
// failed, then on in pieces that grow while they are good, until each block was read or has failed
// twice when it was asked for alone; one that was refused, and then wrong, is read a third time.
// What the owner of the read hears is one piece after another; only a piece of one block can be
// bad.
//
// The pieces take the place of the operation that failed: no other is needed, however many there
// are.  A device that is gone is not asked again.
extension Lane {
    /// Ends a read of a device, or goes on with it in pieces.
    func completePiece(_ slot: OperationSlot, _ result: OperationResult) {
        let isGood = result == .done
        // Of a write that has ended, the old contents are of no use.
        if slot.owner == .merge && requests[Int(slot.ownerIndex)].phase != .active {
            return deliverLate(slot)
        }
        let isSound = isGood && hasRightBytes(slot)
        if !isSound, result != .deviceLost, !hasFailedTwice(slot, isWrong: isGood),
            !Mutant.readNotRepeated.isOn
        {
            submitPiece(firstPiece(of: slot, isWrong: isGood))
        } else {
            if isSound && slot.isRepeated { statistics.readsHealed += 1 }
            if slot.tailCount > 0 { submitPiece(nextPiece(after: slot)) }
            deliver(slot, result, isSound: isSound)
        }
        if slot.segment >= 0 { endReading(Int(slot.segment)) }
    }

    private func deliverLate(_ slot: OperationSlot) {
        requests[Int(slot.ownerIndex)].operationCount -= 1
        endLent(Int(slot.ownerIndex))
        endReading(Int(slot.segment))
    }

    /// Whether a read that has just failed is of one block that had failed before; bytes that are
    /// wrong for the first time may have been damaged on their way.
    private func hasFailedTwice(_ slot: OperationSlot, isWrong: Bool) -> Bool {
        slot.blockCount == 1 && slot.isRepeated && (slot.wasWrong || !isWrong)
    }

    private func firstPiece(of slot: OperationSlot, isWrong: Bool) -> OperationSlot {
        var piece = slot
        piece.isRepeated = slot.blockCount == 1
        piece.wasWrong = piece.isRepeated && isWrong
        piece.blockCount = max(slot.blockCount / 2, 1)
        piece.tailCount += slot.blockCount - piece.blockCount
        return piece
    }

    private func nextPiece(after slot: OperationSlot) -> OperationSlot {
        var piece = slot
        piece.isRepeated = false
        piece.wasWrong = false
        piece.firstBlock += slot.blockCount
        piece.location = Location(
            device: slot.location.device,
            block: slot.location.block + UInt64(slot.blockCount)
        )
        piece.blockCount = min(slot.tailCount, 2 * slot.blockCount)
        piece.tailCount -= piece.blockCount
        return piece
    }

    private func submitPiece(_ piece: OperationSlot) {
        statistics.readsRepeated += 1
        if piece.segment >= 0 { beginReading(Int(piece.segment)) }
        let first = Int(piece.firstBlock) * Geometry.blockByteCount
        let byteCount = Int(piece.blockCount) * Geometry.blockByteCount
        operations.submit(
            .read,
            at: (piece.location.device, piece.location.block),
            blockCount: Int(piece.blockCount),
            region: target(of: piece)[first..<(first + byteCount)],
            for: piece
        )
    }

    /// The memory of which `firstBlock` counts the blocks.
    private func target(of slot: OperationSlot) -> BufferRegion {
        let owner = Int(slot.ownerIndex)
        switch slot.owner {
        case .request: return buffers.region(requests[owner].buffer)
        case .merge:
            let start = firstMergeBlock(owner) * Geometry.blockByteCount
            return mergeArena.region[start..<(start + 2 * Geometry.blockByteCount)]
        case .moveRead:
            let buffer = recordBuffer(configuration.hostRecordCount + owner)
            return buffer[(2 * Geometry.blockByteCount)..<buffer.byteCount]
        case .scan: return scanRegion(owner == 0 ? .flash : .disk)
        case .ask: return askArena.region
        default: invariantFailed("what is read has a target", file: #fileID, line: #line)
        }
    }

    /// Whether what a device gave is what the map expects.
    private func hasRightBytes(_ slot: OperationSlot) -> Bool {
        let owner = Int(slot.ownerIndex)
        let blocks = Int(slot.firstBlock)..<Int(slot.firstBlock + slot.blockCount)
        switch slot.owner {
        case .request: return hasRightBytes(request: owner, blocks)
        case .merge: return hasRightBytes(mergeOf: owner, blocks.lowerBound)
        case .moveRead: return hasRightBytes(move: owner, blocks)
        case .ask: return hasRightBytesAsked()
        default: return true
        }
    }

    private func deliver(_ slot: OperationSlot, _ result: OperationResult, isSound: Bool) {
        // The piece that follows was counted with this one: it goes on.
        let isLast = slot.tailCount == 0
        let owner = Int(slot.ownerIndex)
        switch slot.owner {
        case .request:
            if isLast { requests[owner].operationCount -= 1 }
            completeRead(owner, slot, result, isSound: isSound)
        case .merge:
            requests[owner].operationCount -= 1
            completeMerge(owner, slot, result, isSound: isSound)
        case .moveRead:
            if isLast { moves[owner].operationCount -= 1 }
            completeMoveRead(owner, slot, result)
        case .scan: completeScan(owner, slot, result)
        case .ask: completeAsk(result, isSound: isSound)
        default: invariantFailed("a read has an owner", file: #fileID, line: #line)
        }
    }
}
