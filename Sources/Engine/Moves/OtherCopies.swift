internal import Format
internal import IO
internal import Units

// A copy of a block was refused, and the block has another one: that is read at once.
//
//      it is right     the refused copy is given up, and its segment can be emptied
//      it is wrong     it is given up itself, and the refused one is asked for as an only one is:
//                      see UnreadBlocks
//      it is refused   both stay; it is read again when reclaim, or another move, meets them later
//
// One is asked for after the other, by the same operation as unread blocks are.
extension Lane {
    /// Begins to read the other copy of a block; false when none is to be read, or none can be yet.
    func asksForOther() -> Bool {
        while let index = unreadBlocks.firstIndex(where: { $0.hasOther }) {
            let item = unreadBlocks[index].item
            let leaf = item.address / UInt64(Geometry.blocksPerLeaf)
            switch access(Int(item.volume), leaf: leaf, isForChange: false) {
            case .loading, .noRoom: return false
            case .absent, .damaged: unreadBlocks.remove(at: index)
            case .ready(let slot):
                guard let other = otherCopy(of: item, in: slot) else {
                    // It was written anew, moved or given up meanwhile.
                    unreadBlocks.remove(at: index)
                    continue
                }
                // A record that has not landed yet is what the device will have.
                guard bufferedBlock(at: other) == nil else { return false }
                asking.index = index
                asking.phase = .other
                asking.other = other
                ask(for: other, in: pool.slot(of: other))
                return true
            }
        }
        return false
    }

    /// Where the other copy of a block is, of which one was refused; nil when the map says
    /// something else by now.
    private func otherCopy(of item: MoveItem, in slot: Int) -> Location? {
        let state = leaves.state(slot, Int(item.address % UInt64(Geometry.blocksPerLeaf)))
        guard state.isStored, state.sequence == item.sequence, state.flash.isPlace,
            state.disk.isPlace
        else { return nil }
        if state.flash == item.source { return state.disk }
        return state.disk == item.source ? state.flash : nil
    }

    /// Whether a copy was damaged or refused when it was read last, and what is to become of it is
    /// not decided yet: the block's other copy may be the only good one.
    ///
    /// Of two copies that were both refused neither is held for when hosts wait for room in vain.
    func isInDoubt(_ copy: Location, isMoving: Bool) -> Bool {
        if poisons.contains(where: { $0.source == copy }) { return true }
        if let index = unreadIndex(of: copy),
            unreadBlocks[index].hasOther || asking.stuckSince == nil
        {
            return true
        }
        let scrub = scrubs[Scrub.tier(.disk)]
        if scrub.phase == .reading || scrub.phase == .examining,
            scrub.items.contains(where: { $0.outcome != .good && $0.location == copy })
        {
            return true
        }
        return isMoving && isBadInMove(copy)
    }

    /// Whether a move that has not read all its blocks yet did not get this one.
    private func isBadInMove(_ copy: Location) -> Bool {
        for move in 0..<moves.count where moves[move].phase == .reading {
            for index in 0..<Int(moves[move].itemCount) {
                let item = moveItems[firstItem(move) + index]
                if item.isBad && !item.isGone && item.source == copy { return true }
            }
        }
        return false
    }

    /// Reads the other copy of a block once more, if it was refused a while ago.
    func askForOtherAgain(of copy: Location) {
        guard let index = unreadIndex(of: copy), mayAskForOther(index) else { return }
        unreadBlocks[index].item.isOtherBad = false
        unreadBlocks[index].hasOther = true
        hasProgressed = true
    }

    /// Whether what was asked for is what the map expects; of a refused block nobody looks.
    func hasRightBytesAsked() -> Bool {
        guard asking.phase == .other else { return true }
        let item = unreadBlocks[asking.index].item
        let start = Checksum.blockStart(
            seed: volumes[Int(item.volume)].seed,
            address: item.address,
            sequence: item.sequence
        )
        return askArena.region.checksum(from: start) == item.checksum
    }

    func completeOther(_ result: OperationResult, isSound: Bool) {
        let block = unreadBlocks[asking.index]
        // What is given up may empty its segment: `asking` keeps the block in its place meanwhile.
        if !block.isForgotten { judgeOther(asking.index, block.item, result, isSound: isSound) }
        asking.phase = .idle
        hasProgressed = true
        removeForgotten()
    }

    private func judgeOther(
        _ index: Int,
        _ item: MoveItem,
        _ result: OperationResult,
        isSound: Bool
    ) {
        let leaf = item.address / UInt64(Geometry.blocksPerLeaf)
        // A leaf that has left memory is looked up again.
        guard let slot = leaves.find(volume: item.volume, index: leaf) else { return }
        let isWrong = result == .done && !isSound
        if isSound || isWrong, otherCopy(of: item, in: slot) == asking.other {
            giveUpBad(at: isSound ? item.source : asking.other, of: item.address, in: slot)
        }
        if isSound {
            unreadBlocks[index].isForgotten = true
            unreadableSegments[pool.slot(of: item.source)] = nil
        } else {
            unreadBlocks[index].hasOther = false
            unreadBlocks[index].item.isOtherBad = true
            unreadBlocks[index].otherAskedAt = now
            noteUnreadable(item)
        }
    }
}
