internal import Format
internal import Units

// Copies on flash of what is on disk too: reclaim forgets them, and no byte is moved.
extension Lane {
    /// Forgets the clean copies of a chunk in the victim.
    func drop(_ slot: Int, _ first: Int, _ reclaim: inout Reclaim) {
        let count = drop(slot, first, of: reclaim.victim)
        if count.gone > 0 { reclaim.hasGained = true }
        if count.held > 0 { reclaim.isHeld = true }
    }

    /// Forgets the clean copies of a chunk in the segment: the disk has the same bytes.
    ///
    /// - Returns: how many; and how many stay, since that on disk is in doubt.
    func drop(_ slot: Int, _ first: Int, of victim: Int) -> (gone: Int, held: Int) {
        var count = (gone: 0, held: 0)
        let chunk = UInt32(1) << UInt32(first / Geometry.blocksPerChunk)
        let isMoving = leaves.entries[slot].movingChunks & chunk != 0
        for block in first..<(first + Geometry.blocksPerChunk) {
            var state = leaves.state(slot, block)
            let mayDrop = state.isCleanCopy || (Mutant.dirtyCopyDropped.isOn && state.isDirty)
            guard mayDrop, state.flash.isPlace, pool.slot(of: state.flash) == victim else {
                continue
            }
            guard !isInDoubt(state.disk, isMoving: isMoving) else {
                askForOtherAgain(of: state.disk)
                count.held += 1
                continue
            }
            if asking.stuckSince != nil, unreadIndex(of: state.disk) != nil {
                statistics.blocksDroppedInDoubt += 1
            }
            state.flash = .nowhere
            willChange(slot)
            replace(slot, block, with: state)
            count.gone += 1
        }
        statistics.blocksDropped += UInt64(count.gone)
        return count
    }
}
