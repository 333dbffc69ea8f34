package import Units

extension RecordHeader {
    /// Completes a header block whose entries are already in place; returns its checksum.
    ///
    /// Bytes behind the table must be zero: a header with others there is refused when it is read.
    @discardableResult
    package func seal(into block: inout MutableRawSpan, nonce: UInt64) -> UInt32 {
        invariant(block.byteCount == Self.byteCount, "a record header fills one block")
        block.store(stream.rawValue, in: Layout.stream)
        block.store(isTail ? 1 : 0, in: Layout.flags)
        block.store(segmentSequence, in: Layout.segmentSequence)
        block.store(segmentIndex.rawValue, in: Layout.segmentIndex)
        block.store(blockOffset, in: Layout.blockOffset)
        block.store(number.rawValue, in: Layout.number)
        block.store(durableThrough.rawValue, in: Layout.durableThrough)
        block.store(firstSequence.rawValue, in: Layout.firstSequence)
        block.store(entryCount, in: Layout.entryCount)
        block.store(dataBlockCount, in: Layout.dataBlockCount)
        block.store(previousChecksum, in: Layout.previousChecksum)
        block.store(lane.rawValue, in: Layout.lane)
        block.store(device.rawValue, in: Layout.device)
        block.store(0, in: Layout.reservedByte)
        block.store(tableByteCount, in: Layout.tableByteCount)
        block.store(incarnation, in: Layout.incarnation)
        block.store(poolIdentifier ?? Self.noPool, in: Layout.poolIdentifier)
        return Preamble.seal(
            &block,
            magic: Self.magic,
            version: version,
            from: Self.start(nonce)
        )
    }

    /// Reads the header at the start of `block`; believes nothing before the checksum.
    package init(decoding block: RawSpan, nonce: UInt64) throws(FormatError) {
        guard block.byteCount >= Self.byteCount else {
            throw .truncated(structure: "record", needed: Self.byteCount, found: block.byteCount)
        }
        let block = block.extracting(0..<Self.byteCount)
        let saysPool = block.load(Layout.version) != Self.versionWithoutPool
        try Preamble.check(
            block,
            structure: "record",
            magic: Self.magic,
            version: saysPool ? Self.version : Self.versionWithoutPool,
            from: Self.start(nonce)
        )
        guard let stream = StreamKind(rawValue: block.load(Layout.stream)) else {
            throw Self.invalid("stream", block.load(Layout.stream))
        }
        guard block.load(Layout.flags) <= 1 else {
            throw Self.invalid("flags", block.load(Layout.flags))
        }
        let pool: PoolIdentifier = block.load(Layout.poolIdentifier)
        guard block.load(Layout.reservedByte) == 0, saysPool || pool == Self.noPool else {
            throw Self.invalid("reserved", 1)
        }
        let table = block.load(Layout.tableByteCount)
        guard table <= UInt32(Self.tableByteCountMax) else {
            throw Self.invalid("tableByteCount", table)
        }
        guard block.isZero(in: (Self.tableOffset + Int(table))..<Self.byteCount) else {
            throw Self.invalid("bytes behind the table", 1)
        }
        self.init(
            stream: stream,
            segmentSequence: block.load(Layout.segmentSequence),
            segmentIndex: SegmentIndex(block.load(Layout.segmentIndex)),
            blockOffset: block.load(Layout.blockOffset),
            number: RecordNumber(block.load(Layout.number)),
            durableThrough: RecordNumber(block.load(Layout.durableThrough)),
            firstSequence: SequenceNumber(block.load(Layout.firstSequence)),
            entryCount: block.load(Layout.entryCount),
            dataBlockCount: block.load(Layout.dataBlockCount),
            previousChecksum: block.load(Layout.previousChecksum),
            lane: LaneIndex(block.load(Layout.lane)),
            device: DeviceIndex(block.load(Layout.device)),
            tableByteCount: table,
            incarnation: block.load(Layout.incarnation),
            poolIdentifier: saysPool ? pool : nil
        )
        isTail = block.load(Layout.flags) == 1
    }

    private static var versionWithoutPool: UInt16 { 1 }
    /// What stands in a record of that version in the place of the pool.
    fileprivate static var noPool: PoolIdentifier { PoolIdentifier(high: 0, low: 0) }

    /// The version in which this header is written, and was.
    package var version: UInt16 {
        poolIdentifier == nil ? Self.versionWithoutPool : Self.version
    }

    /// A nonce with which the checksum of a header is right, whatever its bytes are.  A header and
    /// its tail that imply the same one were written as one record of one segment.
    package static func nonce(impliedBy block: RawSpan) -> UInt64 {
        let block = block.extracting(0..<Self.byteCount)
        return UInt64(
            Checksum.start(
                of: block,
                skipping: Layout.checksum.offset,
                checksum: block.load(Layout.checksum)
            )
        )
    }

    /// Where the checksum starts from: both halves of the segment's nonce.
    private static func start(_ nonce: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: nonce ^ nonce >> 32)
    }

    private static func invalid(_ field: StaticName, _ found: some BinaryInteger) -> FormatError {
        .field(structure: "record", field: field, found: UInt64(truncatingIfNeeded: found))
    }
}

/// What a block says of itself if it is a record's header or tail, whole or torn: nothing of it is
/// proven.  It stands in the block's first sector.
package struct RecordClaim {
    package var address: SegmentAddress
    package var segmentSequence: UInt64
    package var lane: LaneIndex
    /// Nil when it says none.
    package var poolIdentifier: PoolIdentifier?

    /// Nil for a block that does not begin as a record does.
    package init?(of block: RawSpan) {
        guard block.byteCount >= RecordHeader.byteCount,
            block.load(RecordHeader.Layout.magic) == RecordHeader.magic
        else { return nil }
        address = SegmentAddress(
            device: DeviceIndex(block.load(RecordHeader.Layout.device)),
            index: SegmentIndex(block.load(RecordHeader.Layout.segmentIndex))
        )
        segmentSequence = block.load(RecordHeader.Layout.segmentSequence)
        lane = LaneIndex(block.load(RecordHeader.Layout.lane))
        let pool: PoolIdentifier = block.load(RecordHeader.Layout.poolIdentifier)
        poolIdentifier = pool == RecordHeader.noPool ? nil : pool
    }
}
