internal import Policy
internal import Units

extension Lane {
    /// Counts a host's read in the heat of every chunk that it touches.  A request comes here once
    /// for a leaf: one that waits for a promotion has not been here before it waits.
    @inline(__always)
    func touchHeat(_ slot: Int, from: Int, to: Int, _ kind: Touch, of request: Int) {
        let first = from / Geometry.blocksPerChunk
        let last = (to - 1) / Geometry.blocksPerChunk
        for chunk in first...last {
            leaves.heat[slot &* Geometry.chunksPerLeaf &+ chunk].touch(
                kind,
                tick: tick,
                isSequential: requests[request].isSequential,
                blockCount: blocks(of: chunk, from, to)
            )
        }
        leaves.entries[slot].isHeatDirty = true
    }

    /// How many blocks of a leaf's chunk lie in `from..<to`, blocks of the leaf.
    @inline(__always)
    func blocks(of chunk: Int, _ from: Int, _ to: Int) -> Int {
        let first = chunk * Geometry.blocksPerChunk
        return min(first + Geometry.blocksPerChunk, to) - max(first, from)
    }

    /// Counts a host's write in the heat of a chunk.
    @inline(__always)
    func touchWritten(_ slot: Int, chunk: Int) {
        leaves.heat[slot &* Geometry.chunksPerLeaf &+ chunk].touch(
            .write,
            tick: tick,
            isSequential: false
        )
        leaves.entries[slot].isHeatDirty = true
    }
}
