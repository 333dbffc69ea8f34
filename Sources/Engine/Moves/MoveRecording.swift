internal import IO
internal import Format
internal import Policy
internal import Units

// The end of a move: the map is changed where it still says what was copied.
extension Lane {
    func recordMove(_ move: Int) {
        let record = configuration.hostRecordCount + move
        let firstBlock = records[record].firstDataBlock
        let device = records[record].device
        for index in 0..<Int(moves[move].itemCount) {
            let item = moveItems[firstItem(move) + index]
            guard !item.isBad else { continue }
            recordItem(item, at: Location(device: device, block: firstBlock + UInt64(index)))
        }
        endMove(move)
    }

    /// Points the map at the copy, if the block is still the one that was copied.
    func recordItem(_ item: MoveItem, at target: Location) {
        let leaf = item.address / UInt64(Geometry.blocksPerLeaf)
        guard let slot = leaves.find(volume: item.volume, index: leaf) else { return }
        let block = Int(item.address % UInt64(Geometry.blocksPerLeaf))
        var state = leaves.state(slot, block)
        if Mutant.moveRevivesTrimmed.isOn && state.isAbsent && item.purpose == .demote {
            state = BlockState(
                kind: .stored,
                flash: .nowhere,
                disk: target,
                sequence: item.sequence,
                checksum: item.checksum,
                writer: 0
            )
            pool.chargeUnconditionally(1)
            willChange(slot)
            return replace(slot, block, with: state)
        }
        let isSame =
            state.sequence == item.sequence
            || (Mutant.promotionOverNewer.isOn && item.purpose == .promote)
            || (Mutant.demotionIgnoresOverwrite.isOn && item.purpose == .demote)
        guard state.isStored, isSame else {
            statistics.movesOvertaken += 1
            return
        }
        if Mutant.checksumTakenAnew.isOn { state.checksum = item.checksum }
        switch item.purpose {
        case .promote:
            if Mutant.promotionOverNewer.isOn {
                state.disk = item.source
                state.sequence = item.sequence
                state.checksum = item.checksum
                state.flash = target
                break
            }
            guard state.disk == item.source, state.flash.isNowhere else { return }
            state.flash = target
            statistics.blocksPromoted += 1
        case .keep:
            guard state.flash == item.source else { return }
            state.flash = target
            statistics.blocksKept += 1
        case .demote:
            if Mutant.demotionIgnoresOverwrite.isOn {
                state.sequence = item.sequence
                state.checksum = item.checksum
                state.disk = target
                state.flash = .nowhere
                break
            }
            guard state.flash == item.source, state.disk.isNowhere else { return }
            state.disk = target
            state.flash = .nowhere
            statistics.blocksDemoted += 1
        case .relocate:
            guard state.disk == item.source else { return }
            state.disk = target
            statistics.blocksRelocated += 1
        }
        willChange(slot)
        replace(slot, block, with: state)
    }

    /// Lets a move's chunks and its buffer go.
    func endMove(_ move: Int) {
        var last: ChunkKey?
        for index in 0..<Int(moves[move].itemCount) {
            endChunk(of: moveItems[firstItem(move) + index], after: &last)
        }
        freeMove(move)
    }

    /// Lets the chunk of an item go, unless it is that of the item before.
    func endChunk(of item: MoveItem, after last: inout ChunkKey?) {
        let chunk = chunk(of: item)
        guard chunk != last else { return }
        last = chunk
        if item.purpose == .demote {
            ghosts.insert(
                GhostList.key(tree: volumes[Int(item.volume)].tree, chunk: chunk.chunk)
            )
        }
        endMoving(item)
    }

    /// Lets a move's buffer go.
    func freeMove(_ move: Int) {
        let record = configuration.hostRecordCount + move
        if records[record].state != .free { freeRecord(record) }
        var waiting = moves[move].waiters
        moves[move] = MoveSlot()
        // Copies may have waited for it before their disk is flushed.
        hasProgressed = true
        while let request = popFirst(of: &waiting) {
            requests[request].hasPromoted = true
            attemptRead(request)
        }
    }

    // MARK: Poison

    /// Marks blocks whose every copy is damaged: reading them is an error until they are written
    /// anew, and their segment can be reclaimed.
    ///
    /// The log has nothing of it.  Until a checkpoint knows of it, the damaged copy is where it
    /// was, and a crash has it found once more; so nothing that makes room waits for room in the
    /// log.
    func recordPoison() {
        while let item = poisons.last {
            let leaf = item.address / UInt64(Geometry.blocksPerLeaf)
            switch access(Int(item.volume), leaf: leaf, isForChange: false) {
            case .loading, .noRoom: return
            case .absent, .damaged: poisons.removeLast()
            case .ready(let slot):
                poisons.removeLast()
                poison(item, slot)
            }
        }
    }

    private func poison(_ item: MoveItem, _ slot: Int) {
        let block = Int(item.address % UInt64(Geometry.blocksPerLeaf))
        var state = leaves.state(slot, block)
        guard state.isStored, state.sequence == item.sequence,
            state.flash == item.source || state.disk == item.source
        else { return }
        let volume = volumes[Int(item.volume)].identifier
        if state.flash.isPlace && state.disk.isPlace {
            if item.isUnread && !Mutant.refusedSourceGivenUp.isOn {
                if !item.isOtherBad { return noteRefusedCopy(item) }
                if !item.isTakenForLost { return noteUnread(item) }
            }
            return giveUpBad(at: item.source, of: item.address, in: slot)
        }
        if item.isTakenForLost {
            statistics.blocksTakenForLost += 1
        } else if item.isUnread {
            return noteUnread(item)
        }
        note(
            "block_poisoned",
            "volume \(volume) offset \(item.address * 4096)"
                + (item.isTakenForLost ? ": the device keeps refusing it, and hosts wait" : "")
        )
        statistics.blocksPoisoned += 1
        state = BlockState(
            kind: .poisoned,
            flash: .nowhere,
            disk: .nowhere,
            sequence: item.sequence,
            checksum: 0,
            writer: 0
        )
        if Mutant.poisonBecomesHole.isOn {
            state = .absent
        }
        willChange(slot)
        replace(slot, block, with: state)
    }
}
