package import Format
package import Policy
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
    /// The lane moves nothing any more.
    package var isReadOnly: Bool
    /// What the policy says to reads of the chunk; nil when no block of it is only on disk.
    package var reads: ReadOutlook?
    /// What it says when reclaim comes to a flash segment that holds blocks of the chunk.
    package var reclaims: [Reclaim]

    /// The blocks of the chunk in one flash segment.
    package struct Reclaim: Sendable {
        package var segment: SegmentAddress
        package var blockCount: Int
        package var outlook: ReclaimOutlook

        package init(segment: SegmentAddress, blockCount: Int, outlook: ReclaimOutlook) {
            self.segment = segment
            self.blockCount = blockCount
            self.outlook = outlook
        }
    }
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

    /// The state of a block, and whether its chunk is being moved; nil when its leaf is not in
    /// memory.
    package func look(at block: UInt64, of volume: VolumeSlot) -> (
        state: BlockState, isMoving: Bool
    )? {
        let leaf = block / UInt64(Geometry.blocksPerLeaf)
        guard let slot = leaves.find(volume: volume.rawValue, index: leaf),
            leaves.entries[slot].state == .ready
        else { return nil }
        let place = Int(block % UInt64(Geometry.blocksPerLeaf))
        let chunk = UInt32(place / Geometry.blocksPerChunk)
        let isMoving = leaves.entries[slot].movingChunks >> chunk & 1 == 1
        return (leaves.state(slot, place), isMoving)
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
        let end = first + Geometry.blocksPerChunk
        let blocks = (first..<end).map { leaves.state(slot, $0) }
        let needsDisk = needsDisk(slot, place, from: first, to: end)
        return ChunkView(
            blocks: blocks,
            score: heat.score(tick: tick),
            readsPerHour: heat.readsPerHour(tick: tick),
            writesPerHour: heat.writesPerHour(tick: tick),
            ticksSinceTouch: heat.isUntouched ? nil : tick &- heat.lastTouch,
            isMoving: leaves.entries[slot].movingChunks >> UInt32(place) & 1 == 1,
            isReadOnly: isReadOnly,
            reads: needsDisk ? policy.outlook(readFacts(slot, place)) : nil,
            reclaims: reclaims(slot, place, blocks)
        )
    }

    /// What reclaim would do now with a chunk's blocks, segment by segment in their order.
    private func reclaims(_ slot: Int, _ chunk: Int, _ blocks: [BlockState]) -> [ChunkView.Reclaim]
    {
        var segments: [Int] = []
        for block in blocks where block.isStored && pool.isPlace(block.flash, role: .flash) {
            let segment = pool.slot(of: block.flash)
            if !segments.contains(segment) { segments.append(segment) }
        }
        return segments.map { segment in
            let live = liveBlocks(slot, chunk, in: segment, of: .flash)
            let facts = reclaimFacts(
                slot,
                chunk,
                in: segment,
                live: live,
                liveShare: liveShare(of: segment)
            )
            return ChunkView.Reclaim(
                segment: pool.address(of: segment),
                blockCount: live.count,
                outlook: policy.outlook(facts)
            )
        }
    }
}
