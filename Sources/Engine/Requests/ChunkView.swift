package import Format
internal import Policy
internal import Units

/// One chunk as the map and the policy see it, for `explain`.
package struct ChunkView: Sendable {
    /// The states of its 16 blocks.
    package var blocks: [BlockState]
    /// 0 never touched, to 1.
    package var score: Float
    package var readsPerHour: Float
    package var writesPerHour: Float
    /// Ticks since the last touch; nil for never.
    package var ticksSinceTouch: UInt32?
    package var isMoving: Bool
}

extension Lane {
    /// Looks at a chunk whose leaf is in memory, as it is when an answer of `extents` that begins
    /// in it is taken; nil when the leaf is not, or the volume has no such chunk.
    package func view(of volume: VolumeSlot, chunk: UInt64) -> ChunkView? {
        let chunksPerLeaf = UInt64(Geometry.chunksPerLeaf)
        guard Int(volume.rawValue) < volumeCount,
            let slot = leaves.find(volume: volume.rawValue, index: chunk / chunksPerLeaf),
            leaves.entries[slot].state == .ready
        else { return nil }
        let place = Int(chunk % chunksPerLeaf)
        let heat = leaves.heat[slot * Geometry.chunksPerLeaf + place]
        let first = place * Geometry.blocksPerChunk
        return ChunkView(
            blocks: (first..<(first + Geometry.blocksPerChunk)).map { leaves.state(slot, $0) },
            score: heat.score(tick: tick),
            readsPerHour: heat.readsPerHour(tick: tick),
            writesPerHour: heat.writesPerHour(tick: tick),
            ticksSinceTouch: heat.isUntouched ? nil : tick &- heat.lastTouch,
            isMoving: leaves.entries[slot].movingChunks >> UInt32(place) & 1 == 1
        )
    }
}
