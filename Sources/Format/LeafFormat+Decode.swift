package import Units

extension LeafFormat {
    /// Reads leaf `index` of `tree` into 512 states; returns the writers that they point into.
    ///
    /// Believes nothing before the checksum.  Whatever the bytes are, the answer is a leaf or an
    /// error; after an error every state is poisoned, so that nothing can take it for a hole.
    package static func decode(
        _ bytes: RawSpan,
        tree: TreeIdentifier,
        index: UInt64,
        into states: inout MutableSpan<BlockState>
    ) throws(FormatError) -> [VolumeIdentifier] {
        invariant(states.count == blockCount, "a leaf has 512 blocks")
        do throws(FormatError) {
            let reader = try LeafReader(bytes)
            guard reader.tree == tree else { throw .misplaced(structure: "leaf", field: "tree") }
            guard reader.index == index else { throw .misplaced(structure: "leaf", field: "index") }
            let writers = try reader.writers(in: bytes)
            try reader.load(bytes, into: &states)
            return writers
        } catch {
            for index in 0..<states.count { states[index] = .unknown }
            throw error
        }
    }

    /// Whose leaf `bytes` are, once their checksum fits.
    package static func identity(
        of bytes: RawSpan
    ) throws(FormatError) -> (tree: TreeIdentifier, index: UInt64) {
        let reader = try LeafReader(bytes)
        return (reader.tree, reader.index)
    }
}

/// A stored leaf whose header was read and whose runs lie inside its bytes.
struct LeafReader {
    typealias Layout = LeafFormat.Layout

    let tree: TreeIdentifier
    let index: UInt64
    let writerCount: Int
    let runCount: Int

    init(_ bytes: RawSpan) throws(FormatError) {
        guard bytes.byteCount >= Layout.byteCount else {
            throw .truncated(
                structure: "leaf",
                needed: Layout.byteCount,
                found: bytes.byteCount
            )
        }
        try Preamble.check(
            bytes,
            structure: "leaf",
            magic: LeafFormat.magic,
            version: LeafFormat.version
        )
        tree = TreeIdentifier(bytes.load(Layout.tree))
        index = bytes.load(Layout.index)
        writerCount = Int(bytes.load(Layout.writerCount))
        runCount = Int(bytes.load(Layout.runCount))
        guard writerCount <= LeafFormat.writerCountMax else {
            throw .field(structure: "leaf", field: "writerCount", found: UInt64(writerCount))
        }
        guard runCount <= LeafFormat.blockCount else {
            throw .field(structure: "leaf", field: "runCount", found: UInt64(runCount))
        }
        guard bytes.isZero(in: Layout.reserved.range) else {
            throw .field(structure: "leaf", field: "reserved", found: 1)
        }
        guard bytes.byteCount >= columnsOffset else {
            throw .truncated(structure: "leaf", needed: columnsOffset, found: bytes.byteCount)
        }
    }

    private var runsOffset: Int { Layout.byteCount + Layout.writerByteCount * writerCount }
    private var columnsOffset: Int { runsOffset + Layout.runByteCount * runCount }

    func writers(in bytes: RawSpan) throws(FormatError) -> [VolumeIdentifier] {
        var writers: [VolumeIdentifier] = []
        writers.reserveCapacity(writerCount)
        for place in 0..<writerCount {
            let offset = Layout.byteCount + Layout.writerByteCount * place
            let writer = VolumeIdentifier.load(from: bytes, at: offset)
            guard writer.high | writer.low != 0 else {
                throw .field(structure: "leaf", field: "writer", found: 0)
            }
            writers.append(writer)
        }
        return writers
    }

    /// Reads runs, columns and checksums; every byte behind the header has its use.
    func load(_ bytes: RawSpan, into states: inout MutableSpan<BlockState>) throws(FormatError) {
        let checksumCount = try loadRuns(bytes, into: &states)
        var offset = columnsOffset
        offset = try loadColumn(LeafFlashColumn.self, bytes, at: offset, into: &states)
        offset = try loadColumn(LeafDiskColumn.self, bytes, at: offset, into: &states)
        offset = try loadColumn(LeafSequenceColumn.self, bytes, at: offset, into: &states)
        let end = offset + 4 * checksumCount
        guard end <= bytes.byteCount else {
            throw .truncated(structure: "leaf", needed: end, found: bytes.byteCount)
        }
        guard end == bytes.byteCount else {
            throw .field(structure: "leaf", field: "byteCount", found: UInt64(bytes.byteCount))
        }
        for place in 0..<runCount {
            let run = run(place, in: bytes)
            guard run.hasChecksums else { continue }
            for block in run.range {
                states[block].checksum = bytes.word32(at: offset)
                offset += 4
            }
        }
    }

    func run(_ place: Int, in bytes: RawSpan) -> LeafFormat.Run {
        LeafFormat.Run(in: bytes, at: runsOffset + Layout.runByteCount * place)
    }

    /// Sets one column's numbers from the groups at `offset`; returns where they end.
    private func loadColumn<Column: LeafColumn>(
        _ column: Column.Type,
        _ bytes: RawSpan,
        at offset: Int,
        into states: inout MutableSpan<BlockState>
    ) throws(FormatError) -> Int {
        var reader = LeafColumnReader<Column>(at: offset)
        for place in 0..<runCount {
            let run = run(place, in: bytes)
            if Column.isIn(run) { try reader.load(run.range, from: bytes, into: &states) }
        }
        guard reader.isAtGroupEnd else {
            throw .field(structure: Column.name, field: "length", found: UInt64(reader.offset))
        }
        return reader.offset
    }

    /// Checks every run and sets what its blocks have in common; blocks in no run become absent.
    /// Returns how many checksums the runs have.
    private func loadRuns(
        _ bytes: RawSpan,
        into states: inout MutableSpan<BlockState>
    ) throws(FormatError) -> Int {
        let absent = BlockState.absent
        var checksumCount = 0
        var block = 0
        for place in 0..<runCount {
            let run = run(place, in: bytes)
            try check(run, from: block)
            while block < run.range.lowerBound {
                states[block] = absent
                block += 1
            }
            var state = absent
            state.kindCode = run.kindCode
            state.writer = run.writer
            while block < run.range.upperBound {
                states[block] = state
                block += 1
            }
            checksumCount += run.hasChecksums ? run.range.count : 0
        }
        while block < states.count {
            states[block] = absent
            block += 1
        }
        return checksumCount
    }

    /// - Parameter end: where the run before it ends.
    private func check(_ run: LeafFormat.Run, from end: Int) throws(FormatError) {
        guard run.range.lowerBound >= end, run.range.lowerBound < LeafFormat.blockCount else {
            throw .field(structure: "leaf run", field: "start", found: UInt64(run.start))
        }
        guard run.count > 0, run.range.upperBound <= LeafFormat.blockCount else {
            throw .field(structure: "leaf run", field: "count", found: UInt64(run.count))
        }
        try checkKind(of: run)
        guard Int(run.writer) < writerCount else {
            throw .field(structure: "leaf run", field: "writer", found: UInt64(run.writer))
        }
    }

    private func checkKind(of run: LeafFormat.Run) throws(FormatError) {
        let fits =
            switch BlockState.Kind(rawValue: run.kindCode) {
            case .stored: run.places >= 1 && run.places <= 3
            case .zero: run.places == 0
            case .poisoned: run.places <= 3
            case .absent, nil:
                throw .field(structure: "leaf run", field: "kind", found: UInt64(run.kindCode))
            }
        guard fits else {
            throw .field(structure: "leaf run", field: "places", found: UInt64(run.places))
        }
    }
}
