internal import Format
internal import IO
internal import Units

// How a record of the host stream ends.  Crash order, each step only after the one before it:
//
// 1. The record is written.  Several may be on their way; they land in any order.
// 2. It has landed and so has every earlier one: its requests are acknowledged, in log order.
// 3. A flush submitted after 2 has succeeded: those who waited for durability are answered.
extension Lane {
    /// Makes the open host record have room; opens another if it has not.
    ///
    /// - Returns: false when no buffer, no segment or no operation is free.
    func makeRoom(dataCount: Int, tableByteCount: Int) -> Bool {
        if openHostRecord >= 0 {
            let slot = records[openHostRecord]
            if Int(slot.dataCount) + dataCount <= Int(slot.dataMax)
                && Int(slot.tableByteCount) + tableByteCount <= RecordHeader.tableByteCountMax
            {
                return true
            }
            closeHostRecord()
        }
        guard !log.isHeld else { return false }
        guard operations.freeCount > hostRecordsWriting else { return false }
        for record in 0..<configuration.hostRecordCount where records[record].state == .free {
            let isOpen = openRecord(
                record,
                in: &host,
                dataCount: dataCount,
                leaving: usesReserve ? reclaimReserve : hostReserve
            )
            guard isOpen else {
                if usesReserve { stepLacksSegment = true } else { hostLacksSegment = true }
                return false
            }
            openHostRecord = record
            hostQueue.append(record)
            return true
        }
        return false
    }

    /// Free flash segments that hosts leave to the lanes: to reclaim, to administrators, and to
    /// records that another segment refused.
    var hostReserve: Int { 3 * pool.laneCount }

    /// Free flash segments that administrators and refused records leave to reclaim, which makes
    /// room for all: else each of their entries could take one that hosts fill then, until it has
    /// none.
    var reclaimReserve: Int { Mutant.reclaimReserveTaken.isOn ? 0 : pool.laneCount }

    func closeHostRecord() {
        let record = openHostRecord
        guard record >= 0, !log.isHeld else { return }
        openHostRecord = -1
        hostRecordsWriting += 1
        claimedThrough = durableThrough
        submitRecord(
            record,
            in: &host,
            as: OperationSlot(owner: .record, ownerIndex: Int32(record))
        )
        loggedBlockCount += RecordHeader.overheadBlockCount
    }

    /// Closes the open record when the device has nothing better to do, or when somebody waits.
    func closeHostRecordIfDue() {
        guard openHostRecord >= 0, records[openHostRecord].entryCount > 0 else { return }
        if hostRecordsWriting < configuration.hostRecordsInFlightMax || shutdown.isBegun
            || isCheckpointWaitingForLog
        {
            closeHostRecord()
        }
    }

    func completeHostRecord(_ record: Int, isGood: Bool) {
        hostRecordsWriting -= 1
        // A flush that was submitted meanwhile does not cover it.
        if !Mutant.flushInFlightCoversAll.isOn { flashIsUnflushed = true }
        records[record].state = isGood ? .landed : .failed
        if !isGood { log.isHeld = true }
    }

    /// Acknowledges what has landed, in log order.
    func landRecords() {
        while let record = hostQueue.first {
            switch records[record].state {
            case .writing where Mutant.acknowledgeBeforeLanding.isOn:
                landedThrough = records[record].number
                var waiting = records[record].requests
                records[record].requests = RequestList()
                while let request = popFirst(of: &waiting) { acknowledge(request) }
                return
            case .open, .writing, .free:
                if Mutant.acknowledgeOutOfOrder.isOn { acknowledgeAnyLanded() }
                return
            case .failed:
                return appendAgain()
            case .landed:
                log.attemptCount = 0
                hostQueue.removeFirst()
                landedThrough = records[record].number
                var waiting = records[record].requests
                while let request = popFirst(of: &waiting) { acknowledge(request) }
                freeRecord(record)
            }
        }
    }

    private func acknowledgeAnyLanded() {
        for record in hostQueue where records[record].state == .landed {
            var waiting = records[record].requests
            records[record].requests = RequestList()
            while let request = popFirst(of: &waiting) { acknowledge(request) }
        }
    }

    private func acknowledge(_ request: Int) {
        if Mutant.durableWriteIsOrdinary.isOn { return finish(request, .done) }
        if requests[request].isDurable {
            waitForFlush(request)
        } else {
            finish(request, .done)
        }
    }

    // MARK: Flush

    /// Answers when everything that was acknowledged before is durable.
    package func flush(_ volume: VolumeSlot, context: UInt64) {
        let request = begin(.flush, volume, offset: 0, byteCount: 0, context: context)
        guard isServable(request, changes: false) else { return }
        if isReadOnly { return finish(request, .mediaError) }
        requests[request].record = lastAppendedRecord
        requests[request].phase = .logged
        statistics.flushRequests += 1
        waitForFlush(request)
    }

    /// The newest record that holds an entry; zero before the first.
    var lastAppendedRecord: RecordNumber {
        if openHostRecord >= 0 && records[openHostRecord].entryCount > 0 {
            return records[openHostRecord].number
        }
        let next = openHostRecord >= 0 ? records[openHostRecord].number : host.nextNumber
        return RecordNumber(next.rawValue - 1)
    }

    /// Finishes the request when its record is durable.
    func waitForFlush(_ request: Int) {
        if Mutant.flushAnsweredAtOnce.isOn { return finish(request, .done) }
        if requests[request].record <= durableThrough && !flushFailed {
            return finish(request, .done)
        }
        if flushFailed || isReadOnly { return finish(request, .mediaError) }
        append(request, to: &flushWaiters)
        if openHostRecord >= 0 && requests[request].record == records[openHostRecord].number {
            closeHostRecord()
        }
    }

    /// Submits one flush for all who wait, once every record that they wait for has landed: a flush
    /// covers only writes that had completed, and a hole before a flushed record would cut replay
    /// short.
    func submitFlushIfDue() {
        guard flushWaiters.first >= 0, flushesInFlight == 0, flushBar == nil, !flushFailed else {
            return
        }
        var needed = false
        var at = flushWaiters.first
        while at >= 0 {
            if requests[Int(at)].record <= landedThrough { needed = true }
            if Mutant.flushBeforeEarlierRecords.isOn { needed = true }
            at = requests[Int(at)].next
        }
        guard needed, operations.freeCount > pool.devices.count else { return }
        flushCovers = landedThrough
        if Mutant.flushBeforeEarlierRecords.isOn {
            flushCovers = RecordNumber(host.nextNumber.rawValue - 1)
        }
        statistics.flushes += 1
        for device in pool.devices where device.role == .flash {
            flushesInFlight += 1
            operations.submit(
                .flush,
                at: (device.index, 0),
                blockCount: 0,
                region: .empty,
                for: OperationSlot(owner: .flush, ticket: pool.beginFlush(.flash))
            )
        }
    }

    func completeFlush(_ slot: OperationSlot, isGood: Bool) {
        flushesInFlight -= 1
        settle(slot.ticket, .flash, isGood: isGood)
        if flushesInFlight == 0 { flushBar = pool.flushBar(.flash) }
        believeFlush()
    }

    /// Tells the pool how a flush ended.
    func settle(_ ticket: UInt64, _ domain: FlushDomain, isGood: Bool) {
        let isBelieved = isGood || Mutant.failedFlushBelieved.isOn
        if pool.settleFlush(ticket, domain, isGood: isBelieved) { wakesOthers = true }
    }

    /// Goes on with flushes that ended well, once all that were in flight beside them have: see
    /// Pool/FlushLedger.
    func believeFlush() {
        if pool.hasFlashFlushFailed && !flushFailed {
            fence("lane \(index.rawValue): a flush of flash failed")
            failFlushes()
        }
        guard var bar = flushBar else { return }
        let belief = pool.belief(&bar)
        flushBar = belief == .waiting ? bar : nil
        if belief == .believed { noteDurable(flushCovers) }
    }

    /// Nothing becomes durable any more.
    func failFlushes() {
        flushFailed = true
        failFlushWaiters()
    }

    /// Everything up to this record is on the medium.
    func noteDurable(_ number: RecordNumber) {
        guard number > durableThrough, !flushFailed else { return }
        durableThrough = number
        var waiting = flushWaiters
        flushWaiters = RequestList()
        while let request = popFirst(of: &waiting) {
            if requests[request].record <= durableThrough {
                finish(request, .done)
            } else {
                append(request, to: &flushWaiters)
            }
        }
    }

    func failFlushWaiters() {
        while let request = popFirst(of: &flushWaiters) { finish(request, .mediaError) }
    }

    // MARK: Marks

    /// Notes in an idle log how far it is durable: damage to its last records is then told from a
    /// torn tail.  Nobody waits for it.
    func writeMarkIfDue() {
        guard isMarkDue, now >= lastAppend.advanced(byNanoseconds: configuration.markDelay)
        else { return }
        guard makeRoom(dataCount: 0, tableByteCount: RecordEntry.fixedByteCount) else {
            lastAppend = now
            return
        }
        appendControl(.mark, volume: VolumeIdentifier(high: 0, low: 0), payload: [])
        lastRecordIsMark = true
        closeHostRecord()
    }

    private var isMarkDue: Bool {
        claimedThrough < durableThrough && !lastRecordIsMark && hostQueue.isEmpty && !isReadOnly
    }

    var markDeadline: Instant? {
        isMarkDue ? lastAppend.advanced(byNanoseconds: configuration.markDelay) : nil
    }

    /// Appends a control entry to the open host record, which has room.
    func appendControl(_ kind: ControlKind, volume: VolumeIdentifier, payload: [UInt8]) {
        let record = openHostRecord
        let place = RecordHeader.tableOffset + Int(records[record].tableByteCount)
        var header = recordHeaderBlock(record).mutableBytes
        RecordEntry(
            volume: volume,
            address: 0,
            blockCount: 0,
            kind: .control,
            detail: kind.rawValue,
            payloadByteCount: UInt16(payload.count)
        ).store(into: &header, at: place)
        for (index, byte) in payload.enumerated() {
            header.storeBytes(
                of: byte,
                toByteOffset: place + RecordEntry.fixedByteCount + index,
                as: UInt8.self
            )
        }
        endEntry(
            record,
            RecordEntry.byteCount(.control, blockCount: 0, payload: payload.count)
        )
        lastAppend = now
        lastRecordIsMark = false
    }
}
