internal import Format
internal import IO
internal import Units

// A device that answers nothing for `silenceMax` though it was asked for more than a flush hangs.
// Who waits for it is told, so that it takes no host along that does not need it:
//
//      a read                   begins anew in another buffer: from the other copy of a block, or
//                               it ends with an error.  The old buffer, which the device may still
//                               fill, is lent until it has answered
//      a write to a part of     asks for the old contents anew, likewise: the slot of a free
//      a block that it has      request is lent
//      reads that wait for a    begin anew
//      promotion, or for room
//
// New reads of what only that device has are refused at once.  Records and flushes of the log wait:
// they go on when it does.  Moves wait as well; they leave a slot to those that need no disk, and
// no more are begun to a disk that is late, so that flash makes room for itself.  The first answer
// ends it all.
extension Lane {
    /// Between two looks for devices that hang.
    private static var silenceCheckInterval: UInt64 { 1_000_000_000 }
    /// What is to be moved to a disk that answers nothing for so long stays where it is.
    private static var lateness: UInt64 { 2_000_000_000 }

    /// When `turn` is to look for devices that hang.
    var silenceDeadline: Instant? {
        operations.inFlightCount == 0
            ? nil : silenceCheckedAt.advanced(byNanoseconds: Lane.silenceCheckInterval)
    }

    /// Whether the device has not answered for so long that nobody is to wait for it.
    @inline(__always)
    func hangs(_ device: DeviceIndex) -> Bool {
        operations.silentDevices != 0 && operations.isSilent(device)
    }

    /// Whether a device of a tier answers in time.
    func answers(_ role: DeviceRole) -> Bool {
        operations.lateDevices == 0
            || pool.devices.contains { $0.role == role && !operations.isLate($0.index) }
    }

    func watchDevices() {
        guard let deadline = silenceDeadline, deadline <= now else { return }
        silenceCheckedAt = now
        let hung = operations.noteSilent(
            lateFor: Lane.lateness,
            for: configuration.silenceMax,
            now: now
        )
        for device in hung {
            note(
                "device_hangs",
                "device \(device.rawValue) has answered nothing for "
                    + "\(configuration.silenceMax / 1_000_000_000) s"
            )
            statistics.devicesHung += 1
        }
        // Of a flush that takes so long nobody knows when it ends: what is on that disk alone for
        // it stays where it was.
        for index in diskFlushes.indices where diskFlushes[index].isInFlight {
            let begunAt = diskFlushes[index].begunAt
            let patience = max(diskFlushes[index].patience, configuration.silenceMax)
            guard begunAt.advanced(byNanoseconds: patience) <= now else { continue }
            operations.noteLate(diskFlushes[index].device)
            if !Mutant.silenceSuffered.isOn { dropLanded(index) }
        }
        // What is moved from now on goes elsewhere.
        if operations.lateDevices != 0, cold.segment >= 0, operations.isLate(cold.device),
            answers(.disk)
        {
            pool.noteWriteRefused(cold.device)
            sealSegment(of: &cold)
        }
        guard operations.silentDevices != 0, !Mutant.silenceSuffered.isOn else { return }
        for index in diskFlushes.indices where hangs(diskFlushes[index].device) {
            dropLanded(index)
        }
        var begun: Set<Int32> = []
        for slot in operations.askedOfSilent {
            let owner = Int(slot.ownerIndex)
            switch slot.owner {
            case .request where begun.insert(slot.ownerIndex).inserted:
                beginAnew(owner, slot)
            case .merge where begun.insert(slot.ownerIndex).inserted: fetchAnew(owner, slot)
            case .moveRead: releaseWaiters(of: owner)
            default: break
            }
        }
        for device in pool.devices where hangs(device.index) { retryCrowd(of: device.index) }
    }

    /// A device has answered that did not for long.
    func noteAnswer(of device: DeviceIndex) {
        note("device_answers", "device \(device.rawValue) answers again")
        hasProgressed = true
    }

    // MARK: Who waits

    /// Has a read begin anew in another buffer.  Without one it ends with an error, if it would end
    /// so then as well; else it is looked at again.
    private func beginAnew(_ request: Int, _ slot: OperationSlot) {
        guard requests[request].phase == .active else { return }
        // Who waits in a list goes on from there.
        let isWaiting = requests[request].progress < requests[request].blockCount
        if let buffer = buffers.take(blockCount: Int(requests[request].blockCount)) {
            lendBuffer(of: request)
            requests[request].buffer = buffer
            // What flash refused a while ago it may give now.
            requests[request].forgetRefused()
            requests[request].progress = 0
            requests[request].isToReadAgain = false
            requests[request].isHole = true
            if isWaiting { return }
            if requests[request].status == .done { return attemptRead(request) }
            finish(request, requests[request].status)
        } else if !isWaiting, let lost = lostBlock(of: slot, request) {
            lendBuffer(of: request)
            fail(request, .mediaError, at: max(lost * 4096, requests[request].offset))
        } else {
            statistics.readsWithoutBuffer += 1
        }
    }

    private func lendBuffer(of request: Int) {
        let lent = requests[request].buffer
        let count = operations.handOver(.request, request, to: .orphan, Int(lent))
        if Mutant.lentBufferReused.isOn {
            buffers.give(lent)
        } else {
            lentBuffers[lent] = count
        }
        requests[request].buffer = -1
        requests[request].operationCount = 0
        statistics.readsBegunAnew += 1
    }

    /// Of the blocks that an operation was to read, the first one that no other device has.
    private func lostBlock(of slot: OperationSlot, _ request: Int) -> UInt64? {
        let first = requests[request].offset / 4096 + UInt64(slot.firstBlock)
        return (first..<(first + UInt64(slot.blockCount + slot.tailCount))).first {
            isOnSilentOnly($0, of: requests[request].volume)
        }
    }

    /// Whether only devices that hang have a block; what flash refused a while ago it may give.
    private func isOnSilentOnly(_ address: UInt64, of volume: UInt32) -> Bool {
        let leaf = address / UInt64(Geometry.blocksPerLeaf)
        guard let found = leaves.find(volume: volume, index: leaf),
            leaves.entries[found].state == .ready
        else { return false }
        let state = leaves.state(found, Int(address % UInt64(Geometry.blocksPerLeaf)))
        return state.isStored
            && [state.flash, state.disk].allSatisfy { !$0.isPlace || hangs($0.device) }
    }

    /// A read of a buffer that was lent to the device has ended.
    func completeOrphan(_ slot: OperationSlot) {
        endReading(Int(slot.segment))
        guard let count = lentBuffers[slot.ownerIndex] else { return }
        lentBuffers[slot.ownerIndex] = count == 1 ? nil : count - 1
        if count == 1 { buffers.give(slot.ownerIndex) }
        hasProgressed = true
    }

    /// Has a write ask anew for the old contents at its ends, with the memory of a request that is
    /// free.  Without one it ends with an error, if it would end so then as well; else it is looked
    /// at again.
    private func fetchAnew(_ request: Int, _ slot: OperationSlot) {
        guard requests[request].phase == .active, requests[request].mergePhase == .reading else {
            return
        }
        let address = mergedBlock(request, Int(slot.firstBlock))
        guard requests[request].status == .done,
            !isOnSilentOnly(address, of: requests[request].volume)
        else {
            return finish(request, .mediaError)
        }
        guard let spare = takeFree() else {
            statistics.readsWithoutBuffer += 1
            return
        }
        let memory = requests[spare].mergeMemory
        requests[spare].mergeMemory = requests[request].mergeMemory
        requests[request].mergeMemory = memory
        requests[spare].phase = .lent
        requests[spare].buffer = -1
        requests[spare].operationCount = Int32(
            operations.handOver(.merge, request, to: .merge, spare)
        )
        requests[request].mergePhase = .none
        requests[request].forgetRefused()
        requests[request].operationCount = 0
        requests[request].isToReadAgain = false
        statistics.readsBegunAnew += 1
        attemptChange(request)
    }

    /// A device has answered what nobody waits for any more.
    func endLent(_ request: Int) {
        if requests[request].phase == .lent, requests[request].operationCount == 0 {
            free(request)
        }
    }

    private func releaseWaiters(of move: Int) {
        var waiting = moves[move].waiters
        moves[move].waiters = RequestList()
        while let request = popFirst(of: &waiting) {
            requests[request].hasPromoted = true
            statistics.readsBegunAnew += 1
            attemptRead(request)
        }
    }
}
