internal import Format
internal import IO
internal import Units

// Whose a segment is, by its own first blocks.
//
// A segment's header is one block, and nothing else holds the nonce from which the checksums of its
// record headers start.  But the checksum of a record header also tells where it started: if header
// and tail of the segment's first record, which lie where only a lane writes, imply the same nonce,
// the record says what the segment's header said.  So one bad sector hides no segment.  Recovery
// writes the header again, so that another one does not either.
//
//     header        first record     then the segment
//     is whole      -                is what its header says
//     is old        is newer         is what its first record says: the device has lost a write
//     is not        is whole         is what its first record says
//     is not        is not           was never used, or its first write was torn
//     is refused    is not           holds nothing durable, if no later record in it says more
//
// A record is whole in its header and its tail, or in one of them and all its data.

/// What the first blocks of a segment say.
enum SegmentFinding {
    case segment(SegmentHeader)
    /// It was never used, its first write was torn, or what used it was not this pool.
    case nothing
    /// The device does not give its header.
    ///
    /// - Parameter claims: how far logs were durable by what later records of it say.
    case refused(claims: [DurabilityClaim])
}

/// How far a lane's log was durable when somebody wrote so.
struct DurabilityClaim {
    var lane: LaneIndex
    var through: RecordNumber
    /// Where that was written, and in which use of it.
    var segment: SegmentAddress
    var segmentSequence: UInt64
}

/// Reads what segments say of themselves.
struct SegmentSearch {
    let pool: PoolIdentifier
    let devices: [DeviceGeometry]
    let deviceIdentifiers: [DeviceIdentifier]
    /// By lane, the newest segment that its log was known to have: later ones are of interest.
    let newestSequences: [UInt64]
    private let arena = Arena(byteCount: 2 * Geometry.blockByteCount, isPopulated: false)

    init(
        pool: PoolIdentifier,
        devices: [DeviceGeometry],
        deviceIdentifiers: [DeviceIdentifier],
        newestSequences: [UInt64]
    ) {
        self.pool = pool
        self.devices = devices
        self.deviceIdentifiers = deviceIdentifiers
        self.newestSequences = newestSequences
    }

    /// Looks at one segment.
    func find(
        _ address: SegmentAddress,
        from source: some RecoverySource,
        _ report: inout RecoveryReport
    ) -> SegmentFinding {
        report.segmentsScanned += 1
        let block = arena.region.block(0)
        // Mostly both blocks come with one read.
        let first = devices[Int(address.device.rawValue)].firstBlock(of: address.index)
        let areRead = source.read(address.device, block: first, into: arena.region)
        let isRead = areRead || read(0, of: address, source, block)
        let old = isRead ? wholeHeader(in: block, at: address) : nil
        if let old, old.segmentSequence > newestSequences[Int(old.lane.rawValue)] {
            return .segment(old)
        }
        if Mutant.damagedHeaderHidesSegment.isOn { return old.map { .segment($0) } ?? .nothing }
        // Mostly what follows is as old as the header.
        if let old, areRead,
            claim(arena.region.block(1), at: address)?.segmentSequence ?? 0 <= old.segmentSequence
        {
            return .segment(old)
        }
        let isRefused = !isRead || !areRead && !read(1, of: address, source, arena.region.block(1))
        let byRecord = headerByFirstRecord(address, source, isRefused: isRefused && old == nil)
        if let old, byRecord?.segmentSequence ?? 0 <= old.segmentSequence { return .segment(old) }
        guard let header = byRecord else {
            return isRefused ? .refused(claims: claims(address, source)) : .nothing
        }
        if header.segmentSequence > newestSequences[Int(header.lane.rawValue)] {
            report.segmentsFromRecord.append(address)
        }
        return .segment(header)
    }

    /// The header in a block, if it is whole, and this pool's and this place's.
    private func wholeHeader(
        in block: BufferRegion,
        at address: SegmentAddress
    ) -> SegmentHeader? {
        do throws(FormatError) {
            let header = try SegmentHeader(decoding: block.bytes)
            let device = deviceIdentifiers[Int(address.device.rawValue)]
            try header.check(pool: pool, device: device, address: address)
            return Int(header.lane.rawValue) < newestSequences.count ? header : nil
        } catch {
            // Never written, torn when the segment was opened, damaged since, or of another pool.
            return nil
        }
    }

    /// Reads a block of a segment; a device that refuses once may give it the second time.
    private func read(
        _ index: Int,
        of address: SegmentAddress,
        _ source: some RecoverySource,
        _ region: BufferRegion
    ) -> Bool {
        let first = devices[Int(address.device.rawValue)].firstBlock(of: address.index)
        let block = first + UInt64(index)
        return source.read(address.device, block: block, into: region)
            || source.read(address.device, block: block, into: region)
    }

    /// What a block claims to be; nil when that is no record of this pool and place.
    private func claim(_ block: BufferRegion, at address: SegmentAddress) -> RecordClaim? {
        guard let claim = RecordClaim(of: block.bytes), claim.address == address,
            claim.poolIdentifier ?? pool == pool,
            Int(claim.lane.rawValue) < newestSequences.count
        else { return nil }
        return claim
    }

    /// What records of a segment without a readable header say of the logs that went on there.
    /// Those count of which header and tail imply the same nonce.
    private func claims(
        _ address: SegmentAddress,
        _ source: some RecoverySource
    ) -> [DurabilityClaim] {
        let block = arena.region.block(0)
        var newest: [DurabilityClaim] = []
        for index in 2..<devices[Int(address.device.rawValue)].segmentBlockCount
        where read(index, of: address, source, block) {
            guard let claim = claim(block, at: address),
                claim.segmentSequence > newestSequences[Int(claim.lane.rawValue)]
            else { continue }
            let nonce = RecordHeader.nonce(impliedBy: block.bytes)
            guard let header = record(in: 0, nonce), !header.isTail,
                header.poolIdentifier == pool, Int(header.blockOffset) == index,
                hasTail(header, at: index, nonce, of: address, source)
            else { continue }
            newest.append(
                DurabilityClaim(
                    lane: header.lane,
                    through: header.durableThrough,
                    segment: address,
                    segmentSequence: header.segmentSequence
                )
            )
        }
        return newest
    }

    /// Whether the tail of a record that begins at a block of a segment is there, and the same.
    private func hasTail(
        _ header: RecordHeader,
        at index: Int,
        _ nonce: UInt64,
        of address: SegmentAddress,
        _ source: some RecoverySource
    ) -> Bool {
        let place = index + 1 + Int(header.dataBlockCount)
        guard place < devices[Int(address.device.rawValue)].segmentBlockCount,
            read(place, of: address, source, arena.region.block(1)),
            var tail = record(in: 1, nonce), tail.isTail
        else { return false }
        tail.isTail = false
        return tail == header
    }

    /// The segment's header as its first record tells it; nil when the record is not whole, or does
    /// not say that it is this pool's.
    ///
    /// - Parameter isRefused: the segment is searched for the record's tail as well.
    private func headerByFirstRecord(
        _ address: SegmentAddress,
        _ source: some RecoverySource,
        isRefused: Bool
    ) -> SegmentHeader? {
        let end = isRefused ? devices[Int(address.device.rawValue)].segmentBlockCount : 2
        for index in 1..<end where read(index, of: address, source, arena.region.block(0)) {
            guard claim(arena.region.block(0), at: address) != nil else { continue }
            let nonce = RecordHeader.nonce(impliedBy: arena.region.block(0).bytes)
            guard let record = record(in: 0, nonce), record.blockOffset == 1,
                index == (record.isTail ? 2 + Int(record.dataBlockCount) : 1)
            else { continue }
            // Behind what is first in it now, the tail of an earlier use may be left.
            if let header = header(by: record, nonce, address, source) { return header }
        }
        return nil
    }

    private func header(
        by record: RecordHeader,
        _ nonce: UInt64,
        _ address: SegmentAddress,
        _ source: some RecoverySource
    ) -> SegmentHeader? {
        let device = devices[Int(address.device.rawValue)]
        guard record.poolIdentifier == pool, (record.stream == .cold) == (device.role == .disk),
            !record.isTail && hasTail(record, at: 1, nonce, of: address, source)
                || hasData(record, of: address, source)
        else { return nil }
        return SegmentHeader(
            poolIdentifier: pool,
            deviceIdentifier: deviceIdentifiers[Int(address.device.rawValue)],
            deviceIndex: address.device,
            segmentIndex: address.index,
            segmentSequence: record.segmentSequence,
            lane: record.lane,
            stream: record.stream,
            incarnation: record.incarnation,
            firstRecord: record.number,
            nonce: nonce,
            previous: nil,
            openedSeconds: 0
        )
    }

    /// Whether a first record has data, and all of them are what its table says.
    private func hasData(
        _ record: RecordHeader,
        of address: SegmentAddress,
        _ source: some RecoverySource
    ) -> Bool {
        let table = arena.region.block(0)
        let block = arena.region.block(1)
        let end = devices[Int(address.device.rawValue)].segmentBlockCount
        var place = RecordHeader.tableOffset
        let tableEnd = place + Int(record.tableByteCount)
        var next = 2
        var sequence = record.firstSequence.rawValue
        for _ in 0..<record.entryCount {
            do throws(FormatError) {
                let entry = try RecordEntry(decoding: table.bytes, at: place, end: tableEnd)
                let first = next
                guard entry.dataBlockCount == 0 || entry.kind == .data,
                    first + Int(entry.dataBlockCount) <= end,
                    entry.hasData(
                        table.bytes,
                        at: place,
                        SequenceNumber(sequence),
                        block: { read(first + $0, of: address, source, block) ? block : nil }
                    )
                else { return false }
                next += Int(entry.dataBlockCount)
                place += entry.byteCount
                sequence &+= 1
            } catch {
                return false
            }
        }
        return next > 2 && next == 2 + Int(record.dataBlockCount)
    }

    private func record(in buffer: Int, _ nonce: UInt64) -> RecordHeader? {
        do throws(FormatError) {
            return try RecordHeader(decoding: arena.region.block(buffer).bytes, nonce: nonce)
        } catch {
            return nil
        }
    }
}
