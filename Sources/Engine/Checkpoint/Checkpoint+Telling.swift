internal import Catalogue
internal import Format
package import IO
package import Units

// What a checkpoint forgot may be written again only when the devices say so: an older catalogue,
// put back, would take what is written then for what was forgotten.  Crash order, each step only
// after the one before it:
//
// 1. The catalogue has committed the checkpoint.
// 2. Each flash device is given the lane's witness, in the next of its places.
// 3. Flash is flushed.
// 4. The segments are free.
//
// A place that not every device took is written once more, and not the next one: that may be the
// last good one of a device which refused.

/// What a lane tells its witnesses, and how far they were told.
struct LaneAge {
    /// The last checkpoint that was committed, counted over all lives of the pool.
    var checkpoint: UInt64 = 0
    /// Of the last witness, and whether every device took it.
    var witnessNumber: UInt64 = 0
    var isComplete = true
    /// The checkpoints of which the places of every flash device tell, the last one first.
    private var told: [3 of UInt64] = [0, 0, 0]
    /// A checkpoint of which each place of every flash device tells, or of a later one.
    var toldEverywhere: UInt64 { told[Witness.placeCount - 1] }

    /// Goes on where a catalogue is.
    mutating func adopt(checkpoint: UInt64, toldEverywhere: UInt64) {
        self.checkpoint = checkpoint
        told = .init(repeating: toldEverywhere)
    }

    mutating func nextWitness() {
        witnessNumber += isComplete ? 1 : UInt64(Witness.placeCount)
        isComplete = false
    }

    /// Every device has taken the last witness.
    mutating func noteComplete() {
        isComplete = true
        for place in (1..<Witness.placeCount).reversed() { told[place] = told[place - 1] }
        told[0] = checkpoint
    }
}

extension Lane {
    /// Times that a witness is written before it is given up.
    private static var tellingAttemptCountMax: Int { 8 }

    private var flashDevices: [DeviceGeometry] { pool.devices.filter { $0.role == .flash } }

    func beginTelling() {
        checkpoint.phase = .telling
        checkpoint.isTold = false
        checkpoint.tellingAttemptCount = 0
        checkpoint.witnessesTaken = 0
        checkpoint.flushesFlash = false
        checkpoint.flushesDisk = false
        hasProgressed = true
    }

    /// Goes on with steps 2 and 3, as there are operations for it.
    func tellDevices() {
        guard checkpoint.witnessesInFlight == 0, checkpoint.flushesInFlight == 0,
            checkpoint.flushBar == nil
        else { return }
        if checkpoint.isTold { return releaseForgotten() }
        guard operations.freeCount > pool.devices.count else { return }
        let isTaken = checkpoint.witnessesTaken == flashDevices.count
        if !isTaken && checkpoint.tellingAttemptCount < Lane.tellingAttemptCountMax {
            return submitWitness()
        }
        guard checkpoint.witnessesTaken > 0 else {
            return fence("lane \(index.rawValue): no flash device takes the lane's witness")
        }
        checkpoint.isTold = true
        submitCheckpointFlush(.flash)
    }

    private func submitWitness() {
        checkpoint.tellingAttemptCount += 1
        checkpoint.witnessesTaken = 0
        age.nextWitness()
        for device in flashDevices {
            checkpoint.witnessesInFlight += 1
            statistics.flashBlocksWritten += 1
            let (block, region) = encodeWitness(for: device.index)
            operations.submit(
                .write,
                at: (device.index, block),
                blockCount: 1,
                region: region,
                for: OperationSlot(owner: .witness)
            )
        }
    }

    func completeWitness(isGood: Bool) {
        checkpoint.witnessesInFlight -= 1
        if isGood { checkpoint.witnessesTaken += 1 }
        if checkpoint.witnessesInFlight == 0 { hasProgressed = true }
    }

    /// Step 4.
    func releaseForgotten() {
        if checkpoint.phase == .telling, checkpoint.witnessesTaken == flashDevices.count {
            age.noteComplete()
        }
        for segment in checkpoint.forgetting {
            if pool.segments[segment].readerCount == 0 || Mutant.segmentReusedUnderRead.isOn {
                releaseSegment(segment)
            } else {
                pool.segments[segment].use = .draining
            }
        }
        checkpoint.forgetting.removeAll(keepingCapacity: true)
        checkpoint.phase = .idle
        checkpoint.endedAt = now
        hasProgressed = true
    }

    // MARK: When the pool is opened

    /// Goes on counting where the catalogue and the devices are.
    func adoptAge(_ position: LanePosition?, _ witnesses: Witnesses) {
        age.adopt(
            checkpoint: position?.checkpoint ?? 0,
            toldEverywhere: position?.witnessed ?? 0
        )
        // The next one is one more.
        age.witnessNumber = witnesses.nextNumber(of: index) - 1
    }

    /// Gives what is to be written to each device before the lane serves; its bytes are good until
    /// the next call.  To be called `Witness.placeCount` times, each time with a flush behind it.
    ///
    /// - Parameter write: false when the device refuses.
    package func writeOpeningWitness(
        _ write: (DeviceIndex, _ block: UInt64, BufferRegion) -> Bool
    ) {
        age.nextWitness()
        var isComplete = true
        for device in pool.devices {
            let (block, region) = encodeWitness(for: device.index)
            if !write(device.index, block, region) { isComplete = false }
        }
        if isComplete { age.noteComplete() }
    }

    /// The lane's witness for a device: where it goes, and its bytes.
    private func encodeWitness(for device: DeviceIndex) -> (block: UInt64, region: BufferRegion) {
        let witness = Witness(
            poolIdentifier: pool.identifier,
            deviceIdentifier: pool.deviceIdentifiers[Int(device.rawValue)],
            deviceIndex: device,
            lane: index,
            incarnation: pool.incarnation,
            number: age.witnessNumber,
            checkpoint: age.checkpoint
        )
        let region = witnessArena.region.block(Int(device.rawValue))
        var bytes = region.mutableBytes
        witness.encode(into: &bytes)
        return (witness.block, region)
    }
}
