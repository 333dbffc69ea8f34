internal import Format
internal import Units

// A promoted block has two copies.  When the one on flash turns out damaged, it is given up and the
// request reads again, from the disk; the host sees nothing of it.  Likewise when the map names
// another place by the time at which a read has failed.
extension Lane {
    /// What a request does about a block that cannot be read where it was looked for: true when it
    /// is to read again, as the block is, or may be, elsewhere.
    ///
    /// A copy on flash is given up if the disk has the block too.  This is not logged: should a
    /// crash bring the damaged copy back to the map, it is found again.
    func findsElsewhere(_ request: Int, _ address: UInt64, at location: Location) -> Bool {
        guard requests[request].repeatCount < Lane.repeatMax, !Mutant.cleanCopyIgnored.isOn else {
            return false
        }
        let volume = requests[request].volume
        let leaf = address / UInt64(Geometry.blocksPerLeaf)
        guard let slot = leaves.find(volume: volume, index: leaf) else {
            // The leaf has left memory meanwhile: what it says must be looked up again.
            requests[request].repeatCount += 1
            return true
        }
        let block = Int(address % UInt64(Geometry.blocksPerLeaf))
        var state = leaves.state(slot, block)
        guard state.isStored, state.flash == location || state.disk == location else {
            // It was moved, written anew, or given up there by another request.
            requests[request].repeatCount += 1
            return true
        }
        guard state.flash == location, state.disk.isPlace else {
            // The disk was read before the block was promoted.
            return state.disk == location && state.flash.isPlace
        }
        if Mutant.wrongCopyGivenUp.isOn { state.disk = .nowhere } else { state.flash = .nowhere }
        statistics.copiesGivenUp += 1
        note(
            "copy_damaged",
            "volume \(volumes[Int(volume)].identifier) block \(address): the copy on disk stays"
        )
        willChange(slot)
        replace(slot, block, with: state)
        return true
    }

    /// Times that a request reads again because the map has changed beneath it.
    private static var repeatMax: UInt8 { 16 }
}
