internal import Format
internal import IO
internal import Units

/// One of a lane's three append-only streams: the segment it fills, and the chain of its records.
struct LogStream {
    let kind: StreamKind
    /// The open segment; -1 before the first.
    var segment = -1
    /// The first block of it, counted on the device.
    var firstBlock: UInt64 = 0
    var device = DeviceIndex(0)
    /// Blocks of it that are handed out.
    var cursor = 0
    var segmentBlockCount = 0
    var nextNumber = RecordNumber(1)
    var previousChecksum: UInt32 = 0
    /// The segment before, for the chain in the segment headers.
    var previous: SegmentLink?
    /// The highest sequence number of a segment that the stream used: what its log goes on in has a
    /// higher one.
    var newestSequence: UInt64 = 0

    init(kind: StreamKind) { self.kind = kind }

    var role: DeviceRole { kind == .cold ? .disk : .flash }
    var remaining: Int { segment < 0 ? 0 : segmentBlockCount - cursor }
}

/// A record that is being filled, written, or has landed and waits for those before it.
struct RecordSlot: BitwiseCopyable {
    enum State: UInt8, BitwiseCopyable {
        case free, open, writing, landed
        /// The device refused it; its buffer stays, to be written elsewhere.
        case failed
    }
    var state = State.free
    /// The write begins with the header of the segment.
    var opensSegment = false
    var segment: Int32 = -1
    var device = DeviceIndex(0)
    /// Device block of data block zero.
    var firstDataBlock: UInt64 = 0
    /// Block of the segment at which the record's header lies.
    var headerOffset: UInt32 = 0
    var dataCount: Int32 = 0
    /// Blocks of the segment that are left for data.
    var dataMax: Int32 = 0
    var entryCount: UInt32 = 0
    var tableByteCount: Int32 = 0
    var number = RecordNumber(0)
    var firstSequence = SequenceNumber(0)
    /// Checksum of the header before it in the stream; known once it is submitted.
    var previousChecksum: UInt32 = 0
    /// Requests whose last change is here.
    var requests = RequestList()
}

extension Lane {
    // A record's buffer: block 0 for the segment's header where one is due, block 1 the record's
    // header, then data, then the tail.

    func recordBuffer(_ record: Int) -> BufferRegion {
        let count = configuration.recordBlockMax * Geometry.blockByteCount
        return recordArena.region[(record * count)..<((record + 1) * count)]
    }

    func recordHeaderBlock(_ record: Int) -> BufferRegion { recordBuffer(record).block(1) }

    func recordDataBlock(_ record: Int, _ index: Int) -> BufferRegion {
        recordBuffer(record).block(2 + index)
    }

    /// The buffer block that holds a location whose record has not been let go; nil when the device
    /// has it.
    @inline(__always)
    func bufferedBlock(at location: Location) -> BufferRegion? {
        let segment = pool.slot(of: location)
        guard pool.segments[segment].recordsInFlight > 0, !Mutant.inFlightReadFromDevice.isOn else {
            return nil
        }
        for record in 0..<records.count {
            let slot = records[record]
            guard slot.state != .free, slot.segment == Int32(segment) else { continue }
            let place = Int64(location.block) - Int64(slot.firstDataBlock)
            if place >= 0 && place < Int64(slot.dataCount) {
                return recordDataBlock(record, Int(place))
            }
        }
        return nil
    }

    // MARK: Records

    /// Opens a record in the stream's segment, for at least `dataCount` blocks of data.
    ///
    /// - Returns: false when there is no buffer, or no segment and none to be had.
    func openRecord(
        _ record: Int,
        in stream: inout LogStream,
        dataCount: Int,
        leaving reserve: Int
    ) -> Bool {
        let overhead = RecordHeader.overheadBlockCount
        let needed = dataCount + overhead + (stream.cursor == 0 ? 1 : 0)
        if stream.segment < 0 || stream.remaining < needed {
            guard openSegment(of: &stream, leaving: reserve) else { return false }
        }
        var slot = RecordSlot()
        slot.state = .open
        slot.opensSegment = stream.cursor == 0
        if slot.opensSegment { stream.cursor = 1 }
        slot.segment = Int32(stream.segment)
        slot.device = stream.device
        slot.headerOffset = UInt32(stream.cursor)
        slot.firstDataBlock = stream.firstBlock + UInt64(stream.cursor) + 1
        slot.dataMax = Int32(min(stream.remaining - overhead, configuration.recordDataBlockMax))
        slot.number = stream.nextNumber
        slot.firstSequence = nextSequence
        records[record] = slot
        pool.segments[stream.segment].recordsInFlight += 1
        recordHeaderBlock(record).zero()
        return true
    }

    /// Completes a record's header and tail and submits its write.
    func submitRecord(_ record: Int, in stream: inout LogStream, as owner: OperationSlot) {
        let slot = records[record]
        invariant(slot.state == .open, "a record is submitted once")
        let segment = pool.segments[Int(slot.segment)]
        if slot.opensSegment { writeSegmentHeader(record, in: stream) }
        var header = RecordHeader(
            stream: stream.kind,
            segmentSequence: segment.sequence,
            segmentIndex: pool.address(of: Int(slot.segment)).index,
            blockOffset: slot.headerOffset,
            number: slot.number,
            durableThrough: durableThrough,
            firstSequence: slot.firstSequence,
            entryCount: slot.entryCount,
            dataBlockCount: UInt32(slot.dataCount),
            previousChecksum: stream.previousChecksum,
            lane: index,
            device: slot.device,
            tableByteCount: UInt32(slot.tableByteCount),
            incarnation: pool.incarnation,
            poolIdentifier: pool.identifier
        )
        let headerBlock = recordHeaderBlock(record)
        var bytes = headerBlock.mutableBytes
        records[record].previousChecksum = stream.previousChecksum
        stream.previousChecksum = header.seal(into: &bytes, nonce: segment.nonce)
        let tail = recordDataBlock(record, Int(slot.dataCount))
        tail.copy(from: headerBlock)
        header.isTail = true
        var tailBytes = tail.mutableBytes
        header.seal(into: &tailBytes, nonce: segment.nonce)
        records[record].state = .writing
        stream.cursor =
            Int(slot.headerOffset) + Int(slot.dataCount) + RecordHeader.overheadBlockCount
        stream.nextNumber = slot.number.next
        pool.segments[Int(slot.segment)].writtenBlockCount = UInt32(stream.cursor)
        // How far hosts have written, the log itself tells.
        if stream.kind != .host { noteChanged(Int(slot.segment)) }
        submitRecordWrite(record, for: owner)
    }

    /// Ends the write of a record, or does it once more where it was refused.  The same bytes at
    /// the same place harm nothing, and where a device takes them at the second time no segment is
    /// given up.
    func completeRecordWrite(_ slot: OperationSlot, _ result: OperationResult) {
        let isMove = slot.owner == .moveWrite
        let owner = Int(slot.ownerIndex)
        let isGood = result == .done
        if !isGood, result != .deviceLost, !slot.isRepeated, isMove || !log.isHeld {
            var again = slot
            again.isRepeated = true
            let record = isMove ? configuration.hostRecordCount + owner : owner
            return submitRecordWrite(record, for: again)
        }
        if isGood && slot.isRepeated { statistics.writesHealed += 1 }
        if isMove {
            completeMoveWrite(owner, isGood: isGood)
        } else {
            completeHostRecord(owner, isGood: isGood)
        }
    }

    private func submitRecordWrite(_ record: Int, for owner: OperationSlot) {
        let slot = records[record]
        let lead = slot.opensSegment ? 1 : 0
        let first = 1 - lead
        let total = Int(slot.dataCount) + RecordHeader.overheadBlockCount + lead
        let region = recordBuffer(record)[
            (first * Geometry.blockByteCount)..<((first + total) * Geometry.blockByteCount)
        ]
        if pool.devices[Int(slot.device.rawValue)].role == .flash {
            statistics.flashBlocksWritten += UInt64(total)
            flashIsUnflushed = true
        } else {
            statistics.diskBlocksWritten += UInt64(total)
        }
        operations.submit(
            .write,
            at: (slot.device, slot.firstDataBlock - 1 - UInt64(lead)),
            blockCount: total,
            region: region,
            for: owner
        )
    }

    private func writeSegmentHeader(_ record: Int, in stream: LogStream) {
        let slot = records[record]
        let address = pool.address(of: Int(slot.segment))
        let segment = pool.segments[Int(slot.segment)]
        let header = SegmentHeader(
            poolIdentifier: pool.identifier,
            deviceIdentifier: pool.deviceIdentifiers[Int(address.device.rawValue)],
            deviceIndex: address.device,
            segmentIndex: address.index,
            segmentSequence: segment.sequence,
            lane: index,
            stream: stream.kind,
            incarnation: pool.incarnation,
            firstRecord: slot.number,
            nonce: segment.nonce,
            previous: stream.previous,
            openedSeconds: wallSeconds
        )
        var bytes = recordBuffer(record).block(0).mutableBytes
        header.encode(into: &bytes)
    }

    /// Lets go of a record's buffer: reads find its blocks on the device from now on.
    func freeRecord(_ record: Int) {
        let segment = Int(records[record].segment)
        invariant(pool.segments[segment].recordsInFlight > 0, "a record is let go once")
        pool.segments[segment].recordsInFlight -= 1
        records[record].state = .free
        noteIfEmptied(segment)
    }
}
