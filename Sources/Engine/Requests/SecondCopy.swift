internal import Format
internal import IO
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
        _ result: OperationResult
    ) -> Bool {
        guard !Mutant.cleanCopyIgnored.isOn else { return false }
        let volume = requests[request].volume
        let leaf = address / UInt64(Geometry.blocksPerLeaf)
        // A leaf that has left memory meanwhile must be looked up again.
        guard let slot = leaves.find(volume: volume, index: leaf) else {
            return mayRepeat(request)
        }
        let state = leaves.state(slot, Int(address % UInt64(Geometry.blocksPerLeaf)))
        guard state.isStored, state.flash == location || state.disk == location else {
            // It was moved, written anew, or given up there by another request.
            return mayRepeat(request)
        }
        if state.disk == location {
            if state.flash.isPlace { noteBadHome(slot, address, result) }
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
        if result != .done && !Mutant.refusedCopyGivenUp.isOn {
            requests[request].noteRefused(address)
        } else {
            giveUpBad(at: state.flash, of: address, in: slot)
        }
        return true
    }

    /// Counts a round that a request reads once more because the map has changed beneath it; false
    /// when there were enough.
    private func mayRepeat(_ request: Int) -> Bool {
        if requests[request].isToReadAgain { return true }
        guard requests[request].repeatCount < Lane.repeatMax else { return false }
        requests[request].repeatCount += 1
        return true
    }

    /// A host's read did not get the copy on disk of a block that flash has too.
    private func noteBadHome(_ slot: Int, _ address: UInt64, _ result: OperationResult) {
        let state = leaves.state(slot, Int(address % UInt64(Geometry.blocksPerLeaf)))
        if result == .done {
            giveUpBad(at: state.disk, of: address, in: slot)
        } else if result != .deviceLost, !hangs(state.disk.device) {
            noteRefusedCopy(
                MoveItem(
                    purpose: .relocate,
                    isBad: true,
                    isUnread: true,
                    volume: leaves.entries[slot].volume,
                    address: address,
                    source: state.disk,
                    sequence: state.sequence,
                    checksum: state.checksum
                )
            )
        }
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
                giveUpBad(at: state.flash, of: address, in: slot)
            }
        }
    }

    /// Gives up one copy of a block that has two, and says so.
    func giveUpBad(at location: Location, of address: UInt64, in slot: Int) {
        let volume = volumes[Int(leaves.entries[slot].volume)].identifier
        let state = leaves.state(slot, Int(address % UInt64(Geometry.blocksPerLeaf)))
        let other = state.flash == location ? "disk" : "flash"
        note("copy_damaged", "volume \(volume) block \(address): the copy on \(other) stays")
        giveUpCopy(at: location, of: address, in: slot)
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
            // Reclaim may have left the copy on flash where it was, and its segment alone.
            if state.flash.isPlace { unreadableSegments[pool.slot(of: state.flash)] = nil }
        }
        statistics.copiesGivenUp += 1
        willChange(slot)
        replace(slot, block, with: state)
    }

    /// Rounds that a request reads again because the map has changed beneath it.
    private static var repeatMax: UInt8 { 16 }
    /// Times that it turns from the disk to flash again, which had refused a block that the disk
    /// does not give either.
    private static var returnMax: UInt8 { 4 }
}
