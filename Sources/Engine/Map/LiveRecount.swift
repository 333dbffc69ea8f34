internal import Catalogue
internal import Format
internal import Units

// A recount beside hosts.  It goes through the leaves in a fixed order, a few a turn; a block that
// changes behind it is taken out and in again, one that changes before it is counted when it comes
// there.  So in the turn in which it has come to the end, the figures are those of that moment.
//
//      leaves counted already  |  leaves still to be counted
//      changes are followed    ^  changes are of no interest
//                            place
//
// Leaves that only the catalogue holds are read past the map's memory, so that a recount pushes
// nothing out of it.  What the catalogue answers is still true then: it answers in order, and
// nobody changes a leaf before a later answer has brought it into memory.

/// A recount under way, or the last one.
struct LiveRecount {
    var tally: Tally
    /// Blocks owned, by volume.
    var owned: [Int] = []
    /// The next leaf, of this volume.
    var volume = 0
    var leaf: UInt64 = 0
    /// The next leaf was asked of the catalogue.
    var isAwaiting = false

    init(_ pool: Pool) { tally = Tally(pool) }

    func hasCounted(_ volume: Int, _ leaf: UInt64) -> Bool {
        (volume, leaf) < (self.volume, self.leaf)
    }
}

/// What is known of the recount that was begun last.
package enum RecountState: Sendable {
    /// None was begun, or the lane was stopped before it ended.
    case none
    case running(leafCount: Int)
    case ended(Recount)
}

extension Lane {
    private static var leavesCountedPerTurn: Int { 8 }

    /// Begins to count anew what the lane counts, beside all that it does; one that is under way
    /// begins anew.
    package func beginRecount() {
        lastRecount = nil
        // What the catalogue still answers is of the one before.
        if recounting?.isAwaiting == true { staleRecountCount += 1 }
        recounting = LiveRecount(pool)
        hasProgressed = true
    }

    package var recountState: RecountState {
        if let lastRecount { return .ended(lastRecount) }
        guard let recounting else { return .none }
        return .running(leafCount: recounting.tally.result.leafCount)
    }

    /// Blocks that the lane's volumes own, by the counts that are kept.
    package var ownedBlocks: Int {
        var owned = 0
        for volume in 0..<volumeCount where volumes[volume].life != .free {
            owned += Int(volumes[volume].ownedBlockCount)
        }
        return owned
    }

    /// Counts the next leaves.
    func runRecount() {
        // One question at a time, however often it is begun anew.
        guard recounting?.isAwaiting == false, staleRecountCount == 0 else { return }
        if shutdown.isBegun { return recounting = nil }
        for _ in 0..<Lane.leavesCountedPerTurn {
            guard let place = nextCounted() else { return endRecount() }
            guard countLeaf(place.volume, place.leaf) else { return }
        }
        hasProgressed = true
    }

    /// The next leaf to be counted; nil behind the last.
    private func nextCounted() -> (volume: Int, leaf: UInt64)? {
        guard var current = recounting else { return nil }
        while current.volume < volumeCount {
            if volumes[current.volume].life != .free,
                let leaf = nextLeaf(of: current.volume, from: current.leaf)
            {
                recounting?.volume = current.volume
                recounting?.leaf = leaf
                return (current.volume, leaf)
            }
            current.volume += 1
            current.leaf = 0
        }
        recounting?.volume = volumeCount
        recounting?.leaf = 0
        return nil
    }

    /// Counts one leaf; false when it has to come from the catalogue first.
    private func countLeaf(_ volume: Int, _ leaf: UInt64) -> Bool {
        if let slot = leaves.find(volume: UInt32(volume), index: leaf) {
            // It is on its way for somebody else: soon it is in memory.
            guard leaves.entries[slot].state == .ready else { return false }
            noteCounted(volume) { tally in count(leafIn: slot, &tally) }
            return true
        }
        recounting?.isAwaiting = true
        catalogueOutbox.append(.load(leafKey(volume, leaf)))
        catalogueAwaited.append(.recount)
        return false
    }

    /// The catalogue has answered for a recount.
    func completeRecountLoad(_ stored: StoredLeaf) {
        guard staleRecountCount == 0 else { return staleRecountCount -= 1 }
        guard let current = recounting, current.isAwaiting else { return }
        recounting?.isAwaiting = false
        noteCounted(current.volume) { tally in
            count(stored.bytes, current.volume, current.leaf, &tally)
        }
    }

    func failRecountLoad(_ reason: String) {
        guard staleRecountCount == 0 else { return staleRecountCount -= 1 }
        guard var current = recounting else { return }
        current.tally.note("the catalogue failed: \(reason)")
        recounting = nil
        lastRecount = current.tally.result
    }

    /// Counts the leaf at the place of the recount, which goes on behind it.
    private func noteCounted(_ volume: Int, _ body: (inout Tally) -> Int) {
        guard var current = recounting else { return }
        // The only copy of it, so that the tally is not copied.
        recounting = nil
        while current.owned.count <= volume { current.owned.append(0) }
        current.owned[volume] += body(&current.tally)
        current.leaf += 1
        recounting = current
    }

    /// A block's state has changed: what was counted of it is counted anew.
    func followChange(_ slot: Int, from old: BlockState, to new: BlockState) {
        let entry = leaves.entries[slot]
        let volume = Int(entry.volume)
        guard recounting?.hasCounted(volume, entry.index) == true,
            !Mutant.recountMissesChanges.isOn
        else { return }
        while recounting?.owned.count ?? .max <= volume { recounting?.owned.append(0) }
        let less = recounting?.tally.remove(old) ?? 0
        let more = recounting?.tally.add(new) ?? 0
        recounting?.owned[volume] += more - less
    }

    /// Every leaf was counted: compares, at this moment.
    private func endRecount() {
        guard var current = recounting else { return }
        recounting = nil
        while current.owned.count < volumeCount { current.owned.append(0) }
        for volume in 0..<volumeCount where volumes[volume].life != .free {
            compareOwned(volume, current.owned[volume], &current.tally)
        }
        compareSegments(&current.tally)
        lastRecount = current.tally.result
    }
}
