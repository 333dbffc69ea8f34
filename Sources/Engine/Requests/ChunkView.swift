package import Format
internal import Policy
package import Units

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
    /// Walks the blocks with data, and the poisoned ones, of all leaves in memory: for tests.
    package func walkBlocks(_ visit: (VolumeIdentifier, UInt64, BlockState) -> Void) {
        for slot in 0..<leaves.count where leaves.entries[slot].state == .ready {
            let volume = volumes[Int(leaves.entries[slot].volume)]
            guard volume.life == .live else { continue }
            let first = leaves.entries[slot].index * UInt64(Geometry.blocksPerLeaf)
            for block in 0..<Geometry.blocksPerLeaf {
                let state = leaves.state(slot, block)
                guard state.isStored || state.kind == .poisoned else { continue }
                visit(volume.identifier, first + UInt64(block), state)
            }
        }
    }

    /// Whether a leaf is in memory, so that the catalogue's version of it may be older.
    package func hasInMemory(_ volume: VolumeSlot, leaf: UInt64) -> Bool {
        guard let slot = leaves.find(volume: volume.rawValue, index: leaf) else { return false }
        return leaves.entries[slot].state == .ready
    }

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
