internal import Format
internal import Units

// A promoted block has two copies.  One that cannot be had is given up, so that the other is read
// from then on.  Reads and moves (Moves/OtherCopies) keep one rule; the scrub asks for more before
// it gives a copy up (Scrub/ScrubVerdict), and so does who takes an unread one for lost
// (Moves/UnreadBlocks):
//
//     copy is       given up
//     wrong         at once: nobody can make anything of it any more
//     refused       when the other has been read, and is right: the device may be away for a while
//
// When a read does not get the copy on flash, the request reads again, from the disk; the host sees
// nothing of it.  Likewise when the map names another place by the time at which a read has failed.
extension Lane {
    /// Where a request reads a block that is stored.
    func source(of state: BlockState, at address: UInt64, for request: Int) -> Location {
        guard state.flash.isPlace else { return state.disk }
        return state.disk.isPlace && requests[request].isRefused(address)
            ? state.disk : state.flash
    }

    /// Where a request reads a block that is not in memory: nowhere, when only a device has it that
    /// hangs.
    func answering(
        _ location: Location,
        of state: BlockState,
        at address: UInt64,
        for request: Int
    ) -> Location {
        guard hangs(location.device) else { return location }
        let isOnFlash = location == state.flash
        let other = isOnFlash ? state.disk : state.flash
        guard other.isPlace, !hangs(other.device),
            isOnFlash || !requests[request].isRefused(address)
        else { return .nowhere }
        return other
    }

    /// What a request does about a block that cannot be read where it was looked for: true when it
    /// is to read again, as the block is, or may be, elsewhere.
    func findsElsewhere(
        _ request: Int,
        _ address: UInt64,
        at location: Location,
        isRefused: Bool
    ) -> Bool {
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
        let state = leaves.state(slot, Int(address % UInt64(Geometry.blocksPerLeaf)))
        guard state.isStored, state.flash == location || state.disk == location else {
            // It was moved, written anew, or given up there by another request.
            requests[request].repeatCount += 1
            return true
        }
        if state.disk == location {
            // The disk was read before the block was promoted, or as flash had refused it.
            guard requests[request].isRefused(address) else {
                return state.flash.isPlace && !hangs(state.flash.device)
            }
            guard requests[request].returnCount < Lane.returnMax else { return false }
            requests[request].forgetRefused()
            requests[request].returnCount += 1
            return state.flash.isPlace
        }
        guard state.disk.isPlace else { return false }
        if isRefused && !Mutant.refusedCopyGivenUp.isOn {
            requests[request].noteRefused(address)
        } else {
            giveUpFlash(slot, address)
        }
        return true
    }

    /// The disk has given blocks of a request that flash had refused.
    func giveUpRefused(_ request: Int, _ first: UInt64, count: Int, at location: Location) {
        guard requests[request].hasRefused else { return }
        let volume = requests[request].volume
        for index in 0..<UInt64(count) where requests[request].isRefused(first + index) {
            let address = first + index
            let leaf = address / UInt64(Geometry.blocksPerLeaf)
            guard let slot = leaves.find(volume: volume, index: leaf) else { continue }
            let state = leaves.state(slot, Int(address % UInt64(Geometry.blocksPerLeaf)))
            let place = Location(device: location.device, block: location.block + index)
            if state.isStored, state.disk == place, state.flash.isPlace {
                giveUpFlash(slot, address)
            }
        }
    }

    private func giveUpFlash(_ slot: Int, _ address: UInt64) {
        let volume = volumes[Int(leaves.entries[slot].volume)].identifier
        note("copy_damaged", "volume \(volume) block \(address): the copy on disk stays")
        let state = leaves.state(slot, Int(address % UInt64(Geometry.blocksPerLeaf)))
        giveUpCopy(at: state.flash, of: address, in: slot)
    }

    /// Gives up one copy of a block that has two.  This is not logged: should a crash bring the
    /// copy back to the map, it is found again.
    func giveUpCopy(at location: Location, of address: UInt64, in slot: Int) {
        let block = Int(address % UInt64(Geometry.blocksPerLeaf))
        var state = leaves.state(slot, block)
        if (state.flash == location) != Mutant.wrongCopyGivenUp.isOn {
            state.flash = .nowhere
        } else {
            state.disk = .nowhere
        }
        statistics.copiesGivenUp += 1
        willChange(slot)
        replace(slot, block, with: state)
    }

    /// Times that a request reads again because the map has changed beneath it.
    private static var repeatMax: UInt8 { 16 }
    /// Times that it turns from the disk to flash again, which had refused a block that the disk
    /// does not give either.
    private static var returnMax: UInt8 { 4 }
}
