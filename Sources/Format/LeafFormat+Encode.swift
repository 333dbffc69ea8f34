package import Units

extension LeafFormat {
    /// The stored form of leaf `index` of `tree`.
    ///
    /// Costs two allocations: one for as many bytes as a leaf can take, and the result.
    ///
    /// - Parameter states: 512 well-formed states; that they are is an invariant.
    /// - Parameter writers: what the states' `writer` points into; at most 512.
    package static func encode(
        states: Span<BlockState>,
        writers: [VolumeIdentifier],
        tree: TreeIdentifier,
        index: UInt64
    ) -> [UInt8] {
        invariant(states.count == blockCount, "a leaf has 512 blocks")
        invariant(writers.count <= writerCountMax, "a leaf has no more writers than blocks")
        let capacity = byteCountMax(writerCount: writers.count)
        let draft = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, byteCount in
            // Safe: the span covers the new array's memory and does not outlive the closure; every
            // byte below `byteCount` is written.
            let memory = UnsafeMutableRawBufferPointer(buffer)
            var bytes = unsafe MutableRawSpan(_unsafeBytes: memory)
            var writer = LeafWriter(at: Layout.byteCount)
            for identifier in writers { writer.store(identifier, in: &bytes) }
            writer.storeRuns(states, writerCount: writers.count, in: &bytes)
            writer.storeColumns(states, in: &bytes)
            byteCount = writer.offset
            bytes.store(UInt16(writers.count), in: Layout.writerCount)
            bytes.store(tree.rawValue, in: Layout.tree)
            bytes.store(index, in: Layout.index)
            bytes.store(UInt16(writer.runCount), in: Layout.runCount)
            bytes.zero(in: Layout.reserved.range)
        }
        // A copy of the right size: leaves wait for their checkpoint by the thousand.
        var result = Array(draft[...])
        var span = result.mutableSpan
        // Safe: any bytes are valid elements of an array of bytes.
        var bytes = unsafe span.mutableBytes
        Preamble.seal(&bytes, magic: magic, version: version)
        return result
    }

    /// With a run, three values with a tag each, and a checksum for every block; a leaf has less.
    private static func byteCountMax(writerCount: Int) -> Int {
        Layout.byteCount + Layout.writerByteCount * writerCount
            + blockCount * (Layout.runByteCount + 3 * 10 + 4)
    }
}

/// Takes states apart into runs and columns, and writes them one behind the other.
private struct LeafWriter {
    /// The end of what was written.
    private(set) var offset: Int
    private(set) var runCount = 0
    private var isOnFlash = false
    private var isOnDisk = false

    init(at offset: Int) { self.offset = offset }

    mutating func store(_ writer: VolumeIdentifier, in bytes: inout MutableRawSpan) {
        writer.store(into: &bytes, at: offset)
        offset += LeafFormat.Layout.writerByteCount
    }

    /// Writes the runs, and checks what the states of a run have in common.
    mutating func storeRuns(
        _ states: Span<BlockState>,
        writerCount: Int,
        in bytes: inout MutableRawSpan
    ) {
        let nowhere = Location.nowhere.rawValue
        var start = 0
        while start < states.count {
            let first = states[start]
            let end = Self.end(of: start, in: states, nowhere: nowhere)
            invariant(first.isWellFormed, "a leaf holds well-formed states")
            if !first.isStored { check(states, start..<end) }
            if !first.isAbsent {
                invariant(Int(first.writer) < writerCount, "a writer is in the leaf's table")
                let run = LeafFormat.Run(
                    start: UInt16(truncatingIfNeeded: start),
                    count: UInt16(truncatingIfNeeded: end - start),
                    kindCode: first.kindCode,
                    places: (first.flash.rawValue == nowhere ? 0 : LeafFormat.Run.onFlash)
                        | (first.disk.rawValue == nowhere ? 0 : LeafFormat.Run.onDisk),
                    writer: first.writer
                )
                run.store(into: &bytes, at: offset)
                offset += LeafFormat.Layout.runByteCount
                runCount += 1
                isOnFlash = isOnFlash || run.isOnFlash
                isOnDisk = isOnDisk || run.isOnDisk
            }
            start = end
        }
    }

    /// Writes columns and checksums.
    mutating func storeColumns(_ states: Span<BlockState>, in bytes: inout MutableRawSpan) {
        if isOnFlash { store(LeafFlashColumn.self, states, in: &bytes) }
        if isOnDisk { store(LeafDiskColumn.self, states, in: &bytes) }
        store(LeafSequenceColumn.self, states, in: &bytes)
        var offset = offset
        for index in 0..<states.count where states[index].hasChecksum {
            states[index].checksum.store(into: &bytes, at: offset)
            offset += 4
        }
        self.offset = offset
    }

    private mutating func store<Column: LeafColumn>(
        _ column: Column.Type,
        _ states: Span<BlockState>,
        in bytes: inout MutableRawSpan
    ) {
        var writer = LeafColumnWriter<Column>(at: offset)
        writer.append(states, to: &bytes)
        writer.finish(in: &bytes)
        offset = writer.offset
    }

    /// The end of the run that starts at `start`.
    @inline(__always)
    private static func end(
        of start: Int,
        in states: Span<BlockState>,
        nowhere: UInt64
    ) -> Int {
        let first = states[start]
        let isOnFlash = first.flash.rawValue != nowhere
        let isOnDisk = first.disk.rawValue != nowhere
        var end = start + 1
        while end < states.count {
            let next = states[end]
            guard next.kindCode == first.kindCode, next.writer == first.writer,
                next.reserved == first.reserved, (next.flash.rawValue != nowhere) == isOnFlash,
                (next.disk.rawValue != nowhere) == isOnDisk
            else { break }
            end += 1
        }
        return end
    }

    /// Checks each state of a run that has to be the same in more than what makes a run.  What
    /// stored blocks have of their own is checked where it is written.
    @inline(__always)
    private func check(_ states: Span<BlockState>, _ range: Range<Int>) {
        let first = states[range.lowerBound]
        guard !first.isPoisoned else { return }
        for index in range {
            invariant(states[index].checksum == 0, "a block without data has no checksum")
        }
        guard first.isAbsent else { return }
        for index in range {
            invariant(states[index].sequence.rawValue == 0, "an absent block is nothing else")
        }
    }
}
