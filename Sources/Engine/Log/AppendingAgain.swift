internal import Format
internal import IO
internal import Units

// What a lane does with a host record that its device refused twice.
//
//      segment A   | 4 | 5 | 6 x |  7  | 8 open        6 was refused, 7 has landed behind it
//      segment B   | H | 6 | 7 | 8                     all that is not acknowledged, once more
//
// 1. Nothing more is submitted, until what is in flight has ended: its buffers may then change.
// 2. Segment A is sealed.  Segment B is opened, and its header says that the log goes on there
//    with record 6: replay takes nothing from 6 on out of A, be it torn or whole.
// 3. Records 6, 7 and the open one get places in B, in the order, and with the numbers and the
//    sequence numbers, that they had; the map is changed where it pointed to their places in A.
//
// Nothing from 6 on was acknowledged, as that goes in log order, and no flush and no checkpoint
// covers it: a crash at any moment finds a prefix of the log, in A or in B.  Hosts wait a little
// longer.  Only when one segment after the other fails, or none is left but those of reclaim, does
// the lane give up: without them it could never again make room, not even after a restart.  Where
// some may still come free, as a checkpoint is under way or there are other lanes, it waits for
// them for a while.

/// The state of the host log beside its stream.
struct LogState {
    /// A record was refused: none is submitted until it was appended again.
    var isHeld = false
    /// Segments tried in turn for the oldest record.
    var attemptCount = 0
    /// Until then it waits for segments.
    var waitsUntil: Instant?
    /// No segment took a record: the lane has given up.
    var isAbandoned = false
}

extension Lane {
    /// The lane has given up, as no segment took a record.
    package var hasAbandonedLog: Bool { log.isAbandoned }

    /// Segments that are tried for a record before the lane gives up.
    private static var appendAttemptMax: Int { 16 }
    /// Nanoseconds that it waits for segments.
    private static var segmentPatience: UInt64 { 10_000_000_000 }

    /// Appends the queued host records, of which the first was refused, in another segment.
    func appendAgain() {
        if Mutant.failedRecordAcknowledged.isOn, let record = hostQueue.first {
            log.isHeld = false
            records[record].state = .landed
            return
        }
        // Others may have taken the operations of those that ended.
        guard hostRecordsWriting == 0, operations.freeCount > hostQueue.count else { return }
        if isCheckpointWaitingForLog && !Mutant.checkpointOverRefused.isOn {
            cancelCheckpoint()
        }
        let areFree = areSegmentsFree
        if !areFree && waitsForSegments() { return }
        guard log.attemptCount < Lane.appendAttemptMax else { return abandonLog() }
        guard let first = hostQueue.first else { return }
        pool.noteWriteRefused(records[first].device)
        guard openSegment(of: &host, leaving: reclaimReserve) else {
            // Another lane may have taken it since.
            if areFree && waitsForSegments() { return }
            return abandonLog()
        }
        log.attemptCount += 1
        log.waitsUntil = nil
        note("record_refused", "\(place(of: first)): appended again elsewhere")
        host.nextNumber = records[first].number
        host.previous = lastSegment(before: first)
        if !Mutant.chainGoesOnFromRefused.isOn {
            host.previousChecksum = records[first].previousChecksum
        }
        for record in hostQueue {
            if Mutant.landedRecordsStay.isOn && records[record].state == .landed { continue }
            guard appendAgain(record) else { return abandonLog() }
        }
        log.isHeld = false
    }

    /// The segment of the record before one that was written: none that was opened for it counts.
    private func lastSegment(before record: Int) -> SegmentLink? {
        guard records[record].opensSegment else {
            let slot = Int(records[record].segment)
            return SegmentLink(
                address: pool.address(of: slot),
                sequence: pool.segments[slot].sequence
            )
        }
        do throws(FormatError) {
            return try SegmentHeader(decoding: recordBuffer(record).block(0).bytes).previous
        } catch {
            // Damaged in memory; the abandoned one is as good but where recovery left one out.
            return host.previous
        }
    }

    /// Whether segments may come free while the log is held: of a checkpoint that has drained
    /// before, or of other lanes.  A checkpoint of a read-only lane frees nothing.
    private var mayFindSegments: Bool {
        !isReadOnly && (checkpoint.phase != .idle || pool.laneCount > 1)
    }

    /// Whether segments for all that is queued are free, as far as this lane sees.
    private var areSegmentsFree: Bool {
        var (needed, room) = (0, 0)
        for record in hostQueue {
            let blockCount = Int(records[record].dataCount) + RecordHeader.overheadBlockCount
            if room < blockCount {
                needed += 1
                room = pool.segmentBlockCountMin(.flash) - 1
            }
            room -= blockCount
        }
        return pool.freeSegmentCount(.flash) - reclaimReserve >= needed
    }

    /// Whether segments are to be waited for; not for ever.
    private func waitsForSegments() -> Bool {
        let end = log.waitsUntil ?? now.advanced(byNanoseconds: Lane.segmentPatience)
        let waits = mayFindSegments && now < end
        log.waitsUntil = waits ? end : nil
        if waits { noteNoSegment() }
        return waits
    }

    /// Gives a record a place in the host stream's segment, and writes it there if it was closed;
    /// false when no segment is free.
    private func appendAgain(_ record: Int) -> Bool {
        let old = records[record]
        let needed = Int(old.dataCount) + RecordHeader.overheadBlockCount
        if host.segment < 0 || host.remaining < needed + (host.cursor == 0 ? 1 : 0) {
            guard openSegment(of: &host, leaving: reclaimReserve) else { return false }
        }
        relocate(record)
        pool.segments[Int(old.segment)].recordsInFlight -= 1
        pool.segments[host.segment].recordsInFlight += 1
        if !Mutant.recordMovedWithoutMap.isOn { pointMap(to: record, from: old) }
        noteIfEmptied(Int(old.segment))
        guard record != openHostRecord else { return true }
        hostRecordsWriting += 1
        statistics.recordsAppendedAgain += 1
        submitRecord(
            record,
            in: &host,
            as: OperationSlot(owner: .record, ownerIndex: Int32(record))
        )
        return true
    }

    /// Places a record, whose entries stay, at the stream's end.
    private func relocate(_ record: Int) {
        records[record].state = .open
        records[record].opensSegment = host.cursor == 0
        if host.cursor == 0 { host.cursor = 1 }
        records[record].segment = Int32(host.segment)
        records[record].device = host.device
        records[record].headerOffset = UInt32(host.cursor)
        records[record].firstDataBlock = host.firstBlock + UInt64(host.cursor) + 1
        records[record].dataMax = Int32(
            min(
                host.remaining - RecordHeader.overheadBlockCount,
                configuration.recordDataBlockMax
            )
        )
    }

    /// Changes the map where it says that a block lies where the record was first.
    private func pointMap(to record: Int, from old: RecordSlot) {
        let table = recordHeaderBlock(record)
        let end = RecordHeader.tableOffset + Int(old.tableByteCount)
        var place = RecordHeader.tableOffset
        var index: UInt64 = 0
        for _ in 0..<old.entryCount {
            let entry: RecordEntry
            do throws(FormatError) {
                entry = try RecordEntry(decoding: table.bytes, at: place, end: end)
            } catch {
                invariantFailed("a record's table is as it was made", file: #fileID, line: #line)
            }
            place += entry.byteCount
            guard entry.kind == .data else { continue }
            if let volume = volumeSlots[entry.volume] {
                for block in 0..<UInt64(entry.blockCount) {
                    point(
                        UInt32(volume),
                        entry.address + block,
                        from: Location(
                            device: old.device,
                            block: old.firstDataBlock + index + block
                        ),
                        to: Location(
                            device: records[record].device,
                            block: records[record].firstDataBlock + index + block
                        )
                    )
                }
            }
            index += UInt64(entry.blockCount)
        }
    }

    private func point(_ volume: UInt32, _ address: UInt64, from old: Location, to new: Location) {
        let leaf = address / UInt64(Geometry.blocksPerLeaf)
        // A leaf whose last change is not in the log stays in memory.
        guard let slot = leaves.find(volume: volume, index: leaf) else { return }
        let block = Int(address % UInt64(Geometry.blocksPerLeaf))
        var state = leaves.state(slot, block)
        guard state.isStored, state.flash == old else { return }
        state.flash = new
        willChange(slot)
        replace(slot, block, with: state)
    }

    private func place(of record: Int) -> String {
        let address = pool.address(of: Int(records[record].segment))
        return "record \(records[record].number.rawValue) of lane \(index.rawValue) in segment "
            + "\(address.index.rawValue) of device \(address.device.rawValue)"
    }

    /// No segment takes the record: nothing behind it may be acknowledged, and the blocks it holds
    /// are served from its buffer as long as the lane lives.
    private func abandonLog() {
        log.isAbandoned = true
        fence(
            "lane \(index.rawValue): no flash segment takes a record; restart to recover what was "
                + "flushed"
        )
        for record in hostQueue {
            var waiting = records[record].requests
            records[record].requests = RequestList()
            while let request = popFirst(of: &waiting) { finish(request, .mediaError) }
        }
        hostQueue.removeAll(keepingCapacity: true)
        openHostRecord = -1
        failFlushWaiters()
        while let request = popFirst(of: &stalledWrites) { finish(request, .readOnly) }
    }
}
