import Catalogue
import Format
import IO
import Testing
import Units

@testable import Engine

// What recovery makes of damage to headers of segments, which a crash does not explain: they rot,
// or the device refuses to read them.

@Suite struct DamageTests {
    /// Blocks at which flash segments begin that have a header of the host stream, by sequence.
    private func segmentStarts(_ bench: LaneBench) -> [UInt64] {
        var found: [(sequence: UInt64, block: UInt64)] = []
        for index in 0..<bench.flash.segmentCount {
            let block = bench.flash.firstBlock(of: SegmentIndex(UInt32(index)))
            let bytes = Array(bench.images[0][(Int(block) * 4096)..<(Int(block + 1) * 4096)])
            // What is no header belongs to a segment that was never used.
            guard let header = try? unsafe SegmentHeader(decoding: bytes.span.bytes),
                header.stream == .host
            else { continue }
            found.append((header.segmentSequence, block))
        }
        return found.sorted { $0.sequence < $1.sequence }.map(\.block)
    }

    /// Blocks of a segment that hold headers or tails of records.
    private func recordBlocks(_ bench: LaneBench, from start: UInt64) -> [UInt64] {
        (start..<(start + 512)).filter { block in
            let first = Int(block) * 4096
            return Array(bench.images[0][first..<(first + 8)]) == Array("ISORECRD".utf8)
        }
    }

    private func rot(_ bench: LaneBench, _ block: UInt64) {
        bench.damage(Location(device: DeviceIndex(0), block: block))
    }

    /// A flushed write in a log that no checkpoint has seen, in one segment.
    private func bench() throws -> (LaneBench, start: UInt64) {
        let bench = try LaneBench()
        let volume = bench.createVolume()
        #expect(bench.write(volume, at: 0, pattern(1, count: 65_536)) == .done)
        #expect(bench.flush(volume) == .done)
        return (bench, try #require(segmentStarts(bench).last))
    }

    private func expectWritten(_ bench: LaneBench) throws {
        let volume = try #require(bench.lane.volumeList.first).slot
        #expect(bench.read(volume, at: 0, count: 65_536) == pattern(1, count: 65_536))
    }

    @Test func `a damaged header of a segment hides no record`() throws {
        let (bench, start) = try bench()
        rot(bench, start)
        try bench.open()
        #expect(bench.report.segmentsFromRecord.count == 1)
        #expect(bench.lane.takeNews().map(\.type) == ["segment_header_damaged"])
        try expectWritten(bench)
        // The log goes on behind it, and is found again.
        let volume = try #require(bench.lane.volumeList.first).slot
        #expect(bench.write(volume, at: 65_536, pattern(2, count: 4096)) == .done)
        try bench.open()
        try expectWritten(bench)
        let again = try #require(bench.lane.volumeList.first).slot
        #expect(bench.read(again, at: 65_536, count: 4096) == pattern(2, count: 4096))
    }

    /// The device has lost the write of the header, of all blocks of the segment's first write.
    @Test(arguments: [PoolIdentifier(high: 7, low: 9), PoolIdentifier(high: 8, low: 8)])
    func `an older header of a segment hides no record`(pool: PoolIdentifier) throws {
        let (bench, _) = try bench()
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        for done in bench.settle() { bench.lane.release(done.token) }
        let volume = try #require(bench.lane.volumeList.first).slot
        func places() -> [(UInt64, Int)] { (1..<4).map { (UInt64($0) << 20, $0) } }
        for (offset, number) in places() {
            #expect(bench.write(volume, at: offset, pattern(number, count: 1 << 20)) == .done)
        }
        #expect(bench.flush(volume) == .done)
        let start = try #require(segmentStarts(bench).last)
        let range = (Int(start) * 4096)..<(Int(start + 1) * 4096)
        var bytes = Array(bench.images[0][range])
        var header = try unsafe SegmentHeader(decoding: bytes.span.bytes)
        header.segmentSequence = 1
        header.poolIdentifier = pool
        unsafe bytes.withUnsafeMutableBytes { room in
            var block = unsafe MutableRawSpan(_unsafeBytes: room)
            header.encode(into: &block)
        }
        bench.images[0].replaceSubrange(range, with: bytes)
        try bench.open()
        for count in [1, 0] {
            #expect(bench.report.segmentsFromRecord.count == count)
            try expectWritten(bench)
            let again = try #require(bench.lane.volumeList.first).slot
            for (offset, number) in places() {
                let found = bench.read(again, at: offset, count: 1 << 20)
                #expect(found == pattern(number, count: 1 << 20))
            }
            try bench.open()
        }
    }

    /// The record behind it says that it was durable: then damage to its data is found when they
    /// are read, and no reason to leave the record out, or the pool shut.
    @Test func `damage to data of a flushed record costs the block alone`() throws {
        let (bench, start) = try bench()
        let volume = try #require(bench.lane.volumeList.first).slot
        let tail = try #require(recordBlocks(bench, from: start).last)
        for number in 2..<4 {
            #expect(bench.write(volume, at: 65_536, pattern(number, count: 4096)) == .done)
            #expect(bench.flush(volume) == .done)
        }
        rot(bench, tail - 3)
        try bench.open()
        #expect(bench.report.recordsDropped == 0)
        let again = try #require(bench.lane.volumeList.first).slot
        let expected = pattern(1, count: 65_536)
        for block in 0..<16 {
            let found = bench.read(again, at: UInt64(block) * 4096, count: 4096)
            let isBad = block == 13
            #expect(found == (isBad ? nil : Array(expected[(block * 4096)..<((block + 1) * 4096)])))
        }
        #expect(bench.read(again, at: 65_536, count: 4096) == pattern(3, count: 4096))
    }

    /// What a device does not give while the pool is opened, however long it is waited for, is left
    /// out; that it gives it later keeps no pool shut.
    @Test func `what was left out as it could not be read keeps no pool shut`() throws {
        let (bench, start) = try bench()
        let volume = try #require(bench.lane.volumeList.first).slot
        let kept = try #require(recordBlocks(bench, from: start).last) + 1
        for number in 2..<5 {
            #expect(bench.write(volume, at: 65_536, pattern(number, count: 4096)) == .done)
            #expect(bench.flush(volume) == .done)
        }
        bench.unreadable[0] = Set(kept..<(start + 512))
        try bench.open()
        try expectWritten(bench)
        bench.unreadable[0] = []
        try bench.open()
        #expect(bench.lane.takeNews().contains { $0.type == "flushed_left_out" })
        try expectWritten(bench)
        let again = try #require(bench.lane.volumeList.first).slot
        #expect(bench.write(again, at: 65_536, pattern(9, count: 4096)) == .done)
        #expect(bench.flush(again) == .done)
        try bench.open()
        let last = try #require(bench.lane.volumeList.first).slot
        #expect(bench.read(last, at: 65_536, count: 4096) == pattern(9, count: 4096))
    }

    @Test func `what was taken for damage and given later was an absence`() throws {
        let (bench, start) = try bench()
        let device = DeviceIndex(0)
        let region = Arena(byteCount: 4096, isPopulated: false)
        for (count, isAbsence) in [(1, false), (2, true), (3, true)] {
            let watch = RefusalWatch(bench)
            bench.refusals[Location(device: device, block: start)] = count
            for _ in 0..<count { #expect(!watch.read(device, block: start, into: region.region)) }
            #expect(watch.read(device, block: start, into: region.region))
            #expect(watch.hasRefusals == isAbsence)
            #expect((watch.deviceThatWasAway() == device) == isAbsence)
        }
    }

    @Test func `a segment's header is written again and stands in for its first record`() throws {
        let (bench, start) = try bench()
        rot(bench, start)
        try bench.open()
        #expect(bench.report.segmentsFromRecord.count == 1)
        rot(bench, start + 1)
        try bench.open()
        #expect(bench.report.segmentsFromRecord.isEmpty)
        #expect(bench.report.recordsFromTail == 1)
        try expectWritten(bench)
    }

    @Test func `a flushed record outlives its tail, which is written again`() throws {
        let (bench, start) = try bench()
        let tail = try #require(recordBlocks(bench, from: start).last)
        rot(bench, tail)
        try bench.open()
        #expect(bench.report.recordsReplayed > 0 && bench.report.recordsDropped == 0)
        try expectWritten(bench)
        // Header, 16 blocks of data, tail.
        rot(bench, tail - 17)
        try bench.open()
        #expect(bench.report.recordsFromTail == 1)
        try expectWritten(bench)
    }

    @Test func `what a device does not give is not taken for zeros`() throws {
        let bench = try LaneBench()
        let volume = bench.createVolume()
        let zeros = [UInt8](repeating: 0, count: 65_536)
        #expect(bench.write(volume, at: 0, zeros) == .done)
        let start = try #require(segmentStarts(bench).last)
        let tail = try #require(recordBlocks(bench, from: start).last)
        bench.unreadable[0] = [tail - 4]
        try bench.open()
        // Nobody has said that the record was durable: it is whole, or not there.
        #expect(bench.report.recordsDropped == 1)
    }

    @Test func `a header of a segment that cannot be read hides no record`() throws {
        let (bench, start) = try bench()
        bench.unreadable[0] = [start]
        try bench.open()
        #expect(bench.report.segmentsFromRecord.count == 1)
        #expect(bench.report.segmentsRefused.isEmpty)
        try expectWritten(bench)
        // Once a checkpoint knows the segment nobody needs its header.
        bench.lane.beginShutdown(context: 1)
        #expect(bench.end() == .done)
        try bench.open()
        #expect(bench.report.segmentsFromRecord.isEmpty)
        try expectWritten(bench)
    }

    @Test func `what another pool left behind a damaged header is not taken in`() throws {
        let (bench, start) = try bench()
        rot(bench, start)
        let segment = (Int(start) * 4096)..<(Int(start + 512) * 4096)
        let bytes = Array(bench.images[0][segment])
        let other = try LaneBench()
        other.identifier = PoolIdentifier(high: 8, low: 8)
        other.contents.witnessedIncarnation = 0
        other.images[0].replaceSubrange(segment, with: bytes)
        try other.open()
        #expect(other.report.segmentsFromRecord.isEmpty)
        #expect(other.lane.volumeList.isEmpty)
    }

    @Test func `a free segment whose header cannot be read keeps no pool from opening`() throws {
        let (bench, _) = try bench()
        let start = bench.flash.firstBlock(of: SegmentIndex(20))
        // Be it the header alone, or a stretch of bad blocks.
        for count in 1..<4 {
            bench.unreadable[0] = Set(start..<(start + UInt64(count)))
            try bench.open()
            #expect(bench.report.segmentsRefused.map(\.index.rawValue) == [20])
            #expect(bench.lane.takeNews().map(\.type) == ["segment_header_refused"])
            try expectWritten(bench)
        }
    }

    @Test func `a log behind two blocks that cannot be read is not given up in silence`() throws {
        let bench = try LaneBench()
        let volume = bench.createVolume()
        for index in 0..<10 {
            let offset = UInt64(index) << 18
            #expect(bench.write(volume, at: offset, pattern(index, count: 1 << 18)) == .done)
        }
        #expect(bench.flush(volume) == .done)
        // A record behind them says that the log was durable.
        bench.now = bench.now.advanced(byNanoseconds: 1_000_000_000)
        #expect(bench.settle().isEmpty)
        let start = try #require(segmentStarts(bench).last)
        bench.unreadable[0] = [start, start + 1]
        // The first record's tail, and its data, prove what they say.
        try bench.open()
        #expect(bench.report.segmentsFromRecord.count == 1)
        let again = try #require(bench.lane.volumeList.first).slot
        for index in 0..<10 {
            let found = bench.read(again, at: UInt64(index) << 18, count: 1 << 18)
            #expect(found == pattern(index, count: 1 << 18))
        }
        let tail = try #require(recordBlocks(bench, from: start).dropFirst().first)
        bench.unreadable[0].insert(tail)
        #expect {
            try bench.open()
        } throws: { error in
            guard case RecoveryError.recordLost = error else { return false }
            return true
        }
    }
}
