internal import Catalogue
internal import Format
internal import Units

// Copies that were not as expected: the second look, and what comes of it.
extension Lane {
    /// Goes on with the suspects of a slice, one after another.
    func examineSuspects(_ tier: Int) {
        guard scrubs[tier].operationCount == 0 else { return }
        while scrubs[tier].suspect < scrubs[tier].items.count {
            let item = scrubs[tier].items[scrubs[tier].suspect]
            if item.outcome != .good && !scrubs[tier].isDropped {
                guard examine(item, tier) else { return }
            }
            scrubs[tier].suspect += 1
            scrubs[tier].examination = ScrubExamination()
        }
        guard !scrubs[tier].isDropped else {
            scrubs[tier].isDropped = false
            scrubs[tier].items.removeAll(keepingCapacity: true)
            scrubs[tier].phase = .idle
            hasProgressed = true
            return
        }
        endSlice(tier)
    }

    func noteSecondLook(_ tier: Int, _ outcome: ScrubOutcome) {
        if scrubs[tier].examination.isOther {
            scrubs[tier].examination.other = outcome
            if outcome == .damaged { scrubs[tier].examination.otherWrongCount += 1 }
        } else {
            scrubs[tier].examination.own = outcome
        }
    }

    /// Looks at one suspect; false when it waits for a leaf or a read.
    private func examine(_ item: ScrubItem, _ tier: Int) -> Bool {
        let volume = Int(item.volume)
        guard volumes[volume].life == .live else { return true }
        let leaf = item.address / UInt64(Geometry.blocksPerLeaf)
        switch access(volume, leaf: leaf, isForChange: false) {
        case .loading, .noRoom: return false
        case .absent, .damaged: return true
        case .ready(let slot): return examine(item, tier, in: slot)
        }
    }

    private func examine(_ item: ScrubItem, _ tier: Int, in slot: Int) -> Bool {
        let state = leaves.state(slot, Int(item.address % UInt64(Geometry.blocksPerLeaf)))
        let own = tier == 0 ? state.flash : state.disk
        let other = tier == 0 ? state.disk : state.flash
        if Mutant.scrubPoisonsUnlooked.isOn, state.isStored, other.isNowhere {
            poisons.append(moveItem(item, at: own, sequence: state.sequence))
            return true
        }
        guard state.isStored, own == item.location, state.sequence == item.sequence else {
            statistics.scrubDoubtsSettled += 1
            return true
        }
        let examination = scrubs[tier].examination
        guard let found = examination.own else { return look(tier, at: own, isOther: false) }
        if found == .good {
            statistics.scrubDoubtsSettled += 1
            return true
        }
        if found == .damaged && item.outcome != .damaged {
            // It was refused at first: these are the first bytes of it that were wrong.
            scrubs[tier].items[scrubs[tier].suspect].outcome = .damaged
            scrubs[tier].examination.own = nil
            return look(tier, at: own, isOther: false)
        }
        if other.isPlace && examination.otherLocation != other {
            scrubs[tier].examination.otherLocation = other
            scrubs[tier].examination.otherLookCount = 0
            scrubs[tier].examination.otherWrongCount = 0
        }
        // The other copy is condemned no sooner than this one.
        if other.isPlace, examination.other != .good || examination.otherLocation != other,
            scrubs[tier].examination.isOtherToBeRead
        {
            return look(tier, at: other, isOther: true)
        }
        conclude(item, tier, in: slot, found, other: other.isPlace ? examination.other : nil)
        return true
    }

    /// Reads one copy of the suspect; always false.
    private func look(_ tier: Int, at location: Location, isOther: Bool) -> Bool {
        guard operations.spareCount > 0 else { return false }
        let isRepeated = !isOther || scrubs[tier].examination.otherLookCount > 0
        scrubs[tier].examination.isOther = isOther
        if isOther { scrubs[tier].examination.otherLookCount += 1 }
        submitScrub(
            tier,
            at: location,
            into: Scrub.sliceBlockCount,
            count: 1,
            isRepeated: isRepeated
        )
        return false
    }

    /// Carries the verdict out.  `other` is what its other copy was like; nil when it has none.
    private func conclude(
        _ item: ScrubItem,
        _ tier: Int,
        in slot: Int,
        _ found: ScrubOutcome,
        other: ScrubOutcome?
    ) {
        statistics.badBlocks += 1
        if found == .damaged {
            scrubs[tier].row.counts.damaged += 1
        } else {
            scrubs[tier].row.counts.unreadable += 1
        }
        switch (found, other) {
        case (.damaged, .good?): repair(item, tier, in: slot, found)
        case (.unreadable, .good?) where givesOthers(item, tier):
            repair(item, tier, in: slot, found)
        case (.damaged, .damaged?): poisonBoth(item, tier, in: slot)
        case (.damaged, nil): poisonSole(item, tier)
        case (.damaged, .unreadable?):
            noteFinding(item, found, "it is given up, the other copy may be readable later")
            giveUpCopy(at: item.location, of: item.address, in: slot)
        case (.unreadable, .damaged?):
            noteFinding(item, found, "the other copy is damaged and given up")
            giveUpCopy(at: otherCopy(item, in: slot), of: item.address, in: slot)
        default:
            noteFinding(item, found, "nothing is given up, it may be readable later")
            if let other { noteDoubt(item, tier, in: slot, found, other) }
        }
    }

    /// Has reclaim keep the copy on flash while the disk does not give the other one.
    private func noteDoubt(
        _ item: ScrubItem,
        _ tier: Int,
        in slot: Int,
        _ found: ScrubOutcome,
        _ other: ScrubOutcome
    ) {
        let (onFlash, onDisk) = tier == 0 ? (found, other) : (other, found)
        guard onDisk == .unreadable else { return }
        let home = tier == 0 ? otherCopy(item, in: slot) : item.location
        var doubt = moveItem(item, at: home, sequence: item.sequence)
        doubt.purpose = .relocate
        doubt.isUnread = true
        noteDoubt(doubt, wasRefused: onFlash == .unreadable)
    }

    private func otherCopy(_ item: ScrubItem, in slot: Int) -> Location {
        let state = leaves.state(slot, Int(item.address % UInt64(Geometry.blocksPerLeaf)))
        return state.flash == item.location ? state.disk : state.flash
    }

    /// Whether the device gave another block of the slice: it is this place that is bad, and not
    /// the device that is away for a while.
    private func givesOthers(_ item: ScrubItem, _ tier: Int) -> Bool {
        scrubs[tier].items.contains {
            $0.outcome == .good && $0.location.device == item.location.device
        }
    }

    private func repair(_ item: ScrubItem, _ tier: Int, in slot: Int, _ found: ScrubOutcome) {
        noteFinding(item, found, "the other copy is good, this one is given up")
        scrubs[tier].row.counts.repaired += 1
        if Mutant.scrubLeavesBadCopy.isOn { return }
        let block = Int(item.address % UInt64(Geometry.blocksPerLeaf))
        let state = leaves.state(slot, block)
        let isOther = Mutant.scrubGivesUpGoodCopy.isOn
        let location = (tier == 0) != isOther ? state.flash : state.disk
        giveUpCopy(at: location, of: item.address, in: slot)
    }

    private func poisonBoth(_ item: ScrubItem, _ tier: Int, in slot: Int) {
        let other = otherCopy(item, in: slot)
        noteFinding(item, .damaged, "the other copy is damaged too")
        guard mayPoison(item) else { return }
        giveUpCopy(at: item.location, of: item.address, in: slot)
        scrubs[tier].row.counts.poisoned += 1
        poisons.append(moveItem(item, at: other, sequence: item.sequence))
    }

    private func poisonSole(_ item: ScrubItem, _ tier: Int) {
        noteFinding(item, .damaged, "it is the only copy")
        guard mayPoison(item) else { return }
        scrubs[tier].row.counts.poisoned += 1
        poisons.append(moveItem(item, at: item.location, sequence: item.sequence))
    }

    /// Whether there is room for one more poison, and this one does not wait already, for the other
    /// tier.  What finds no room is found again by the next pass.
    private func mayPoison(_ item: ScrubItem) -> Bool {
        poisons.count < Lane.poisonMax
            && !poisons.contains { $0.volume == item.volume && $0.address == item.address }
    }

    private func moveItem(
        _ item: ScrubItem,
        at location: Location,
        sequence: SequenceNumber
    ) -> MoveItem {
        var moved = MoveItem()
        moved.isBad = true
        moved.volume = item.volume
        moved.address = item.address
        moved.source = location
        moved.sequence = sequence
        moved.checksum = item.checksum
        return moved
    }

    private func noteFinding(_ item: ScrubItem, _ found: ScrubOutcome, _ verdict: String) {
        let device = item.location.device.rawValue
        let role = pool.devices[Int(device)].role
        note(
            "scrub_found",
            "volume \(volumes[Int(item.volume)].identifier) offset \(item.address * 4096) on "
                + "\(role) device \(device) block \(item.location.block): \(found): \(verdict)"
        )
    }
}
