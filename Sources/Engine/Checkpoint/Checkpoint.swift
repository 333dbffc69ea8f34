package import Catalogue
internal import Format
internal import IO
internal import Policy
internal import Units

/// The checkpoint in progress, if there is one.
struct CheckpointState {
    enum Phase { case idle, draining, mirroring, flushing, committing, telling }
    var phase = Phase.idle
    /// Somebody needs one: no leaf slot is clean, or segments wait to be freed.
    var isWanted = false
    var image: CheckpointImage?
    /// Leaf slots that it captured, and how many of them are encoded.
    var captured: [Int] = []
    var encoded = 0
    /// Leaf slots of which only the heat changed.
    var heatOnly: [Int] = []
    var heatEncoded = 0
    /// It is consistent with the log up to this record.
    var through = RecordNumber(0)
    var flushesInFlight = 0
    var flushFailed = false
    /// Its flushes ended well, and wait for others.
    var flushBar: FlushBar?
    /// What it was asked to commit.
    var position: LanePosition?
    /// Of the witness: writes in flight, bits of the places that took it, and times that it was
    /// written.
    var witnessesInFlight = 0
    var witnessesTaken: UInt64 = 0
    var tellingAttemptCount = 0
    /// It was taken, and is being flushed.
    var isTold = false
    /// Segments that are free when it is durable and the devices were told.
    var forgetting: [Int] = []
    var vacated: [(volume: Int, leaf: UInt64)] = []
    var stored: [(volume: Int, leaf: UInt64)] = []
    var forgottenVolumes: [Int] = []
    var begunAt = Instant(nanoseconds: 0)
    var endedAt = Instant(nanoseconds: 0)
}

/// What the lane awaits from the catalogue, in order.
enum CatalogueAwait {
    case leaf(Int)
    /// A leaf for a recount.
    case recount
    /// A leaf for a round of the mirror.
    case mirror
    case commit
}

// A checkpoint is the map, the segment table and the log position, committed in one transaction.
// Crash order, each step only after the one before it:
//
// 1. Captured in one turn: which leaves changed, where the log stands, which segments nothing
//    refers to any more.  A captured leaf that is about to change is encoded first.
// 2. All records up to the position have landed.
// 3. The mirror has said all of it (Mirror).
// 4. Flash is flushed: nothing that the leaves refer to is volatile any more.  What they refer to
//    on disk never was (Moves/DiskFlush).
// 5. The catalogue commits.
// 6. The devices are told so (Checkpoint+Telling).
// 7. Only now are the forgotten segments free, each when no read is in flight to it; and the leaves
//    may leave memory: replay from the checkpoint before would need them all at once.
extension Lane {
    func runCheckpoint() {
        // What failed may be what this checkpoint rests on.
        guard !isReadOnly else { return }
        switch checkpoint.phase {
        case .idle: if isCheckpointDue { beginCheckpoint() }
        case .draining: drainCheckpoint()
        case .mirroring: if runMirror() { flushCheckpoint() }
        case .flushing:
            believeCheckpointFlush()
            if !isReadOnly { commitIfReady() }
        case .committing: break
        case .telling:
            believeCheckpointFlush()
            if !isReadOnly { tellDevices() }
        }
    }

    private var hasChanges: Bool {
        leaves.dirtyCount > 0 || !changedSegments.isEmpty || !emptiedSegments.isEmpty
            || !changedVolumes.isEmpty || !events.isEmpty || !evictedHeat.isEmpty
            || mirrorWantsCheckpoint
    }

    private var isCheckpointDue: Bool {
        guard !isReadOnly, catalogueIsGood, !log.isHeld else { return false }
        if shutdown.isQuiet {
            return shutdown.stage == .checkpointing
                && statistics.checkpoints == shutdown.checkpointsBefore
        }
        guard hasChanges || checkpoint.isWanted else { return false }
        guard
            now >= checkpoint.endedAt.advanced(byNanoseconds: configuration.checkpointSpacing)
        else { return false }
        if checkpoint.isWanted || leaves.dirtyCount * 2 > leaves.count { return true }
        if loggedBlockCount >= configuration.checkpointLogBlockCount { return true }
        if evictedHeat.count >= leaves.count { return true }
        if !emptiedSegments.isEmpty && isShortOfSegments { return true }
        return now >= checkpoint.endedAt.advanced(byNanoseconds: configuration.checkpointInterval)
    }

    /// Whether hosts are slowed, or soon will be, until segments are free.
    var isShortOfSegments: Bool {
        pool.freeSegmentCount(.flash) < flashMarks.slow
            || pool.freeSegmentCount(.disk) < max(4, pool.diskSegmentCount / 8)
    }

    /// When the next checkpoint is due by the clock alone.
    var checkpointDeadline: Instant? {
        guard checkpoint.phase == .idle, !isReadOnly, !log.isHeld,
            hasChanges || checkpoint.isWanted, !shutdown.isQuiet
        else {
            return nil
        }
        let isUrgent =
            checkpoint.isWanted || (!emptiedSegments.isEmpty && isShortOfSegments)
            || leaves.dirtyCount * 2 > leaves.count
            || loggedBlockCount >= configuration.checkpointLogBlockCount
        return checkpoint.endedAt.advanced(
            byNanoseconds: isUrgent
                ? configuration.checkpointSpacing : configuration.checkpointInterval
        )
    }

    // MARK: Step 1

    private func beginCheckpoint() {
        closeHostRecord()
        checkpoint.phase = .draining
        checkpoint.isWanted = false
        checkpoint.begunAt = now
        checkpoint.through = RecordNumber(host.nextNumber.rawValue - 1)
        checkpoint.captured.removeAll(keepingCapacity: true)
        checkpoint.heatOnly.removeAll(keepingCapacity: true)
        checkpoint.encoded = 0
        checkpoint.heatEncoded = 0
        checkpoint.vacated.removeAll(keepingCapacity: true)
        checkpoint.stored.removeAll(keepingCapacity: true)
        loggedBlockCount = 0
        var image = CheckpointImage(position: position)
        captureLeaves()
        captureSegments(&image)
        captureVolumes(&image)
        captureForMirror()
        image.heat = evictedHeat
        evictedHeat.removeAll(keepingCapacity: true)
        image.scrubs = takeScrubRows()
        image.events = events
        events.removeAll(keepingCapacity: true)
        checkpoint.image = image
        statistics.checkpoints += 1
        drainCheckpoint()
    }

    /// Where replay of this lane's log would begin now: behind every record that was closed.
    private var position: LanePosition {
        let isOpen = host.segment >= 0
        return LanePosition(
            lane: index,
            segment: isOpen ? pool.address(of: host.segment) : nil,
            segmentSequence: host.newestSequence,
            blockOffset: UInt32(host.cursor),
            nextRecord: host.nextNumber,
            previousChecksum: host.previousChecksum,
            checkpoint: age.checkpoint + 1,
            witnessed: age.toldEverywhere,
            mirror: mirror.state
        )
    }

    private func captureLeaves() {
        for slot in 0..<leaves.count {
            let entry = leaves.entries[slot]
            guard entry.state == .ready else { continue }
            if entry.isDirty {
                leaves.entries[slot].isCaptured = true
                leaves.entries[slot].isCommitting = true
                leaves.setDirty(slot, false)
                checkpoint.captured.append(slot)
            } else if entry.isHeatDirty {
                checkpoint.heatOnly.append(slot)
            }
        }
    }

    private func captureSegments(_ image: inout CheckpointImage) {
        for segment in changedSegments {
            let state = pool.segments[segment]
            pool.segments[segment].isChanged = false
            guard state.lane == index, state.use == .open || state.use == .sealed else { continue }
            image.segments.append(row(ofSegment: segment))
        }
        changedSegments.removeAll(keepingCapacity: true)
        checkpoint.forgetting = emptiedSegments
        emptiedSegments.removeAll(keepingCapacity: true)
        for segment in checkpoint.forgetting {
            pool.segments[segment].use = .forgetting
            image.freedSegments.append(pool.address(of: segment))
            if Mutant.segmentFreedBeforeCommit.isOn && pool.segments[segment].readerCount == 0 {
                releaseSegment(segment)
            }
        }
    }

    func row(ofSegment segment: Int) -> SegmentRow {
        let state = pool.segments[segment]
        return SegmentRow(
            address: pool.address(of: segment),
            lane: index,
            stream: state.stream,
            sequence: state.sequence,
            nonce: state.nonce,
            liveBlockCount: state.liveBlockCount,
            writtenBlockCount: state.writtenBlockCount
        )
    }

    func treeRow(_ volume: Int) -> TreeRow {
        TreeRow(
            identifier: volumes[volume].tree,
            parent: nil,
            volume: volumes[volume].identifier
        )
    }

    private func captureVolumes(_ image: inout CheckpointImage) {
        checkpoint.forgottenVolumes.removeAll(keepingCapacity: true)
        for volume in 0..<volumeCount
        where volumes[volume].life == .destroyed && !volumes[volume].hasDamagedLeaf
            && nextLeafToGive(volume) == nil
        {
            checkpoint.forgottenVolumes.append(volume)
            image.forgottenVolumes.append(volumes[volume].identifier)
        }
        for volume in changedVolumes {
            volumes[volume].isChanged = false
            guard volumes[volume].life != .free, !checkpoint.forgottenVolumes.contains(volume)
            else {
                continue
            }
            image.volumes.append(currentRow(volume))
            image.trees.append(treeRow(volume))
        }
        changedVolumes.removeAll(keepingCapacity: true)
    }

    /// Takes back step 1 of a checkpoint that waits for a record which was refused: what it has
    /// captured says where the record's blocks were to lie.
    func cancelCheckpoint() {
        guard let image = checkpoint.image else { return }
        for slot in checkpoint.captured {
            leaves.entries[slot].isCaptured = false
            leaves.entries[slot].isCommitting = false
            leaves.setDirty(slot, true)
        }
        for row in image.segments { noteChanged(pool.slot(of: row.address)) }
        for segment in checkpoint.forgetting { pool.segments[segment].use = .emptied }
        emptiedSegments = checkpoint.forgetting + emptiedSegments
        checkpoint.forgetting.removeAll(keepingCapacity: true)
        for row in image.volumes {
            if let volume = volumeSlots[row.identifier] { noteVolumeChanged(volume) }
        }
        evictedHeat = image.heat + evictedHeat
        events = image.events + events
        cancelMirror()
        checkpoint.image = nil
        checkpoint.phase = .idle
        checkpoint.isWanted = true
        statistics.checkpoints -= 1
    }

    // MARK: Encoding

    /// Encodes a captured leaf as it is now, which is as it was captured.
    func encodeCaptured(_ slot: Int) {
        invariant(leaves.entries[slot].isCaptured, "a captured leaf is encoded once")
        leaves.entries[slot].isCaptured = false
        let volume = Int(leaves.entries[slot].volume)
        let leaf = leaves.entries[slot].index
        let key = leafKey(volume, leaf)
        if leaves.isVacant(slot) {
            checkpoint.image?.leaves.append((key, []))
            checkpoint.image?.heat.append((key, []))
            checkpoint.vacated.append((volume, leaf))
            return
        }
        let first = slot * Geometry.blocksPerLeaf
        let bytes = LeafFormat.encode(
            states: leaves.states.span(of: first..<(first + Geometry.blocksPerLeaf)),
            writers: [volumes[volume].identifier],
            tree: key.tree,
            index: key.index
        )
        checkpoint.image?.leaves.append((key, bytes))
        checkpoint.stored.append((volume, leaf))
        if leaves.entries[slot].isHeatDirty {
            leaves.entries[slot].isHeatDirty = false
            checkpoint.image?.heat.append((key, encodeHeat(slot)))
        }
    }

    /// Encodes a slice of what was captured; true when nothing is left.
    private func encodeSlice() -> Bool {
        var budget = configuration.leavesEncodedPerTurn
        while checkpoint.encoded < checkpoint.captured.count, budget > 0 {
            let slot = checkpoint.captured[checkpoint.encoded]
            checkpoint.encoded += 1
            if leaves.entries[slot].isCaptured {
                encodeCaptured(slot)
                budget -= 1
            }
        }
        while checkpoint.heatEncoded < checkpoint.heatOnly.count, budget > 0 {
            let slot = checkpoint.heatOnly[checkpoint.heatEncoded]
            checkpoint.heatEncoded += 1
            let entry = leaves.entries[slot]
            guard entry.state == .ready, entry.isHeatDirty, !entry.isCaptured,
                presence[Int(entry.volume)].contains(entry.index)
            else { continue }
            leaves.entries[slot].isHeatDirty = false
            checkpoint.image?.heat.append(
                (leafKey(Int(entry.volume), entry.index), encodeHeat(slot))
            )
            budget -= 1
        }
        if budget == 0 { hasProgressed = true }
        return checkpoint.encoded == checkpoint.captured.count
            && checkpoint.heatEncoded == checkpoint.heatOnly.count
    }

    // MARK: Steps 2 to 5

    /// A record that the checkpoint rests on has not landed.
    var isCheckpointWaitingForLog: Bool {
        checkpoint.phase == .draining && landedThrough < checkpoint.through
    }

    private func drainCheckpoint() {
        guard landedThrough >= checkpoint.through, encodeSlice() else { return }
        beginMirroring()
    }

    private func flushCheckpoint() {
        guard operations.freeCount > pool.devices.count else { return }
        checkpoint.image?.position.mirror = mirror.state
        checkpoint.phase = .flushing
        checkpoint.flushFailed = false
        if flashIsUnflushed && !Mutant.checkpointWithoutFlashFlush.isOn { submitCheckpointFlush() }
        flashIsUnflushed = false
        commitIfReady()
    }

    /// Flushes flash; there are operations for it.
    func submitCheckpointFlush() {
        flushCoversCheckpoint = landedThrough
        for device in pool.devices where device.role == .flash {
            checkpoint.flushesInFlight += 1
            operations.submit(
                .flush,
                at: (device.index, 0),
                blockCount: 0,
                region: .empty,
                for: OperationSlot(owner: .checkpointFlush, ticket: pool.beginFlush(.flash))
            )
        }
    }

    func completeCheckpointFlush(_ slot: OperationSlot, isGood: Bool) {
        checkpoint.flushesInFlight -= 1
        settle(slot.ticket, .flash, isGood: isGood)
        if checkpoint.flushesInFlight == 0 { checkpoint.flushBar = pool.flushBar(.flash) }
        believeCheckpointFlush()
        believeFlush()
    }

    /// Goes on when all flushes that were in flight beside the checkpoint's have settled well.
    private func believeCheckpointFlush() {
        guard var bar = checkpoint.flushBar else { return }
        let belief = pool.belief(&bar)
        checkpoint.flushBar = belief == .waiting ? bar : nil
        switch belief {
        case .waiting: break
        case .believed: noteDurable(flushCoversCheckpoint)
        case .failed:
            checkpoint.flushFailed = true
            // It may be another lane's, of this very moment.
            believeFlush()
        }
    }

    private func commitIfReady() {
        guard checkpoint.flushesInFlight == 0, checkpoint.flushBar == nil,
            var image = checkpoint.image
        else { return }
        if Mutant.positionTakenAtCommit.isOn { image.position = position }
        invariant(!checkpoint.flushFailed, "a failed flush puts up the fence")
        checkpoint.phase = .committing
        checkpoint.image = nil
        checkpoint.position = image.position
        catalogueOutbox.append(.commit(image))
        catalogueAwaited.append(.commit)
    }

    // MARK: Behind the commit

    /// The catalogue answers the oldest question.
    package func answer(_ answer: CatalogueAnswer) {
        invariant(!catalogueAwaited.isEmpty, "the catalogue answers what was asked")
        let awaited = catalogueAwaited.removeFirst()
        switch (awaited, answer) {
        case (.leaf(let slot), .loaded(let leaf)):
            completeLoad(slot, leaf)
        case (.commit, .committed):
            endCheckpoint()
        case (.leaf(let slot), .failed(let reason)):
            failLoad(slot, reason)
        case (.recount, .loaded(let leaf)):
            completeRecountLoad(leaf)
        case (.recount, .failed(let reason)):
            failRecountLoad(reason)
        case (.mirror, .loaded(let leaf)):
            completeMirrorLoad(leaf)
        case (.mirror, .failed(let reason)):
            note("mirror_round_failed", "the catalogue failed: \(reason)")
            endRoundInVain()
            hasProgressed = true
        case (.commit, .failed) where Mutant.failedCommitBelieved.isOn:
            endCheckpoint()
        case (.commit, .failed(let reason)):
            catalogueIsGood = false
            fence("lane \(index.rawValue): the catalogue failed: \(reason)")
        case (.leaf, .committed), (.recount, .committed), (.mirror, .committed), (.commit, .loaded):
            invariantFailed("the catalogue answers in order", file: #fileID, line: #line)
        }
    }

    private func failLoad(_ slot: Int, _ reason: String) {
        catalogueIsGood = false
        fence("lane \(index.rawValue): the catalogue failed: \(reason)")
        var waiter = leaves.entries[slot].firstWaiter
        leaves.entries[slot].firstWaiter = -1
        leaves.remove(slot)
        while waiter >= 0 {
            let request = Int(waiter)
            waiter = requests[request].next
            requests[request].next = -1
            fail(request, .mediaError, at: nil)
        }
    }

    private func endCheckpoint() {
        for (volume, leaf) in checkpoint.stored { presence[volume].insert(leaf) }
        for (volume, leaf) in checkpoint.vacated { presence[volume].remove(leaf) }
        for volume in checkpoint.forgottenVolumes { volumes[volume].life = .free }
        if Mutant.segmentFreedBeforeCommit.isOn {
            checkpoint.forgetting.removeAll { pool.segments[$0].use != .forgetting }
        }
        countMirrored()
        if let position = checkpoint.position { age.noteCommitted(position) }
        checkpoint.position = nil
        beginTelling()
    }
}
