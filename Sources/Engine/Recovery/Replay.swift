internal import Catalogue
internal import Format
internal import IO
internal import Units

// Replay of one lane's log from the last checkpoint on.
//
// The log's records are numbered without gaps.  They lie in the segment that was open at the
// checkpoint, and then in segments that were opened later, in the order of their sequence numbers.
// The log ends at the first record that is not whole.  Whether that is its end or damage is told by
// the records themselves: each says up to where the log was durable when it was written.  At or
// below the highest such claim every record must be there, in its header or in its tail; above it a
// record counts only if every block of it has its checksum, so that a request is whole or absent.
//
// A pool that was opened again goes on in a new segment, whose header says with which number; and
// before that the catalogue was told where the log ended.  What an earlier incarnation wrote at or
// behind that number had been left out then, and stays out, whatever a device shows of it later: a
// write to the same place that is cut short may bring just the parts that a torn record lacked.  So
// does a segment that did not count then: the records that it has a second copy of, as a device had
// refused the first, were found elsewhere, and its blocks have been given out since.
struct Replay {
    private let lane: Lane
    private let position: LanePosition?
    private var parts: [Part] = []
    private var expected: RecordNumber
    /// The log was durable up to here, by what the catalogue or a record says.
    private var durable: RecordNumber
    /// The segment of the record that says so; nil when it is the catalogue.
    private var durableBy: SegmentAddress?
    private var previousChecksum: UInt32
    /// Records from here on were durable, as others claim, and an earlier opening has left them
    /// out.
    private var givenUpFrom: RecordNumber?
    private let arena: Arena
    /// The segment in the arena.
    private var readSegment: SegmentAddress?
    /// Its blocks that the device does not give.
    private var refused: Set<Int> = []

    /// A segment, or the rest of one, in which the log goes on.
    private struct Part {
        var address: SegmentAddress
        var sequence: UInt64
        var nonce: UInt64
        var firstBlock: Int
        var firstRecord: RecordNumber
        /// Sequence number of the log's segment before this one; zero when there is none.
        var previousSequence: UInt64
        /// Records from here on were left out when a later incarnation was opened.
        var limit = RecordNumber(.max)
        /// All of it was.
        var isLeftOut = false
        /// The segment's header, if only its first record tells it.
        var missingHeader: SegmentHeader?
    }

    /// - Parameters:
    ///   - logEnd: where the log ended when the pool was opened last.
    ///   - segments: in which the log may have gone on, of all lanes.
    ///   - fromRecord: those of them whose header is not there.
    ///   - claims: what lies in segments of which nobody can tell more.
    init(
        lane: Lane,
        position: LanePosition?,
        logEnd: LogEnd?,
        segments: [SegmentHeader],
        fromRecord: [SegmentAddress],
        claims: [DurabilityClaim]
    ) {
        self.lane = lane
        self.position = position
        expected = position?.nextRecord ?? RecordNumber(1)
        let before = max(expected, logEnd?.nextRecord ?? expected)
        durable = RecordNumber(before.rawValue - 1)
        previousChecksum = position?.previousChecksum ?? 0
        let blocks = lane.pool.devices.filter { $0.role == .flash }.map(\.segmentBlockCount).max()
        arena = Arena(byteCount: (blocks ?? 1) * Geometry.blockByteCount, isPopulated: false)
        for claim in claims where claim.lane == lane.index {
            let isEarlier = claim.segmentSequence >> 32 < UInt64(logEnd?.incarnation ?? 0)
            let limit = isEarlier ? logEnd?.nextRecord : nil
            noteDurable(through: claim.through, by: claim.segment, limit: limit)
        }
        if let position, let segment = position.segment {
            let state = lane.pool.segments[lane.pool.slot(of: segment)]
            parts.append(
                Part(
                    address: segment,
                    sequence: position.segmentSequence,
                    nonce: state.nonce,
                    firstBlock: Int(position.blockOffset),
                    firstRecord: position.nextRecord,
                    previousSequence: 0
                )
            )
            lane.host.previous = SegmentLink(address: segment, sequence: position.segmentSequence)
        }
        let after = position?.segmentSequence ?? 0
        let later = segments.filter { $0.lane == lane.index && $0.segmentSequence > after }
        for header in later.sorted(by: { $0.segmentSequence < $1.segmentSequence }) {
            let isFromRecord = fromRecord.contains(header.address)
            parts.append(
                Part(
                    address: header.address,
                    sequence: header.segmentSequence,
                    nonce: header.nonce,
                    firstBlock: 1,
                    firstRecord: header.firstRecord,
                    // Its first record does not tell: the one before it, then.
                    previousSequence: isFromRecord
                        ? header.segmentSequence - 1 : header.previous?.sequence ?? 0,
                    missingHeader: isFromRecord ? header : nil
                )
            )
        }
        if let logEnd, !Mutant.leftOutReplayed.isOn { leaveOut(behind: logEnd) }
        // What an earlier use of the log wrote at or behind the first record of a later segment was
        // left out when that segment was opened; within one incarnation there is nothing there.
        for index in parts.indices {
            for later in parts[(index + 1)...]
            where !later.isLeftOut && !Mutant.replayIgnoresLimit.isOn {
                parts[index].limit = min(parts[index].limit, later.firstRecord)
            }
        }
    }

    /// Leaves out what the last opening of the pool left out: segments that are not among those
    /// which led to the log's end, and records from that on.  The catalogue knows of the first.
    private mutating func leaveOut(behind logEnd: LogEnd) {
        var sequence = logEnd.segmentSequence
        for index in parts.indices.reversed()
        where parts[index].sequence >> 32 < UInt64(logEnd.incarnation) {
            parts[index].limit = logEnd.nextRecord
            if parts[index].sequence <= sequence {
                sequence = parts[index].previousSequence
            } else if index > 0 || position?.segment == nil {
                parts[index].isLeftOut = true
            }
        }
    }

    mutating func run(
        from source: some RecoverySource,
        _ report: inout RecoveryReport
    ) throws(RecoveryError) {
        // From the last to the first, which then is in the arena for what follows.
        for part in parts.reversed() {
            read(part, from: source)
            noteClaims(of: part)
        }
        for part in parts {
            if Mutant.replayStopsAtSegmentEnd.isOn && report.recordsReplayed > 0 { break }
            guard !part.isLeftOut, expected < part.limit, part.firstRecord <= expected else {
                continue
            }
            read(part, from: source)
            try replay(part, from: source, &report)
        }
        if let first = givenUpFrom {
            lane.note(
                "flushed_left_out",
                "lane \(lane.index.rawValue): records from \(first.rawValue) on were flushed, and "
                    + "could not be read when the pool was opened before"
            )
        }
        guard expected > durable else {
            throw .recordLost(lane: lane.index, number: expected, toldBy: durableBy)
        }
        lane.host.nextNumber = expected
        lane.host.previousChecksum = previousChecksum
        // What earlier incarnations opened has been replayed, or stays out.
        lane.host.newestSequence = lane.pool.newestSequenceBefore
    }

    /// Reads a part's segment from its first record on, unless it was the last one that was read.
    private mutating func read(_ part: Part, from source: some RecoverySource) {
        guard readSegment != part.address else { return }
        readSegment = part.address
        refused.removeAll()
        let device = lane.pool.devices[Int(part.address.device.rawValue)]
        let blocks = min(part.firstBlock, device.segmentBlockCount)..<device.segmentBlockCount
        let segment = device.firstBlock(of: part.address.index)
        let size = Geometry.blockByteCount
        let region = arena.region[(blocks.lowerBound * size)..<(blocks.upperBound * size)]
        let first = segment + UInt64(blocks.lowerBound)
        if blocks.isEmpty || source.read(device.index, block: first, into: region) { return }
        // One bad sector refuses the whole: block by block, and what cannot be read is zeros.
        for index in blocks {
            let block = arena.region.block(index)
            if isRead(device.index, segment + UInt64(index), block, from: source) { continue }
            block.zero()
            refused.insert(index)
        }
    }

    /// Reads one block, a second time if it is refused once.
    private func isRead(
        _ device: DeviceIndex,
        _ block: UInt64,
        _ region: BufferRegion,
        from source: some RecoverySource
    ) -> Bool {
        source.read(device, block: block, into: region)
            || !Mutant.recoveryReadNotRepeated.isOn
                && source.read(device, block: block, into: region)
    }

    private func blockCount(of part: Part) -> Int {
        lane.pool.devices[Int(part.address.device.rawValue)].segmentBlockCount
    }

    /// The header, or tail, of this part's segment at a block of it; nil when there is none.
    private func header(at index: Int, of part: Part) -> RecordHeader? {
        let block = arena.region.block(index)
        guard block.bytes.word64(at: 0) == RecordHeader.magic else { return nil }
        do throws(FormatError) {
            let header = try RecordHeader(decoding: block.bytes, nonce: part.nonce)
            let place = header.isTail ? index - Int(header.dataBlockCount) - 1 : index
            guard header.segmentSequence == part.sequence,
                header.segmentIndex == part.address.index,
                header.device == part.address.device, header.lane == lane.index,
                header.stream == .host, Int(header.blockOffset) == place
            else { return nil }
            return header
        } catch {
            return nil
        }
    }

    /// Takes in how far the records of a part claim that the log was durable.
    private mutating func noteClaims(of part: Part) {
        for index in part.firstBlock..<max(part.firstBlock, blockCount(of: part)) {
            if let header = header(at: index, of: part) {
                noteDurable(
                    through: header.durableThrough,
                    by: part.address,
                    limit: part.limit
                )
            }
        }
    }

    /// Takes in a claim, as far as the log was not given up before it: an earlier opening that
    /// could not read what it tells of has gone on without.
    private mutating func noteDurable(
        through claimed: RecordNumber,
        by segment: SegmentAddress,
        limit: RecordNumber?
    ) {
        var number = claimed
        if let limit, limit <= claimed {
            number = RecordNumber(max(1, limit.rawValue) - 1)
            givenUpFrom = max(limit, givenUpFrom ?? limit)
        }
        guard number > durable else { return }
        durable = number
        durableBy = segment
    }

    /// Replays the records of one part, up to the first that is not there or not whole.
    private mutating func replay(
        _ part: Part,
        from source: some RecoverySource,
        _ report: inout RecoveryReport
    ) throws(RecoveryError) {
        var offset = part.firstBlock
        let end = blockCount(of: part)
        while offset + RecordHeader.overheadBlockCount <= end, expected < part.limit {
            guard let (header, table) = record(at: offset, of: part, &report) else { return }
            guard header.previousChecksum == previousChecksum,
                isWhole(header, table, offset, end, part)
            else {
                report.recordsDropped += 1
                return
            }
            adopt(part)
            noteMissing(header, table, at: offset, part)
            try apply(header, table, at: offset, part, from: source, &report)
            previousChecksum = checksum(of: header, table, part)
            expected = expected.next
            offset += Int(header.dataBlockCount) + RecordHeader.overheadBlockCount
            report.recordsReplayed += 1
        }
    }

    /// The expected record, from its header or, where that is damaged, from its tail; and the block
    /// that holds its table.
    private func record(
        at offset: Int,
        of part: Part,
        _ report: inout RecoveryReport
    ) -> (RecordHeader, Int)? {
        if let header = header(at: offset, of: part), !header.isTail, header.number == expected {
            return (header, offset)
        }
        for index in (offset + 1)..<blockCount(of: part) {
            if let tail = header(at: index, of: part), tail.isTail, tail.number == expected,
                Int(tail.blockOffset) == offset
            {
                report.recordsFromTail += 1
                return (tail, index)
            }
        }
        return nil
    }

    /// Whether a record can be believed: what was durable is, damage to its blocks is found when
    /// they are read; what may be torn must have every block of data.  Header and tail say the
    /// same, and one is enough: a cut that damages the block beside what was being written may have
    /// taken the other of a record that had been flushed.  It is written again (`noteMissing`).
    private func isWhole(
        _ header: RecordHeader,
        _ table: Int,
        _ offset: Int,
        _ end: Int,
        _ part: Part
    ) -> Bool {
        let data = Int(header.dataBlockCount)
        guard offset + data + RecordHeader.overheadBlockCount <= end else { return false }
        let isDurable = expected <= durable
        if !isDurable && Mutant.replayAsksForTail.isOn {
            guard let tail = self.header(at: offset + 1 + data, of: part), tail.isTail,
                tail.number == header.number
            else { return false }
        }
        return hasSoundEntries(
            header,
            table,
            firstData: offset + 1,
            checksData: !isDurable && !Mutant.replayWithoutChecksums.isOn
        )
    }

    /// Notes a header or a tail that is not there, so that it is written again: one bad sector more
    /// must not take away which blocks the record changed.
    private func noteMissing(_ header: RecordHeader, _ table: Int, at offset: Int, _ part: Part) {
        let tail = offset + 1 + Int(header.dataBlockCount)
        guard header.isTail || self.header(at: tail, of: part)?.isTail != true else { return }
        let restored = Arena(byteCount: Geometry.blockByteCount, isPopulated: false)
        restored.region.copy(from: arena.region.block(table))
        var missing = header
        if !Mutant.missingHalfAsOther.isOn { missing.isTail = !header.isTail }
        var bytes = restored.region.mutableBytes
        missing.seal(into: &bytes, nonce: part.nonce)
        let device = lane.pool.devices[Int(part.address.device.rawValue)]
        let place =
            device.firstBlock(of: part.address.index)
            + UInt64(header.isTail ? offset : tail)
        lane.missingBlocks.append((Location(device: device.index, block: place), restored))
    }

    /// Notes the header of a segment that its first record stood in for.
    private func noteMissing(_ header: SegmentHeader) {
        let restored = Arena(byteCount: Geometry.blockByteCount, isPopulated: false)
        var bytes = restored.region.mutableBytes
        header.encode(into: &bytes)
        let device = lane.pool.devices[Int(header.deviceIndex.rawValue)]
        let place = device.firstBlock(of: header.segmentIndex)
        lane.missingBlocks.append((Location(device: device.index, block: place), restored))
    }

    /// Whether the entries are such as a lane appends: they fill the table and own the record's
    /// data between them, each touches no more than two leaves, and none has a number that no
    /// later one could follow.  What is applied can then reach no block beyond the record.
    private func hasSoundEntries(
        _ header: RecordHeader,
        _ table: Int,
        firstData: Int,
        checksData: Bool
    ) -> Bool {
        let bytes = arena.region.block(table)
        var place = RecordHeader.tableOffset
        let tableEnd = place + Int(header.tableByteCount)
        var block = firstData
        let dataEnd = firstData + Int(header.dataBlockCount)
        var sequence = header.firstSequence.rawValue
        guard UInt64(header.entryCount) < .max - sequence else { return false }
        for _ in 0..<header.entryCount {
            do throws(FormatError) {
                let entry = try RecordEntry(decoding: bytes.bytes, at: place, end: tableEnd)
                guard entry.kind != .copy, isInTwoLeaves(entry),
                    block + Int(entry.dataBlockCount) <= dataEnd,
                    !checksData
                        || hasData(entry, bytes, place, block, SequenceNumber(sequence))
                else { return false }
                block += Int(entry.dataBlockCount)
                place += entry.byteCount
                sequence += 1
            } catch {
                return false
            }
        }
        return place == tableEnd && block == dataEnd
    }

    private func isInTwoLeaves(_ entry: RecordEntry) -> Bool {
        guard entry.kind != .control, entry.blockCount > 0 else { return entry.kind == .control }
        let first = entry.address / UInt64(Geometry.blocksPerLeaf)
        let last = (entry.address + UInt64(entry.blockCount) - 1) / UInt64(Geometry.blocksPerLeaf)
        return last - first <= 1
    }

    /// Whether the data of an entry are all there.
    private func hasData(
        _ entry: RecordEntry,
        _ bytes: BufferRegion,
        _ place: Int,
        _ block: Int,
        _ sequence: SequenceNumber
    ) -> Bool {
        guard entry.kind == .data else { return true }
        return entry.hasData(bytes.bytes, at: place, sequence) { index in
            let isGiven = !refused.contains(block + index) || Mutant.refusedBlockIsZero.isOn
            return isGiven ? arena.region.block(block + index) : nil
        }
    }

    /// The checksum field that the record's header had, also when only its tail is left.
    private func checksum(of header: RecordHeader, _ table: Int, _ part: Part) -> UInt32 {
        let block = arena.region.block(table)
        guard header.isTail else { return block.bytes.word32(at: 12) }
        var original = header
        original.isTail = false
        var bytes = block.mutableBytes
        return original.seal(into: &bytes, nonce: part.nonce)
    }

    /// Takes a segment that the catalogue does not know into the lane.
    private mutating func adopt(_ part: Part) {
        let slot = lane.pool.slot(of: part.address)
        let previous = lane.host.previous
        lane.host.previous = SegmentLink(address: part.address, sequence: part.sequence)
        guard lane.pool.segments[slot].use == .free else { return }
        if var header = part.missingHeader {
            header.previous = previous
            noteMissing(header)
        }
        var state = SegmentState()
        state.use = .sealed
        state.stream = .host
        state.lane = lane.index
        state.sequence = part.sequence
        state.nonce = part.nonce
        lane.pool.segments[slot] = state
        lane.noteChanged(slot)
    }

    private func apply(
        _ header: RecordHeader,
        _ table: Int,
        at offset: Int,
        _ part: Part,
        from source: some RecoverySource,
        _ report: inout RecoveryReport
    ) throws(RecoveryError) {
        let device = lane.pool.devices[Int(part.address.device.rawValue)]
        let bytes = arena.region.block(table)
        var place = RecordHeader.tableOffset
        let end = place + Int(header.tableByteCount)
        var block = device.firstBlock(of: part.address.index) + UInt64(offset) + 1
        var sequence = header.firstSequence.rawValue
        for _ in 0..<header.entryCount {
            let entry: RecordEntry
            do throws(FormatError) {
                entry = try RecordEntry(decoding: bytes.bytes, at: place, end: end)
            } catch {
                throw .recordLost(lane: lane.index, number: header.number, toldBy: part.address)
            }
            try lane.replay(
                entry,
                bytes,
                at: place,
                sequence: SequenceNumber(sequence),
                first: Location(device: device.index, block: block),
                from: source
            )
            block += UInt64(entry.dataBlockCount)
            place += entry.byteCount
            sequence += 1
            report.entriesReplayed += 1
        }
    }
}
