internal import Format
internal import Units

// A disk that is slow, or hangs, must not take all operations of the lane: flash, which hosts and
// checkpoints wait for, would get none.  Each disk has a share, of all disks together a quarter of
// the operations.  One that has it is crowded, until it answers:
//
//      a read                          takes what others have, and waits in the disk's list
//      a write to a part of a block    waits in that list until it may ask for the old contents
//      a move that reads from disk     is not begun, if one of its kind is reading there
//
// Those that wait in a list hold up nobody else, and go on in their order, one for each answer; one
// whose leaf has left memory meanwhile loses its place.  Who is let in asks at once for all that it
// needs, so that a share may be overrun by the blocks of one leaf, or of one move.
extension Lane {
    /// Sets some operations aside for the log, and gives each disk its share.
    func divideOperations() {
        operations.reserve = 2 + (Witness.pairCount + 2) * pool.devices.count
        let disks = pool.devices.filter { $0.role == .disk }
        for disk in disks {
            operations.limit(disk.index, to: max(1, operations.capacity / 4 / disks.count))
        }
    }

    /// The first of these blocks of a leaf that a request has to read from a crowded disk, and that
    /// disk; nil when there is none.
    func crowded(
        for request: Int,
        _ slot: Int,
        from start: UInt64,
        to stop: UInt64
    ) -> (block: UInt64, disk: DeviceIndex)? {
        guard operations.crowdedDevices != 0 else { return nil }
        let base = start / UInt64(Geometry.blocksPerLeaf) * UInt64(Geometry.blocksPerLeaf)
        for block in start..<stop {
            let state = leaves.state(slot, Int(block - base))
            guard state.isStored else { continue }
            let source = source(of: state, at: block, for: request)
            guard source.isPlace else { continue }
            let location = answering(source, of: state, at: block, for: request)
            guard location.isPlace, operations.isCrowded(location.device),
                bufferedBlock(at: source) == nil,
                movedBlock(at: source, Int(leaves.entries[slot].volume), block, state.sequence)
                    == nil
            else { continue }
            // Who waits for a promotion asks for nothing.
            if isBeingPromoted(slot, block: Int(block - base), for: request) { return nil }
            return (block, location.device)
        }
        return nil
    }

    /// Has a request wait until a disk has answered others.
    func waitInCrowd(_ request: Int, of disk: DeviceIndex) {
        statistics.requestsCrowdedOut += 1
        append(request, to: &crowds[Int(disk.rawValue)])
    }

    /// Lets those go on that wait for a disk, as far as it has room or hangs, oldest first.  To be
    /// called when it has answered, so that no later one comes before them.
    func retryCrowd(of disk: DeviceIndex) {
        guard !Mutant.crowdForgotten.isOn else { return }
        let place = Int(disk.rawValue)
        var waiting = crowds[place]
        crowds[place] = RequestList()
        while !operations.isCrowded(disk) || hangs(disk), let request = popFirst(of: &waiting) {
            resume(request)
        }
        // One that needs more of it comes behind those that were not tried.
        var later = crowds[place]
        crowds[place] = waiting
        while let request = popFirst(of: &later) { append(request, to: &crowds[place]) }
    }

    /// Whether a move may begin to read a chunk from disk, if it does.
    func mayRead(_ candidate: MoveCandidate) -> Bool {
        guard operations.crowdedDevices != 0,
            let disk = disk(readFor: candidate), operations.isCrowded(disk)
        else { return true }
        for move in 0..<moves.count where moves[move].phase == .reading {
            let item = moveItems[firstItem(move)]
            if item.purpose == candidate.purpose && item.source.device == disk { return false }
        }
        return true
    }

    private func disk(readFor candidate: MoveCandidate) -> DeviceIndex? {
        switch candidate.purpose {
        case .keep, .demote: return nil
        case .relocate: return pool.address(of: Int(candidate.segment)).device
        case .promote:
            guard let slot = leaves.find(volume: candidate.volume, index: candidate.leaf) else {
                return nil
            }
            let first = Int(candidate.chunk) * Geometry.blocksPerChunk
            for block in first..<(first + Geometry.blocksPerChunk) {
                let state = leaves.state(slot, block)
                if state.isStored, state.flash.isNowhere, state.disk.isPlace {
                    return state.disk.device
                }
            }
            return nil
        }
    }
}
