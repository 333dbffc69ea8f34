internal import Catalogue
internal import Format
internal import IO
internal import Units

// Slices: which copies come next, and what their device gives.
extension Lane {
    /// Leaves without a copy on the tier that one turn passes over.
    private static var leavesPassedPerTurn: Int { 16 }

    func runScrub() {
        guard !isReadOnly, !shutdown.isQuiet else { return }
        noteHosts()
        for tier in 0..<2 {
            switch scrubs[tier].phase {
            case .idle:
                if let due = sliceDue(tier), due <= now { beginSlice(tier) }
            case .waiting:
                scrubs[tier].phase = .idle
                if isScrubbing(tier) { beginSlice(tier) }
            case .reading: break
            case .examining: examineSuspects(tier)
            }
        }
    }

    private func beginSlice(_ tier: Int) {
        // What is left of the operations is for hosts.
        guard operations.spareCount > Scrub.sliceBlockCount else {
            scrubs[tier].phase = .waiting
            return
        }
        countLive(tier)
        if scrubs[tier].row.begunSeconds == 0 {
            scrubs[tier].row.begunSeconds = max(1, wallSeconds)
        }
        if scrubs[tier].sessionBlockCount == 0 && (tier == 1 || mirror.look == nil) {
            scrubs[tier].passBeganAt = now
        }
        for _ in 0..<Lane.leavesPassedPerTurn {
            guard let (volume, leaf) = nextScrubbed(tier) else {
                if tier == 0 && readMirror() { return }
                return endPass(tier)
            }
            switch access(volume, leaf: leaf, isForChange: false) {
            case .loading:
                scrubs[tier].hasLoadedLeaf = true
                scrubs[tier].phase = .waiting
                return
            case .noRoom:
                scrubs[tier].phase = .waiting
                return
            case .absent, .damaged: break
            case .ready(let slot):
                gather(tier, slot)
                // What only the scrub wanted makes room first.
                if scrubs[tier].hasLoadedLeaf { leaves.entries[slot].wasUsed = false }
                scrubs[tier].hasLoadedLeaf = false
                if !scrubs[tier].items.isEmpty { return readSlice(tier) }
            }
            scrubs[tier].nextLeaf = leaf + (Mutant.scrubSkipsLeaves.isOn ? 2 : 1)
            scrubs[tier].nextBlock = 0
        }
        hasProgressed = true
    }

    /// The next leaf to be looked at, from the place of the next slice on; nil behind the last.
    private func nextScrubbed(_ tier: Int) -> (volume: Int, leaf: UInt64)? {
        while true {
            var found = -1
            for volume in 0..<volumeCount
            where volumes[volume].life == .live && volumes[volume].tree >= scrubs[tier].nextTree
                && (found < 0 || volumes[volume].tree < volumes[found].tree)
            {
                found = volume
            }
            guard found >= 0 else { return nil }
            let tree = volumes[found].tree
            if tree != scrubs[tier].nextTree {
                scrubs[tier].nextTree = tree
                scrubs[tier].nextLeaf = 0
                scrubs[tier].nextBlock = 0
            }
            if let leaf = nextLeaf(of: found, from: scrubs[tier].nextLeaf) {
                if leaf != scrubs[tier].nextLeaf { scrubs[tier].nextBlock = 0 }
                scrubs[tier].nextLeaf = leaf
                return (found, leaf)
            }
            guard tree.rawValue < .max else { return nil }
            scrubs[tier].nextTree = TreeIdentifier(tree.rawValue + 1)
            scrubs[tier].nextLeaf = 0
            scrubs[tier].nextBlock = 0
        }
    }

    /// Takes the next copies of a leaf into the slice.
    private func gather(_ tier: Int, _ slot: Int) {
        let entry = leaves.entries[slot]
        var items = scrubs[tier].items
        scrubs[tier].items = []
        items.removeAll(keepingCapacity: true)
        var block = scrubs[tier].nextBlock
        while block < Geometry.blocksPerLeaf, items.count < Scrub.sliceBlockCount {
            let state = leaves.state(slot, block)
            let location = tier == 0 ? state.flash : state.disk
            let isSkipped = Mutant.scrubSkipsSecondCopy.isOn && tier == 1 && state.flash.isPlace
            // What has not landed is no copy yet.
            if state.isStored, location.isPlace, bufferedBlock(at: location) == nil, !isSkipped {
                items.append(
                    ScrubItem(
                        volume: entry.volume,
                        address: entry.index * UInt64(Geometry.blocksPerLeaf) + UInt64(block),
                        location: location,
                        sequence: state.sequence,
                        checksum: state.checksum
                    )
                )
            }
            block += 1
        }
        items.sort { $0.location.rawValue < $1.location.rawValue }
        scrubs[tier].nextBlock = block
        scrubs[tier].items = items
    }

    private func scrubBlock(_ tier: Int, _ index: Int) -> BufferRegion {
        scrubArena.region.block(tier * Scrub.bufferBlockCount + index)
    }

    /// Submits the reads of a slice, neighbours on a device as one operation.
    private func readSlice(_ tier: Int) {
        scrubs[tier].phase = .reading
        let count = scrubs[tier].items.count
        var first = 0
        while first < count {
            let location = scrubs[tier].items[first].location
            var run = 1
            while first + run < count,
                scrubs[tier].items[first + run].location.rawValue
                    == location.rawValue &+ UInt64(run),
                pool.slot(of: scrubs[tier].items[first + run].location) == pool.slot(of: location)
            {
                run += 1
            }
            submitScrub(tier, at: location, into: first, count: run)
            first += run
        }
    }

    /// Reads blocks into the tier's buffer, from block `first` of it on.
    func submitScrub(
        _ tier: Int,
        at location: Location,
        into first: Int,
        count: Int,
        isRepeated: Bool = false
    ) {
        let segment = pool.slot(of: location)
        beginReading(segment)
        scrubs[tier].operationCount += 1
        let start = (tier * Scrub.bufferBlockCount + first) * Geometry.blockByteCount
        var slot = OperationSlot(owner: .scrub, ownerIndex: Int32(tier))
        slot.firstBlock = Int32(first)
        slot.blockCount = Int32(count)
        slot.segment = Int32(segment)
        slot.isRepeated = isRepeated
        operations.submit(
            .read,
            at: (location.device, location.block),
            blockCount: count,
            region: scrubArena.region[start..<(start + count * Geometry.blockByteCount)],
            for: slot
        )
    }

    /// A device answered a part of a slice, or a second look.
    func completeScrub(_ tier: Int, _ slot: OperationSlot, isGood: Bool) {
        scrubs[tier].operationCount -= 1
        guard scrubs[tier].phase == .reading else {
            return noteSecondLook(
                tier,
                outcome(of: scrubs[tier].items[scrubs[tier].suspect], tier, in: slot, isGood)
            )
        }
        if !isGood && readsOneByOne(slot, tier) { return }
        for index in Int(slot.firstBlock)..<Int(slot.firstBlock + slot.blockCount) {
            scrubs[tier].items[index].outcome = outcome(
                of: scrubs[tier].items[index],
                tier,
                in: slot,
                isGood,
                at: index
            )
        }
        guard scrubs[tier].operationCount == 0 else { return }
        scrubs[tier].phase = .examining
        scrubs[tier].suspect = 0
        scrubs[tier].examination = ScrubExamination()
    }

    /// Reads what was refused as a whole block by block: one bad sector refuses all, and says
    /// nothing of the others.  False when it was one block, or there are too few operations.
    private func readsOneByOne(_ slot: OperationSlot, _ tier: Int) -> Bool {
        guard slot.blockCount > 1, operations.spareCount >= Int(slot.blockCount) else {
            return false
        }
        for index in Int(slot.firstBlock)..<Int(slot.firstBlock + slot.blockCount) {
            submitScrub(tier, at: scrubs[tier].items[index].location, into: index, count: 1)
        }
        return true
    }

    /// What a read says of a copy whose bytes went to block `index` of the tier's buffer.
    private func outcome(
        of item: ScrubItem,
        _ tier: Int,
        in slot: OperationSlot,
        _ isGood: Bool,
        at index: Int? = nil
    ) -> ScrubOutcome {
        guard isGood else { return .unreadable }
        let start = Checksum.blockStart(
            seed: volumes[Int(item.volume)].seed,
            address: item.address,
            sequence: item.sequence
        )
        let block = scrubBlock(tier, index ?? Int(slot.firstBlock))
        return block.checksum(from: start) == item.checksum ? .good : .damaged
    }
}
