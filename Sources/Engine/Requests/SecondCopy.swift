internal import Format
internal import Units

// A promoted block has two copies.  When the one on flash turns out damaged, it is given up and the
// request reads again, from the disk; the host sees nothing of it.
extension Lane {
    /// Gives up the damaged copy of a block on flash, if the disk has the block too: reading again
    /// finds that one.  False when there is no other copy.
    ///
    /// This is not logged: should a crash bring the damaged copy back to the map, it is found
    /// again.
    func giveUpDamagedCopy(_ volume: UInt32, _ address: UInt64, in segment: Int32) -> Bool {
        let leaf = address / UInt64(Geometry.blocksPerLeaf)
        guard let slot = leaves.find(volume: volume, index: leaf) else { return false }
        let block = Int(address % UInt64(Geometry.blocksPerLeaf))
        var state = leaves.state(slot, block)
        guard state.isStored, state.flash.isPlace, state.disk.isPlace,
            pool.slot(of: state.flash) == Int(segment)
        else { return false }
        state.flash = .nowhere
        statistics.copiesGivenUp += 1
        note(
            "copy_damaged",
            "volume \(volumes[Int(volume)].identifier) block \(address): the copy on disk stays"
        )
        willChange(slot)
        replace(slot, block, with: state)
        return true
    }
}
