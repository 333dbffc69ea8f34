internal import Catalogue
internal import Format
internal import Policy
internal import Units

/// Where a leaf stands when somebody asks for it.
enum LeafAccess {
    case ready(Int)
    /// Neither in memory nor in the catalogue: all its blocks are absent.
    case absent
    /// Asked of the catalogue.
    case loading(Int)
    /// The catalogue's version of it cannot be read.
    case damaged
    /// No slot to load it into: a checkpoint must clean some first.
    case noRoom
}

extension Lane {
    // MARK: Leaves

    /// Finds a leaf, asking the catalogue for it if need be.
    ///
    /// - Parameter isForChange: a leaf that is nowhere is made, with all blocks absent.
    @inline(__always)
    func access(_ volume: Int, leaf: UInt64, isForChange: Bool) -> LeafAccess {
        if let slot = leaves.find(volume: UInt32(volume), index: leaf) {
            leaves.entries[slot].wasUsed = true
            return leaves.entries[slot].state == .ready ? .ready(slot) : .loading(slot)
        }
        return accessMissing(volume, leaf: leaf, isForChange: isForChange)
    }

    private func accessMissing(_ volume: Int, leaf: UInt64, isForChange: Bool) -> LeafAccess {
        let isStored = presence[volume].contains(leaf)
        guard isStored || isForChange else { return .absent }
        if !damagedLeaves.isEmpty, damagedLeaves.contains(leafKey(volume, leaf)) { return .damaged }
        guard let slot = takeLeafSlot(volume, leaf: leaf, as: isStored ? .loading : .ready) else {
            checkpoint.isWanted = true
            statistics.leafStalls += 1
            return .noRoom
        }
        guard isStored else {
            leaves.clear(slot)
            return .ready(slot)
        }
        statistics.leafLoads += 1
        catalogueOutbox.append(.load(leafKey(volume, leaf)))
        catalogueAwaited.append(.leaf(slot))
        return .loading(slot)
    }

    /// Slots that are left to others.  A lane that changes nothing any more cleans none, be it all
    /// that replay had changed: to read what is not in memory it has one slot for itself.  Replay
    /// may need one more than hosts did, as it loads leaves of volumes that are destroyed later.
    private var leafReserve: Int { isReadOnly ? 0 : isReplaying ? 1 : 2 }

    /// A slot for a leaf, evicting a clean one; nil when none is clean.
    func takeLeafSlot(_ volume: Int, leaf: UInt64, as state: LeafMap.Entry.State) -> Int? {
        guard let slot = leaves.victim(leaving: leafReserve) else { return nil }
        if leaves.entries[slot].state != .free {
            if leaves.entries[slot].isHeatDirty { saveHeat(ofLeafIn: slot) }
            leaves.remove(slot)
        }
        leaves.place(slot, volume: UInt32(volume), index: leaf, as: state)
        return slot
    }

    /// Keeps the heat of a leaf that leaves memory for the next checkpoint.
    private func saveHeat(ofLeafIn slot: Int) {
        let entry = leaves.entries[slot]
        guard volumes[Int(entry.volume)].life == .live else { return }
        // Heat is an aid: where no checkpoint comes to take it, it is forgotten.
        guard evictedHeat.count < 4 * leaves.count else {
            statistics.heatLost += 1
            return
        }
        evictedHeat.append((leafKey(Int(entry.volume), entry.index), encodeHeat(slot)))
    }

    func leafKey(_ volume: Int, _ leaf: UInt64) -> LeafKey {
        LeafKey(tree: volumes[volume].tree, index: leaf)
    }

    func encodeHeat(_ slot: Int) -> [UInt8] {
        let first = slot * Geometry.chunksPerLeaf
        var words: [UInt32] = []
        words.reserveCapacity(3 * Geometry.chunksPerLeaf)
        for chunk in first..<(first + Geometry.chunksPerLeaf) {
            let heat = leaves.heat[chunk].words
            for index in 0..<3 { words.append(heat[index]) }
        }
        return HeatFormat.encode(words.span)
    }

    /// A leaf that was asked for is here.
    func completeLoad(_ slot: Int, _ stored: StoredLeaf) {
        let entry = leaves.entries[slot]
        invariant(entry.state == .loading, "a leaf is loaded once")
        let isGood = fill(slot, from: stored)
        leaves.entries[slot].state = .ready
        var waiter = leaves.entries[slot].firstWaiter
        leaves.entries[slot].firstWaiter = -1
        if !isGood {
            let key = leafKey(Int(entry.volume), entry.index)
            note("leaf_damaged", "leaf \(key.index) of tree \(key.tree.rawValue) is damaged")
            damagedLeaves.insert(key)
            leaves.remove(slot)
        }
        leaves.entries[slot].pinCount += isGood ? 1 : 0
        while waiter >= 0 {
            let request = Int(waiter)
            waiter = requests[request].next
            requests[request].next = -1
            if isGood { resume(request) } else { fail(request, .mediaError, at: nil) }
        }
        leaves.entries[slot].pinCount -= isGood ? 1 : 0
    }

    /// Decodes a stored leaf into a slot; false when it is damaged or names places that are not.
    func fill(_ slot: Int, from stored: StoredLeaf) -> Bool {
        leaves.clear(slot)
        let first = slot * Geometry.blocksPerLeaf
        var states = leaves.states.mutableSpan(of: first..<(first + Geometry.blocksPerLeaf))
        let volume = Int(leaves.entries[slot].volume)
        do throws(FormatError) {
            let writers = try unsafe LeafFormat.decode(
                stored.bytes.span.bytes,
                tree: stored.key.tree,
                index: stored.key.index,
                into: &states
            )
            guard writers == [volumes[volume].identifier] else { return false }
        } catch {
            return false
        }
        for block in 0..<Geometry.blocksPerLeaf {
            let state = leaves.states[first + block]
            guard state.kind != nil,
                state.flash.isNowhere || pool.isPlace(state.flash, role: .flash),
                state.disk.isNowhere || pool.isPlace(state.disk, role: .disk)
            else { return false }
        }
        fillHeat(slot, from: stored.heat)
        return true
    }

    /// Heat that cannot be read is cold: it is an aid, not data.
    private func fillHeat(_ slot: Int, from bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        let first = slot * Geometry.chunksPerLeaf
        var words = [UInt32](repeating: 0, count: 3 * Geometry.chunksPerLeaf)
        do throws(FormatError) {
            var span = words.mutableSpan
            try unsafe HeatFormat.decode(bytes.span.bytes, into: &span)
        } catch {
            statistics.heatLost += 1
            return
        }
        for chunk in 0..<Geometry.chunksPerLeaf {
            leaves.heat[first + chunk] = Heat(
                words: [words[3 * chunk], words[3 * chunk + 1], words[3 * chunk + 2]])
        }
    }

    /// To be called before any state of the leaf changes: what the checkpoint in progress captured
    /// is encoded first.
    @inline(__always)
    func willChange(_ slot: Int) {
        if leaves.entries[slot].isCaptured && !Mutant.capturedLeafEncodedLate.isOn {
            encodeCaptured(slot)
        }
        if !leaves.entries[slot].isDirty { leaves.setDirty(slot, true) }
    }

    // MARK: References to segments

    @inline(__always)
    func retain(_ location: Location) {
        let segment = pool.slot(of: location)
        pool.segments[segment].liveBlockCount += 1
        noteChanged(segment)
    }

    @inline(__always)
    func release(_ location: Location) {
        let segment = pool.slot(of: location)
        guard pool.segments[segment].liveBlockCount > 0 else { return miscounted(segment) }
        if !Mutant.overwriteKeepsCount.isOn || nextSequence.rawValue % 64 != 0 {
            pool.segments[segment].liveBlockCount -= 1
        }
        noteChanged(segment)
        if pool.segments[segment].liveBlockCount == 0 { noteIfEmptied(segment) }
    }

    /// A leaf let go of a segment that nothing refers to, by the count that was kept: the segment
    /// could have been given back while it was needed.  Nothing may be freed by such counts.
    private func miscounted(_ segment: Int) {
        let address = pool.address(of: segment)
        fence(
            "segment \(address.index.rawValue) of device \(address.device.rawValue) has fewer "
                + "live blocks by its count than leaves refer to: the catalogue contradicts itself"
        )
    }

    /// A volume gave back more blocks than it owned by the count that was kept.
    private func miscounted(volume: Int) {
        fence(
            "volume \(volumes[volume].identifier) owns fewer blocks by its count than it gives "
                + "back: the catalogue contradicts itself"
        )
    }

    @inline(__always)
    func noteChanged(_ segment: Int) {
        if !pool.segments[segment].isChanged {
            pool.segments[segment].isChanged = true
            changedSegments.append(segment)
        }
    }

    /// Puts a segment that nothing refers to any more on the list that the next checkpoint forgets.
    func noteIfEmptied(_ segment: Int) {
        if isReplaying && !Mutant.replayFreesEarly.isOn { return }
        let state = pool.segments[segment]
        guard state.use == .sealed, state.liveBlockCount == 0, state.recordsInFlight == 0,
            state.lane == index
        else { return }
        pool.segments[segment].use = .emptied
        emptiedSegments.append(segment)
        let tier = state.stream == .cold ? 1 : 0
        if let place = sealedSegments[tier].firstIndex(of: segment) {
            sealedSegments[tier].remove(at: place)
        }
        barrenSegments.remove(segment)
        segmentsForDisk.remove(segment)
        if !silentSegments.isEmpty { forgetSilent(segment) }
        if !unreadableSegments.isEmpty || !unreadBlocks.isEmpty { forgetUnread(in: segment) }
    }

    @inline(__always)
    func beginReading(_ segment: Int) { pool.segments[segment].readerCount += 1 }

    func endReading(_ segment: Int) {
        invariant(pool.segments[segment].readerCount > 0, "a read ends once")
        pool.segments[segment].readerCount -= 1
        if pool.segments[segment].readerCount == 0 && pool.segments[segment].use == .draining {
            releaseSegment(segment)
        }
    }

    // MARK: Changes of a block

    /// Replaces the state of one block, with all that follows for segments and ledger.
    ///
    /// The caller has called `willChange`, and charged the pool for a block that was absent.
    @inline(__always)
    func replace(_ slot: Int, _ block: Int, with state: BlockState) {
        let place = slot &* Geometry.blocksPerLeaf &+ block
        let old = leaves.states[place]
        leaves.states[place] = state
        if recounting != nil { followChange(slot, from: old, to: state) }
        if state.flash.isPlace { retain(state.flash) }
        if state.disk.isPlace { retain(state.disk) }
        if old.flash.isPlace { release(old.flash) }
        if old.disk.isPlace { release(old.disk) }
        if old.isCharged != state.isCharged {
            let volume = Int(leaves.entries[slot].volume)
            if state.isCharged {
                volumes[volume].ownedBlockCount += 1
            } else if volumes[volume].ownedBlockCount == 0 {
                miscounted(volume: volume)
            } else {
                volumes[volume].ownedBlockCount -= 1
                if !Mutant.trimKeepsCharge.isOn { pool.refund(1) }
            }
            noteVolumeChanged(volume)
        }
    }
}
