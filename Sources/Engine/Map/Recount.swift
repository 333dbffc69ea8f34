package import Catalogue
internal import Format
internal import Units

// Promise P7, checked from the other side: what `replace` counts block by block is counted anew
// from all leaves, those in memory and those that only the catalogue holds.

/// What a full recount of a lane found.
package struct Recount: Sendable {
    /// Differences that are told; of more, only how many.
    private static var differenceCountMax: Int { 100 }

    /// Blocks that volumes of the lane own, destroyed ones included.
    package var ownedBlockCount = 0
    /// References to blocks of flash and of disk.
    package var flashBlockCount = 0
    package var diskBlockCount = 0
    package var poisonedBlockCount = 0
    package var leafCount = 0
    package var volumeCount = 0
    /// Segments in use whose counts were compared.
    package var segmentCount = 0
    /// What is not as it must be, in words; the first ones.
    package private(set) var differences: [String] = []
    package private(set) var differenceCount = 0

    package init() {}

    package mutating func add(_ difference: String) {
        differenceCount += 1
        if differences.count < Self.differenceCountMax { differences.append(difference) }
    }

    /// Takes in what another lane found.
    package mutating func add(_ other: Recount) {
        ownedBlockCount += other.ownedBlockCount
        flashBlockCount += other.flashBlockCount
        diskBlockCount += other.diskBlockCount
        poisonedBlockCount += other.poisonedBlockCount
        leafCount += other.leafCount
        volumeCount += other.volumeCount
        segmentCount += other.segmentCount
        let room = max(0, Self.differenceCountMax - differences.count)
        differences.append(contentsOf: other.differences.prefix(room))
        differenceCount += other.differenceCount
    }
}

extension Lane {
    /// Counts everything that the lane's leaves say, in one go: for a lane that does not serve.
    ///
    /// - Parameter stored: gives a leaf as the last committed checkpoint left it.
    package func recount(stored: (LeafKey) -> [UInt8]) -> Recount {
        var tally = Tally(pool)
        for volume in 0..<volumeCount where volumes[volume].life != .free {
            let owned = recount(volume, &tally, stored: stored)
            compareOwned(volume, owned, &tally)
        }
        compareSegments(&tally)
        return tally.result
    }

    private func recount(
        _ volume: Int,
        _ tally: inout Tally,
        stored: (LeafKey) -> [UInt8]
    ) -> Int {
        var owned = 0
        for slot in 0..<leaves.count {
            let entry = leaves.entries[slot]
            guard entry.state == .ready, entry.volume == UInt32(volume) else { continue }
            owned += count(leafIn: slot, &tally)
        }
        var next = presence[volume].next(from: 0)
        while let leaf = next {
            next = presence[volume].next(from: leaf + 1)
            if let slot = leaves.find(volume: UInt32(volume), index: leaf),
                leaves.entries[slot].state == .ready
            {
                continue
            }
            owned += count(stored(leafKey(volume, leaf)), volume, leaf, &tally)
        }
        return owned
    }

    /// Counts a leaf in memory; gives how many of its blocks own space.
    func count(leafIn slot: Int, _ tally: inout Tally) -> Int {
        let first = slot * Geometry.blocksPerLeaf
        var owned = 0
        tally.countLeaf()
        for block in first..<(first + Geometry.blocksPerLeaf) {
            owned += tally.add(leaves.states[block])
        }
        return owned
    }

    /// Counts a leaf as the catalogue holds it.
    func count(_ bytes: [UInt8], _ volume: Int, _ leaf: UInt64, _ tally: inout Tally) -> Int {
        let key = leafKey(volume, leaf)
        tally.countLeaf()
        guard let states = decode(bytes, key, of: volume) else {
            tally.note("leaf \(leaf) of tree \(key.tree.rawValue) is damaged")
            return 0
        }
        var owned = 0
        for state in states { owned += tally.add(state) }
        return owned
    }

    func compareOwned(_ volume: Int, _ owned: Int, _ tally: inout Tally) {
        tally.countVolume()
        let kept = volumes[volume].ownedBlockCount
        guard UInt64(owned) != kept else { return }
        tally.note("volume \(volumes[volume].identifier) owns \(owned) blocks, \(kept) are kept")
    }

    /// Compares the counts of the lane's segments; no other lane's are looked at.
    func compareSegments(_ tally: inout Tally) {
        var isOurs = [Bool](repeating: false, count: pool.segments.count)
        let open = [host.segment, mature.segment, cold.segment].filter { $0 >= 0 }
        for segment in sealedSegments[0] + sealedSegments[1] + open {
            isOurs[segment] = true
            tally.countSegment()
            let kept = pool.segments[segment].liveBlockCount
            guard tally.live[segment] != kept else { continue }
            tally.note(
                "\(describe(segment: segment)) has \(tally.live[segment]) live blocks, "
                    + "\(kept) are kept"
            )
        }
        for segment in 0..<pool.segments.count where !isOurs[segment] && tally.live[segment] > 0 {
            tally.note(
                "\(describe(segment: segment)) is not in use by the lane, and "
                    + "\(tally.live[segment]) blocks lie in it"
            )
        }
    }

    private func describe(segment: Int) -> String {
        let address = pool.address(of: segment)
        return "segment \(address.index.rawValue) of device \(address.device.rawValue)"
    }

    private func decode(_ bytes: [UInt8], _ key: LeafKey, of volume: Int) -> [BlockState]? {
        var states = [BlockState](repeating: .absent, count: Geometry.blocksPerLeaf)
        do throws(FormatError) {
            var span = states.mutableSpan
            // The bytes of bytes have no padding between them.
            let writers = try unsafe LeafFormat.decode(
                bytes.span.bytes,
                tree: key.tree,
                index: key.index,
                into: &span
            )
            return writers == [volumes[volume].identifier] ? states : nil
        } catch {
            return nil
        }
    }
}
