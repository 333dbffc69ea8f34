internal import Format
internal import IO
internal import Units

// A device that does not answer must not hold up hosts for ever, nor those who need it not.
//
//      submitted --- answered --> completed                       as ever
//          |
//          | deadline --> overdue: its owner is told, and the device is taken as silent
//                            |
//                            | answered, at last --> the memory is given back
//
// Whatever the device may still write to, or read from, stays taken until it answers: a request's
// slot and buffer, a move's record.  From a silent device nothing is read, no chunk is moved to it
// or from it, and no segment of it is reclaimed; what lies on other devices is served as ever.  One
// that answers again is used again.
//
// A record or a flush that is overdue cannot be taken back: nobody knows what it will do.  The lane
// changes nothing any more, and hosts that wait for it get an error.
extension Lane {
    private var deadlineCheckInterval: UInt64 { configuration.operationDeadline / 8 }

    /// When overdue operations are looked for again; nil while none is awaited.
    var deadlineCheckAt: Instant? { operations.awaitedCount > 0 ? nextDeadlineCheck : nil }

    /// Tells the owners of operations that are overdue.
    func expireOperations() {
        operations.now = now
        guard now >= nextDeadlineCheck, !Mutant.deadlineIgnored.isOn else { return }
        nextDeadlineCheck = now.advanced(byNanoseconds: deadlineCheckInterval)
        guard operations.awaitedCount > 0,
            now.nanoseconds > configuration.operationDeadline
        else { return }
        let limit = Instant(nanoseconds: now.nanoseconds - configuration.operationDeadline)
        for index in 0..<operations.capacity {
            if let slot = operations.expire(index, before: limit) { expire(slot) }
        }
    }

    private func expire(_ slot: OperationSlot) {
        statistics.operationsOverdue += 1
        let device = slot.location.device
        if pool.noteSilent(device) {
            note("device_silent", "device \(device.rawValue) does not answer")
        }
        let owner = Int(slot.ownerIndex)
        switch slot.owner {
        case .free, .discard: break
        case .request, .merge: expireRead(owner, slot)
        case .moveRead, .moveWrite, .moveVerify: expireMove(owner, slot)
        case .scan: expireScan(isFlash: owner == 0)
        case .record:
            fence("lane \(index.rawValue): a write to flash is not answered")
            abandonLog()
        case .flush:
            flushesInFlight -= 1
            settle(slot.ticket, .flash, isGood: false)
            believeFlush()
        case .checkpointFlush:
            checkpoint.flushesInFlight -= 1
            settle(slot.ticket, pool.devices[owner].role, isGood: false)
            fence("lane \(index.rawValue): a flush before a checkpoint is not answered")
            believeFlush()
        }
    }

    private func expireRead(_ request: Int, _ slot: OperationSlot) {
        requests[request].overdueCount += 1
        requests[request].operationCount -= 1
        if slot.owner == .request {
            noteBadBlock(request, Int(slot.firstBlock), "no answer")
            return finishReadIfDone(request)
        }
        requests[request].status = .mediaError
        if requests[request].operationCount == 0 { finish(request, .mediaError) }
    }

    private func expireMove(_ move: Int, _ slot: OperationSlot) {
        moves[move].overdueCount += 1
        if slot.owner != .moveRead { return abandonMove(move) }
        moves[move].operationCount -= 1
        moves[move].isAbandoned = true
        if moves[move].operationCount == 0 { abandonMove(move) }
    }

    /// Ends a move whose buffer a device may still use: its sources stay.
    func abandonMove(_ move: Int) {
        let overdueCount = moves[move].overdueCount
        endMove(move, keepsBuffer: true)
        moves[move].phase = .draining
        moves[move].overdueCount = overdueCount
        drainMove(move)
    }

    private func drainMove(_ move: Int) {
        guard moves[move].phase == .draining, moves[move].overdueCount == 0 else { return }
        let record = configuration.hostRecordCount + move
        if records[record].state != .free { freeRecord(record) }
        moves[move] = MoveSlot()
    }

    private func expireScan(isFlash: Bool) {
        if isFlash { giveUpScan(&flashReclaim) } else { giveUpScan(&diskReclaim) }
    }

    /// A device has answered what nobody waits for any more.
    func endOverdue(_ slot: OperationSlot, _ result: OperationResult) {
        if result == .done, pool.noteAnswered(slot.location.device) {
            note("device_answers", "device \(slot.location.device.rawValue) answers again")
        }
        if slot.segment >= 0 { endReading(Int(slot.segment)) }
        let owner = Int(slot.ownerIndex)
        switch slot.owner {
        case .request, .merge:
            requests[owner].overdueCount -= 1
            if requests[owner].phase == .draining && requests[owner].overdueCount == 0 {
                giveBackMemory(of: owner)
            }
        case .moveRead, .moveWrite, .moveVerify:
            moves[owner].overdueCount -= 1
            drainMove(owner)
        case .scan:
            if owner == 0 { flashReclaim.isReading = false } else { diskReclaim.isReading = false }
        case .free, .discard, .record, .flush, .checkpointFlush: break
        }
    }

    /// Where to read a block with data: on flash, unless that does not answer and the disk has it
    /// as well.
    @inline(__always)
    func place(of state: BlockState) -> Location {
        guard state.flash.isPlace else { return state.disk }
        return state.disk.isPlace && pool.isSilent(state.flash.device) ? state.disk : state.flash
    }
}
