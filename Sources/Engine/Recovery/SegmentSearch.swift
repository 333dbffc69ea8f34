internal import Format
internal import IO
internal import Units

// Whose a segment is, by its own first blocks.
//
// A segment's header is one block, and nothing else holds the nonce from which the checksums of its
// record headers start.  But the checksum of a record header also tells where it started: if header
// and tail of the segment's first record, which lie where only a lane writes, imply the same nonce,
// the record says what the segment's header said.  So one bad sector hides no segment.
//
//     header        first record     then the segment
//     is whole      -                is what its header says
//     is not        is whole         is what its first record says
//     is not        is not           was never used, or its first write was torn
//     is refused    is not           holds nothing durable
//     is refused    is refused too   may hold anything: looked through for later records

/// What the first blocks of a segment say.
enum SegmentFinding {
    case segment(SegmentHeader)
    /// It was never used, its first write was torn, or what used it was not this pool.
    case nothing
    /// The device does not give its header, and nothing durable is in it.
    case refused
    /// The device gives neither its header nor its first record, and records of a log lie behind.
    case unreadable
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
        let isRead = read(0, of: address, source, block)
        if isRead {
            do throws(FormatError) {
                let header = try SegmentHeader(decoding: block.bytes)
                return isOurs(header, at: address) ? .segment(header) : .nothing
            } catch {
                // Never written, torn when the segment was opened, or damaged since.
            }
        }
        if Mutant.damagedHeaderHidesSegment.isOn { return .nothing }
        let isFirstRead = read(1, of: address, source, block)
        if !isRead && !isFirstRead {
            return hasLaterRecords(address, source) ? .unreadable : .refused
        }
        guard isFirstRead, claim(block, at: address) != nil,
            let header = headerByFirstRecord(address, source)
        else {
            return isRead ? .nothing : .refused
        }
        if header.segmentSequence > newestSequences[Int(header.lane.rawValue)] {
            report.segmentsFromRecord.append(address)
        }
        return .segment(header)
    }

    /// Whether a header that is whole is this pool's and this place's.
    private func isOurs(_ header: SegmentHeader, at address: SegmentAddress) -> Bool {
        do throws(FormatError) {
            let device = deviceIdentifiers[Int(address.device.rawValue)]
            try header.check(pool: pool, device: device, address: address)
            return true
        } catch {
            return false
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

    /// Whether a segment without a readable header seems to hold records of a log that went on.
    private func hasLaterRecords(
        _ address: SegmentAddress,
        _ source: some RecoverySource
    ) -> Bool {
        let block = arena.region.block(0)
        for index in 2..<devices[Int(address.device.rawValue)].segmentBlockCount
        where read(index, of: address, source, block) {
            guard let claim = claim(block, at: address) else { continue }
            if claim.segmentSequence > newestSequences[Int(claim.lane.rawValue)] { return true }
        }
        return false
    }

    /// The segment's header as its first record tells it, whose header block was just read; nil
    /// when the record is not whole, or does not say that it is this pool's.
    private func headerByFirstRecord(
        _ address: SegmentAddress,
        _ source: some RecoverySource
    ) -> SegmentHeader? {
        let nonce = RecordHeader.nonce(impliedBy: arena.region.block(0).bytes)
        guard let record = record(in: 0, nonce), !record.isTail, record.blockOffset == 1,
            record.poolIdentifier == pool
        else { return nil }
        let device = devices[Int(address.device.rawValue)]
        let tailBlock = 2 + Int(record.dataBlockCount)
        guard (record.stream == .cold) == (device.role == .disk),
            tailBlock < device.segmentBlockCount,
            read(tailBlock, of: address, source, arena.region.block(1)),
            var tail = self.record(in: 1, nonce), tail.isTail
        else { return nil }
        tail.isTail = false
        guard tail == record else { return nil }
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

    private func record(in buffer: Int, _ nonce: UInt64) -> RecordHeader? {
        do throws(FormatError) {
            return try RecordHeader(decoding: arena.region.block(buffer).bytes, nonce: nonce)
        } catch {
            return nil
        }
    }
}
