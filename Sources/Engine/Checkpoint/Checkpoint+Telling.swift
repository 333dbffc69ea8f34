internal import Catalogue
internal import Format
internal import IO
internal import Units

// What a checkpoint forgot may be written again only when the devices say so: an older catalogue,
// put back, would take what is written then for what was forgotten; and one that is made anew from
// the devices goes on where they say.  Crash order, each step only after the one before it:
//
// 1. The catalogue has committed the checkpoint.
// 2. Each flash device is given the lane's witness, in two places: not in those that have its
//    newest one.
// 3. Flash is flushed.
// 4. The segments are free, and so is what the mirror needs no more.
//
// A device that takes the witness in neither place keeps those that it has: the next one is written
// there again.

/// What a lane tells its witnesses, and how far they were told.
struct LaneAge {
    /// The last checkpoint that was committed, counted over all lives of the pool.
    private(set) var checkpoint: UInt64 = 0
    /// Of that checkpoint.
    private(set) var log = LogPlace(
        segment: nil,
        segmentSequence: 0,
        blockOffset: 0,
        nextRecord: RecordNumber(1),
        previousChecksum: 0
    )
    private(set) var mirror = MirrorState.empty
    /// Where the log ended when this life of the pool began, and the last life before it of which
    /// all devices were told.
    var logEnd = RecordNumber(1)
    /// Sequence number of the newest segment that the log had then; none is zero.
    var logEndSegment: UInt64 = 0
    var witnessedIncarnation: UInt32 = 0
    /// Of the last witness.
    var number: UInt64 = 0
    /// Of each device, the pair of places that the next witness is written to.
    var pairs: [Int] = []
    /// The checkpoints of which the pairs of every flash device tell, the last one first.
    private var told: [2 of UInt64] = [0, 0]
    /// A checkpoint of which each place of every flash device tells, or of a later one.
    var toldEverywhere: UInt64 { told[1] }

    /// Goes on where a catalogue is.
    mutating func adopt(_ position: LanePosition) {
        noteCommitted(position)
        told = .init(repeating: position.witnessed)
    }

    mutating func noteCommitted(_ position: LanePosition) {
        checkpoint = position.checkpoint
        log = position.log
        mirror = position.mirror
    }

    /// Every device has taken the last witness, in both places.
    mutating func noteComplete() {
        told[1] = told[0]
        told[0] = checkpoint
    }

    /// A device has taken the last witness.
    mutating func noteTaken(by device: DeviceIndex) {
        if !Mutant.witnessOverNewest.isOn { pairs[Int(device.rawValue)] ^= 1 }
    }
}

extension Lane {
    /// Times that a witness is written before it is given up.
    private static var tellingAttemptCountMax: Int { 8 }

    private var flashDevices: [DeviceGeometry] { pool.devices.filter { $0.role == .flash } }

    /// The bit of one of the two places that a device's witness is written to.
    private func bit(_ device: DeviceIndex, _ half: Int) -> UInt64 {
        1 << UInt64(Int(device.rawValue) * Witness.pairCount + half)
    }

    private func bits(_ device: DeviceIndex) -> UInt64 { bit(device, 0) | bit(device, 1) }

    func beginTelling() {
        checkpoint.phase = .telling
        checkpoint.isTold = false
        checkpoint.tellingAttemptCount = 0
        checkpoint.witnessesTaken = 0
        age.number += 1
        hasProgressed = true
    }

    /// Goes on with steps 2 and 3, as there are operations for it.
    func tellDevices() {
        guard checkpoint.witnessesInFlight == 0, checkpoint.flushesInFlight == 0,
            checkpoint.flushBar == nil
        else { return }
        if checkpoint.isTold { return endTelling() }
        if Mutant.segmentFreedBeforeWitness.isOn {
            releaseForgotten()
            return rest()
        }
        guard operations.freeCount > (Witness.pairCount + 1) * pool.devices.count else { return }
        let isTaken = flashDevices.allSatisfy { isTakenWholly(by: $0.index) }
        if !isTaken && checkpoint.tellingAttemptCount < Lane.tellingAttemptCountMax {
            return submitWitness()
        }
        guard checkpoint.witnessesTaken != 0 else {
            // All is as if this checkpoint had not been yet, for whoever asks the devices.
            if checkpoint.forgetting.isEmpty { return rest() }
            return fence("lane \(index.rawValue): no flash device takes the lane's witness")
        }
        checkpoint.isTold = true
        submitCheckpointFlush()
    }

    private func isTakenWholly(by device: DeviceIndex) -> Bool {
        checkpoint.witnessesTaken & bits(device) == bits(device)
    }

    private func submitWitness() {
        checkpoint.tellingAttemptCount += 1
        for device in flashDevices {
            for half in 0..<Witness.pairCount
            where checkpoint.witnessesTaken & bit(device.index, half) == 0 {
                checkpoint.witnessesInFlight += 1
                statistics.flashBlocksWritten += 1
                let (block, region) = encodeWitness(
                    for: device.index,
                    half: half,
                    witnessedIncarnation: pool.incarnation
                )
                operations.submit(
                    .write,
                    at: (device.index, block),
                    blockCount: 1,
                    region: region,
                    for: OperationSlot(
                        owner: .witness,
                        ownerIndex: Int32(device.index.rawValue) * Int32(Witness.pairCount)
                            + Int32(half)
                    )
                )
            }
        }
    }

    func completeWitness(_ place: Int, isGood: Bool) {
        checkpoint.witnessesInFlight -= 1
        if isGood { checkpoint.witnessesTaken |= 1 << UInt64(place) }
        if checkpoint.witnessesInFlight == 0 { hasProgressed = true }
    }

    /// Step 4.
    private func endTelling() {
        if flashDevices.allSatisfy({ isTakenWholly(by: $0.index) }) { age.noteComplete() }
        for device in flashDevices where checkpoint.witnessesTaken & bits(device.index) != 0 {
            age.noteTaken(by: device.index)
        }
        mirror.told = age.mirror.begin
        releaseForgotten()
        rest()
    }

    /// Gives the segments that the checkpoint forgot back.
    func releaseForgotten() {
        for segment in checkpoint.forgetting {
            if pool.segments[segment].readerCount == 0 || Mutant.segmentReusedUnderRead.isOn {
                releaseSegment(segment)
            } else {
                pool.segments[segment].use = .draining
            }
        }
        checkpoint.forgetting.removeAll(keepingCapacity: true)
    }

    private func rest() {
        for slot in checkpoint.captured { leaves.entries[slot].isCommitting = false }
        checkpoint.phase = .idle
        checkpoint.endedAt = now
        hasProgressed = true
    }

    // MARK: When the pool is opened

    /// Goes on counting where the catalogue and the devices are.
    func adoptAge(
        _ position: LanePosition?,
        _ witnesses: Witnesses,
        witnessedIncarnation: UInt32
    ) {
        if let position { age.adopt(position) }
        age.logEnd = logEnd.nextRecord
        age.logEndSegment = logEnd.segmentSequence
        age.witnessedIncarnation = witnessedIncarnation
        age.number = witnesses.newestNumber(of: index)
        age.pairs = pool.devices.map { witnesses.nextPair(of: index, on: $0.index) }
        mirror.state = age.mirror
        mirror.told = age.mirror.begin
        countMirrored()
    }

    /// Gives what is to be written to each device of a role before the lane serves; its bytes are
    /// good until the next call.  No disk is to know of what flash does not.
    ///
    /// - Parameter write: false when the device refuses.
    func writeOpeningWitness(
        to role: DeviceRole,
        _ write: (DeviceIndex, _ block: UInt64, BufferRegion) -> Bool
    ) {
        if role == .flash { age.number += 1 }
        var isComplete = true
        for device in pool.devices where device.role == role {
            for half in 0..<Witness.pairCount {
                let (block, region) = encodeWitness(
                    for: device.index,
                    half: half,
                    witnessedIncarnation: age.witnessedIncarnation
                )
                if write(device.index, block, region) {
                    openingToldTo |= 1 << UInt64(device.index.rawValue)
                } else {
                    isComplete = false
                    note(
                        "witness_refused",
                        "device \(device.index.rawValue) does not take block \(block), a witness"
                    )
                }
            }
            age.noteTaken(by: device.index)
        }
        if isComplete, role == .flash { age.noteComplete() }
    }

    /// A device that has taken no witness of this opening.
    var deviceNotTold: DeviceIndex? {
        pool.devices.first { openingToldTo >> UInt64($0.index.rawValue) & 1 == 0 }?.index
    }

    /// The lane's witness for a device: where it goes, and its bytes.
    private func encodeWitness(
        for device: DeviceIndex,
        half: Int,
        witnessedIncarnation: UInt32
    ) -> (block: UInt64, region: BufferRegion) {
        let witness = Witness(
            poolIdentifier: pool.identifier,
            deviceIdentifier: pool.deviceIdentifiers[Int(device.rawValue)],
            deviceIndex: device,
            lane: index,
            place: age.pairs[Int(device.rawValue)] * Witness.pairCount + half,
            incarnation: pool.incarnation,
            number: age.number,
            checkpoint: age.checkpoint,
            witnessed: age.toldEverywhere,
            witnessedIncarnation: witnessedIncarnation,
            log: age.log,
            logEnd: age.logEnd,
            logEndSegment: age.logEndSegment,
            mirror: age.mirror
        )
        let region = witnessArena.region.block(Int(device.rawValue) * Witness.pairCount + half)
        var bytes = region.mutableBytes
        witness.encode(into: &bytes)
        return (witness.block, region)
    }
}
