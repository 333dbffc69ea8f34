internal import Units

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
        block.zero(in: Layout.reserved.range)
        return Preamble.seal(
            &block,
            magic: Self.magic,
            version: Self.version,
            from: Self.start(nonce)
        )
    }

    /// Reads the header at the start of `block`; believes nothing before the checksum.
    package init(decoding block: RawSpan, nonce: UInt64) throws(FormatError) {
        guard block.byteCount >= Self.byteCount else {
            throw .truncated(structure: "record", needed: Self.byteCount, found: block.byteCount)
        }
        let block = block.extracting(0..<Self.byteCount)
        try Preamble.check(
            block,
            structure: "record",
            magic: Self.magic,
            version: Self.version,
            from: Self.start(nonce)
        )
        guard let stream = StreamKind(rawValue: block.load(Layout.stream)) else {
            throw Self.invalid("stream", block.load(Layout.stream))
        }
        guard block.load(Layout.flags) <= 1 else {
            throw Self.invalid("flags", block.load(Layout.flags))
        }
        guard block.load(Layout.reservedByte) == 0, block.isZero(in: Layout.reserved.range) else {
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
            incarnation: block.load(Layout.incarnation)
        )
        isTail = block.load(Layout.flags) == 1
    }

    /// Where the checksum starts from: both halves of the segment's nonce.
    private static func start(_ nonce: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: nonce ^ nonce >> 32)
    }

    private static func invalid(_ field: StaticName, _ found: some BinaryInteger) -> FormatError {
        .field(structure: "record", field: field, found: UInt64(truncatingIfNeeded: found))
    }
}
