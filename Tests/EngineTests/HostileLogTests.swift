import Catalogue
import Format
import Testing
import Units

@testable import Engine

/// Devices and catalogues whose every checksum fits and that no lane wrote: opening them ends with
/// an error, and never takes the process down.
@Suite struct HostileLogTests {
    /// A pool with one write in its log, flushed, and one behind it that says so.
    private func bench() throws -> LaneBench {
        let bench = try LaneBench()
        let volume = bench.createVolume()
        #expect(bench.write(volume, at: 0, pattern(1, count: 8192)) == .done)
        #expect(bench.flush(volume) == .done)
        #expect(bench.write(volume, at: 65_536, pattern(2, count: 4096)) == .done)
        return bench
    }

    /// Changes the header and the tail of the record that holds the first write, and seals them.
    private func changeRecord(
        of bench: LaneBench,
        _ body: (inout RecordHeader, inout RecordEntry) -> Void
    ) throws {
        var changed = 0
        var nonce: UInt64?
        for block in stride(from: 256 * 4096, to: bench.images[0].count, by: 4096) {
            let range = block..<(block + 4096)
            var bytes = Array(bench.images[0][range])
            nonce = (try? SegmentHeader(decoding: bytes.raw))?.nonce ?? nonce
            guard let nonce, var header = try? RecordHeader(decoding: bytes.raw, nonce: nonce),
                header.dataBlockCount == 2
            else { continue }
            let start = RecordHeader.tableOffset
            let end = start + Int(header.tableByteCount)
            var entry = try RecordEntry(decoding: bytes.raw, at: start, end: end)
            body(&header, &entry)
            var span = bytes.mutableSpan
            // Safe: any bytes are valid elements of an array of bytes.
            var raw = unsafe span.mutableBytes
            entry.store(into: &raw, at: start)
            header.seal(into: &raw, nonce: nonce)
            bench.images[0].replaceSubrange(range, with: bytes)
            changed += 1
        }
        #expect(changed == 2)
    }

    private func expectLost(
        _ body: (inout RecordHeader, inout RecordEntry) -> Void
    ) throws {
        let bench = try bench()
        try changeRecord(of: bench, body)
        #expect {
            try bench.open()
        } throws: { error in
            if case RecoveryError.recordLost = error { true } else { false }
        }
    }

    @Test func `an entry that owns more blocks than its record has is damage`() throws {
        try expectLost { header, _ in header.dataBlockCount = 1 }
    }

    @Test func `a table with room behind its entries is damage`() throws {
        try expectLost { header, _ in header.entryCount = 0 }
    }

    @Test func `a trim of more than a lane trims at once is damage`() throws {
        try expectLost { _, entry in
            entry.kind = .trim
            entry.blockCount = .max
        }
    }

    @Test func `a sequence number that none can follow is damage`() throws {
        try expectLost { header, _ in header.firstSequence = SequenceNumber(.max) }
    }

    @Test func `rows that no checkpoint writes are refused`() throws {
        let changes: [(inout CatalogueContents) -> Void] = [
            { $0.positions[0].nextRecord = RecordNumber(0) },
            { $0.positions[0].nextRecord = RecordNumber(.max) },
            { $0.positions[0].lane = LaneIndex(9) },
            { $0.positions[0].blockOffset = 513 },
            { $0.positions[0].segment?.index = SegmentIndex(9999) },
            { $0.positions[0].segment?.device = DeviceIndex(1) },
            { $0.positions[0].segment?.device = DeviceIndex(2) },
            { $0.segments[0].address.index = SegmentIndex(32) },
            { $0.segments[0].stream = .cold },
            { $0.segments[0].lane = LaneIndex(1) },
            { $0.segments[0].liveBlockCount = .max },
            { $0.volumes[0].ownedBlockCount = .max },
            { $0.volumes[0].byteCount = .max },
            { $0.volumes[0].lane = LaneIndex(1) },
            { $0.volumes.append($0.volumes[0]) },
        ]
        for change in changes {
            let bench = try bench()
            bench.lane.beginShutdown(context: 1)
            #expect(bench.end() == .done)
            change(&bench.contents)
            #expect(throws: RecoveryError.self) { try bench.open() }
        }
    }

    @Test func `a live count below the truth stops changes, not reads`() throws {
        let bench = try bench()
        bench.lane.beginShutdown(context: 1)
        #expect(bench.end() == .done)
        for index in bench.contents.segments.indices {
            bench.contents.segments[index].liveBlockCount = 1
        }
        try bench.open()
        let volume = try #require(bench.lane.volumeList.first).slot
        _ = bench.write(volume, at: 0, pattern(3, count: 8192))
        _ = bench.write(volume, at: 65_536, pattern(3, count: 4096))
        #expect(bench.lane.isReadOnly)
        #expect(bench.write(volume, at: 0, pattern(4, count: 4096)) == .readOnly)
        #expect(bench.read(volume, at: 0, count: 8192) == pattern(3, count: 8192))
    }

    @Test func `an owned count below the truth stops changes, not reads`() throws {
        let bench = try bench()
        bench.lane.beginShutdown(context: 1)
        #expect(bench.end() == .done)
        bench.contents.volumes[0].ownedBlockCount = 1
        try bench.open()
        let volume = try #require(bench.lane.volumeList.first).slot
        bench.lane.trim(volume, offset: 0, byteCount: 8192, isDurable: false, context: 5)
        _ = bench.end()
        #expect(bench.lane.isReadOnly)
        #expect(bench.read(volume, at: 65_536, count: 4096) == pattern(2, count: 4096))
    }
}

extension [UInt8] {
    fileprivate var raw: RawSpan {
        @_lifetime(borrow self)
        get {
            // Safe: bytes have no padding between them.
            unsafe span.bytes
        }
    }
}
