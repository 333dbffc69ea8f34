import Format
import IO
import Testing
import Units

@testable import Engine

// What a device refuses to write or to read is written elsewhere, or read again: hosts hear of it
// only where there is no other way.

@Test(arguments: [1, 2])
func `a refused record is written again, in place and then elsewhere, and no host notices`(
    refusalCount: Int
) throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 65_536)) == .done)
    var refusals = 0
    let status = bench.write(volume, at: 65_536, pattern(2, count: 65_536)) { operation in
        guard operation.kind == .write, refusals < refusalCount else { return .done }
        refusals += 1
        return .mediaError
    }
    #expect(status == .done)
    #expect(refusals == refusalCount)
    #expect(!bench.lane.isReadOnly)
    #expect(bench.lane.statistics.writesHealed == (refusalCount == 1 ? 1 : 0))
    #expect(bench.lane.statistics.recordsAppendedAgain == (refusalCount == 1 ? 0 : 1))
    #expect(bench.read(volume, at: 65_536, count: 65_536) == pattern(2, count: 65_536))
    #expect(bench.write(volume, at: 0, pattern(3, count: 4096), isDurable: true) == .done)
    // Replay finds the record where it is now, and what came before and after it.
    try bench.open()
    let again = try #require(bench.lane.volumeList.first).slot
    let first = Array(pattern(3, count: 4096) + pattern(1, count: 65_536)[4096...])
    #expect(bench.read(again, at: 0, count: 65_536) == first)
    #expect(bench.read(again, at: 65_536, count: 65_536) == pattern(2, count: 65_536))
}

@Test func `records that landed behind one that was refused are appended again with it`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    bench.begin(volume, at: 0, pattern(1, count: 4096))
    bench.lane.turn(now: bench.now)
    bench.begin(volume, at: 4096, pattern(2, count: 4096))
    bench.lane.turn(now: bench.now)
    bench.begin(volume, at: 0, pattern(3, count: 2048))
    let writes = bench.takeOperations()
    #expect(writes.map(\.kind) == [.write, .write])
    bench.carry(out: [writes[1]])
    bench.carry(out: [writes[0]]) { _ in .mediaError }
    bench.carry(out: bench.takeOperations()) { _ in .mediaError }
    let finished = bench.settle()
    #expect(finished.map(\.status) == [.done, .done, .done])
    for done in finished { bench.lane.release(done.token) }
    #expect(bench.lane.statistics.recordsAppendedAgain >= 2)
    let expected = Array(
        pattern(3, count: 2048) + pattern(1, count: 4096)[2048...] + pattern(2, count: 4096)
    )
    #expect(bench.read(volume, at: 0, count: 8192) == expected)
    try bench.open()
    let again = try #require(bench.lane.volumeList.first).slot
    #expect(bench.read(again, at: 0, count: 8192) == expected)
}

@Test func `a bad sector costs its own block and nothing beside it`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 262_144)) == .done)
    _ = bench.settle()
    let chunk = try #require(bench.lane.view(of: volume, chunk: 1))
    let bad = chunk.blocks[5].flash.byteOffset
    func refuses(_ operation: Operation) -> OperationResult {
        guard operation.kind == .read else { return .done }
        let end = operation.offset + UInt64(operation.region.byteCount)
        return operation.offset <= bad && bad < end ? .mediaError : .done
    }
    bench.lane.read(volume, offset: 0, byteCount: 262_144, context: bench.context())
    let finished = bench.settle(outcome: refuses)
    #expect(finished.map(\.status) == [.mediaError])
    #expect(finished.first?.failedOffset == 65_536 + 5 * 4096)
    for done in finished { bench.lane.release(done.token) }
    #expect(bench.lane.statistics.badBlocks == 1)
    let before = Array(pattern(1, count: 262_144)[0..<(65_536 + 5 * 4096)])
    #expect(bench.read(volume, at: 0, count: 65_536 + 5 * 4096, outcome: refuses) == before)
    // What is written anew is good again.
    #expect(bench.write(volume, at: 65_536 + 5 * 4096, pattern(2, count: 4096)) == .done)
    #expect(bench.read(volume, at: 0, count: 262_144, outcome: refuses) != nil)
}

@Test func `a read that fails once is read again, and no host notices`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 65_536)) == .done)
    _ = bench.settle()
    for byteCount in [4096, 65_536] {
        var refusals = 0
        let bytes = bench.read(volume, at: 0, count: byteCount) { operation in
            guard operation.kind == .read, refusals == 0 else { return .done }
            refusals += 1
            return .mediaError
        }
        #expect(refusals == 1)
        #expect(bytes == Array(pattern(1, count: 65_536)[..<byteCount]))
    }
    #expect(bench.lane.statistics.badBlocks == 0)
    #expect(bench.lane.statistics.readsHealed == 1)
}

@Test func `a refused record of copies costs nothing`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    var writes = 0
    let volume = bench.fillBeyondFlash {
        guard $0.kind == .write, $0.device == DeviceIndex(1) else { return .done }
        writes += 1
        return writes % 5 < 2 ? .mediaError : .done
    }
    #expect(bench.lane.statistics.movesRefused > 0)
    #expect(!bench.lane.isReadOnly)
    #expect(bench.isFilled(volume))
}

/// Each life ends when reclaim has copied a part of a segment, and a checkpoint knows of it.
@Test func `in a nearly full pool copies go on where those of the last life ended`() throws {
    let bench = try LaneBench(flashSegments: 14, diskSegments: 0)
    bench.configuration.atomicByteCountMax = 16 * 4096
    try bench.open()
    var slot = bench.createVolume()
    let chunkCount = bench.pool.capacityBlockCount / Geometry.blocksPerChunk
    var contents: [Int: Int] = [:]
    var seed = 0
    var hasCopied = false
    func overwrite(_ chunk: Int) {
        seed += 1
        bench.now = bench.now.advanced(byNanoseconds: 100_000_000)
        bench.begin(slot, at: UInt64(chunk) << 16, pattern(seed, count: 1 << 16))
        contents[chunk] = rest() == [.done] ? seed : nil
    }
    /// Works on, but copies no more once something was copied.
    func rest() -> [RequestStatus] {
        let finished = bench.settle(completing: { operation in
            let purpose = bench.lane.purpose(of: operation).purpose
            if purpose == .moveRecord { hasCopied = true }
            return !(hasCopied && (purpose == .moveRead || purpose == .scanRead))
        })
        for done in finished { bench.lane.release(done.token) }
        return finished.map(\.status)
    }
    for chunk in 0..<chunkCount { overwrite(chunk) }
    var continuedCount: UInt64 = 0
    for life in 0..<60 {
        for step in 0..<1000 where !hasCopied { overwrite((life * 31 + step * 7) % chunkCount) }
        #expect(hasCopied, "life \(life) of the pool makes no room")
        let checkpoints = bench.lane.statistics.checkpoints
        for _ in 0..<200 where bench.lane.statistics.checkpoints == checkpoints {
            bench.now = bench.now.advanced(byNanoseconds: 1_000_000_000)
            _ = rest()
        }
        continuedCount += bench.lane.statistics.segmentsContinued
        try bench.open()
        slot = try #require(bench.lane.volumeList.first).slot
        hasCopied = false
    }
    #expect(continuedCount > 0)
    #expect(contents.count > chunkCount / 2)
    for (chunk, seed) in contents {
        let expected = pattern(seed, count: 1 << 16)
        #expect(bench.read(slot, at: UInt64(chunk) << 16, count: 1 << 16) == expected)
    }
}

@Test func `a flush is believed when all beside it have settled`() throws {
    let bench = try LaneBench()
    let pool = bench.pool
    let ours = pool.beginFlush(.flash)
    let theirs = pool.beginFlush(.flash)
    #expect(!pool.settleFlush(ours, .flash, isGood: true))
    var bar = pool.flushBar(.flash)
    #expect(pool.belief(&bar) == .waiting)
    // A flush that begins now is none of those, and none of disk is.
    let later = pool.beginFlush(.flash)
    let disk = pool.beginFlush(.disk(DeviceIndex(1)))
    #expect(pool.belief(&bar) == .waiting)
    #expect(pool.settleFlush(theirs, .flash, isGood: true))
    #expect(pool.belief(&bar) == .believed)
    #expect(!pool.settleFlush(disk, .disk(DeviceIndex(1)), isGood: true))
    #expect(!pool.settleFlush(later, .flash, isGood: false))
    var second = pool.flushBar(.flash)
    #expect(pool.belief(&second) == .failed)
}

/// The header of a segment comes whole only when an opening has gone on without it: a cut had torn
/// it, and a later one has brought of a write to the same place just what it lacked.
@Test(arguments: [1, 2])
func `a segment that recovery left out stays out, though it has records again that counted`(
    openingCount: Int
) throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
    // Refused twice, and there: so the record is in two segments.
    let status = bench.write(volume, at: 4096, pattern(2, count: 4096)) { operation in
        let second = bench.flash.firstBlock(of: SegmentIndex(1)) * 4096
        guard operation.kind == .write, operation.offset < second else { return .done }
        let bytes = unsafe operation.region.bytes.withUnsafeBytes { unsafe Array($0) }
        let offset = Int(operation.offset)
        bench.images[0].replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        return .mediaError
    }
    #expect(status == .done)
    let again = try #require(bench.state(of: 1)).flash
    let start = Int(bench.flash.firstBlock(of: SegmentIndex(1))) * 4096
    #expect(Int(again.byteOffset) > start)
    let torn = start..<(start + 2 * 4096)
    let first = bench.images[0][torn]
    for place in torn { bench.images[0][place] = 0 }
    try bench.open()
    var slot = try #require(bench.lane.volumeList.first).slot
    #expect(bench.read(slot, at: 4096, count: 4096) == pattern(2, count: 4096))
    let inOther = bench.write(slot, at: 8192, pattern(3, count: 4096), isDurable: true) {
        let isSame = start..<(start + bench.flash.segmentBlockCount * 4096) ~= Int($0.offset)
        return $0.kind == .write && isSame ? .mediaError : .done
    }
    #expect(inOther == .done)
    bench.images[0].replaceSubrange(torn, with: first)
    bench.damage(again)
    for _ in 0..<openingCount { try bench.open() }
    slot = try #require(bench.lane.volumeList.first).slot
    for block in 0..<3 {
        let bytes = bench.read(slot, at: UInt64(block) * 4096, count: 4096)
        #expect(bytes == pattern(block + 1, count: 4096))
    }
}
