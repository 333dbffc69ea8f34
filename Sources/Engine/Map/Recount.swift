package import Catalogue
internal import Format
internal import Units

// Promise P7, checked from the other side: what `replace` counts block by block is counted anew
// from all leaves, those in memory and those that only the catalogue holds.

/// What a full recount of a lane found.
package struct Recount: Sendable {
    /// Blocks that volumes of the lane own, destroyed ones included.
    package var ownedBlockCount = 0
    /// Where a count that is kept is not what was counted, in words.
    package var differences: [String] = []
}

extension Lane {
    /// Counts everything that the lane's leaves say.  Costs a walk of all leaves: for tests.
    ///
    /// - Parameter stored: gives a leaf as the last committed checkpoint left it.
    package func recount(stored: (LeafKey) -> [UInt8]) -> Recount {
        var result = Recount()
        var live = [Int](repeating: 0, count: pool.segments.count)
        for volume in 0..<volumeCount where volumes[volume].life != .free {
            let owned = recount(volume, &live, &result.differences, stored: stored)
            result.ownedBlockCount += owned
            if UInt64(owned) != volumes[volume].ownedBlockCount {
                result.differences.append(
                    "volume \(volumes[volume].identifier) owns \(owned) blocks, "
                        + "\(volumes[volume].ownedBlockCount) are kept"
                )
            }
        }
        for segment in 0..<pool.segments.count {
            let state = pool.segments[segment]
            let isOurs = state.use != .free && state.lane == index
            let kept = isOurs ? Int(state.liveBlockCount) : 0
            guard live[segment] != kept else { continue }
            result.differences.append(
                "segment \(segment), \(isOurs ? "\(state.use)" : "not of this lane"), has "
                    + "\(live[segment]) live blocks, \(kept) are kept"
            )
        }
        return result
    }

    private func recount(
        _ volume: Int,
        _ live: inout [Int],
        _ differences: inout [String],
        stored: (LeafKey) -> [UInt8]
    ) -> Int {
        var owned = 0
        for slot in 0..<leaves.count {
            let entry = leaves.entries[slot]
            guard entry.state == .ready, entry.volume == UInt32(volume) else { continue }
            let first = slot * Geometry.blocksPerLeaf
            for block in first..<(first + Geometry.blocksPerLeaf) {
                owned += count(leaves.states[block], &live)
            }
        }
        var next = presence[volume].next(from: 0)
        while let leaf = next {
            next = presence[volume].next(from: leaf + 1)
            if let slot = leaves.find(volume: UInt32(volume), index: leaf),
                leaves.entries[slot].state == .ready
            {
                continue
            }
            let key = leafKey(volume, leaf)
            guard let states = decode(stored(key), key) else {
                differences.append("leaf \(leaf) of tree \(key.tree.rawValue) is damaged")
                continue
            }
            for state in states { owned += count(state, &live) }
        }
        return owned
    }

    /// Counts one block's references; 1 when it owns space.
    private func count(_ state: BlockState, _ live: inout [Int]) -> Int {
        if state.flash.isPlace { live[pool.slot(of: state.flash)] += 1 }
        if state.disk.isPlace { live[pool.slot(of: state.disk)] += 1 }
        return state.isCharged ? 1 : 0
    }

    private func decode(_ bytes: [UInt8], _ key: LeafKey) -> [BlockState]? {
        var states = [BlockState](repeating: .absent, count: Geometry.blocksPerLeaf)
        do throws(FormatError) {
            var span = states.mutableSpan
            // The bytes of bytes have no padding between them.
            _ = try unsafe LeafFormat.decode(
                bytes.span.bytes,
                tree: key.tree,
                index: key.index,
                into: &span
            )
            return states
        } catch {
            return nil
        }
    }
}
