import Format
import IO
import Testing
import Units

@testable import Engine

// What hosts see while a disk answers nothing.

private let disk = DeviceIndex(1)

private func isAnswered(_ operation: Operation) -> Bool { operation.device != disk }

/// A lane whose disk has a share of 96 operations.
private func makeCrowdedBench() throws -> (LaneBench, VolumeSlot) {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    bench.configuration.operationCount = 384
    bench.configuration.buffers[0] = BufferClass(blockCount: 2, count: 1024)
    try bench.open()
    return (bench, bench.fillBeyondFlash())
}

extension LaneBench {
    /// The first quarters of a mebibyte that lie on disk alone.
    fileprivate func coldQuarters(_ count: Int) -> [Int] {
        let cold = (0..<256).filter { quarter in
            (0..<64).allSatisfy { block in
                state(of: UInt64(quarter * 64 + block)).map {
                    $0.flash.isNowhere && $0.disk.isPlace
                } ?? false
            }
        }
        #expect(cold.count >= count)
        return Array(cold.prefix(count))
    }

    /// Where chunks begin that lie on disk alone; who reads a block of each has none promoted.
    fileprivate func coldChunks(_ count: Int) -> [UInt64] {
        let quarters = coldQuarters((count + 3) / 4).map { UInt64($0) << 18 }
        return Array(
            quarters.flatMap { stride(from: $0, to: $0 + 1 << 18, by: 65_536) }.prefix(count)
        )
    }

    /// Asks for bytes of a volume and leaves the answer to `settleBesidesDisk`.
    fileprivate func ask(_ volume: VolumeSlot, at offset: UInt64, count: Int) {
        lane.read(volume, offset: offset, byteCount: count, context: context())
    }

    /// Works on for some seconds in which the disk answers nothing.
    fileprivate func settleBesidesDisk(
        seconds: UInt64,
        _ held: inout [Operation],
        outcome: (Operation) -> OperationResult = { _ in .done }
    ) -> [RequestStatus] {
        var statuses: [RequestStatus] = []
        for _ in 0..<seconds {
            now = now.advanced(byNanoseconds: 1_000_000_000)
            let finished = settle(
                completing: { operation in
                    if !isAnswered(operation) { held.append(operation) }
                    return isAnswered(operation)
                },
                outcome: outcome
            )
            statuses += finished.map(\.status)
            for done in finished { lane.release(done.token) }
        }
        return statuses
    }
}

@Test func `who waits for a disk that hangs is told, and what it owes is let go later`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.fillBeyondFlash()
    let cold = bench.coldQuarters(3)
    var held: [Operation] = []
    bench.ask(volume, at: UInt64(cold[0]) << 18, count: 1 << 18)
    bench.begin(volume, at: UInt64(cold[1]) << 18 + 100, pattern(1, count: 100))
    #expect(bench.settleBesidesDisk(seconds: 14, &held).isEmpty)
    #expect(!held.isEmpty)
    #expect(bench.settleBesidesDisk(seconds: 3, &held) == [.mediaError, .mediaError])
    #expect(bench.lane.statistics.devicesHung == 1)
    // From now on nobody waits, and what flash has is served.
    let count = held.count
    bench.ask(volume, at: UInt64(cold[2]) << 18, count: 1 << 18)
    #expect(bench.settleBesidesDisk(seconds: 1, &held) == [.mediaError])
    #expect(bench.write(volume, at: 255 << 18, pattern(2, count: 4096)) == .done)
    #expect(bench.read(volume, at: 255 << 18, count: 4096) == pattern(2, count: 4096))
    #expect(held.count == count)
    #expect(!bench.lane.isIdle)
    bench.carry(out: held)
    _ = bench.settle()
    #expect(bench.lane.isIdle)
    #expect(bench.lane.lentBuffers.isEmpty)
    for index in cold {
        let found = bench.read(volume, at: UInt64(index) << 18, count: 1 << 18)
        #expect(found == pattern(index, count: 1 << 18))
    }
}

@Test func `a disk that answers slowly is waited for`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.fillBeyondFlash()
    let cold = bench.coldQuarters(5)
    for quarter in cold { bench.ask(volume, at: UInt64(quarter) << 18, count: 1 << 18) }
    var held: [Operation] = []
    var statuses: [RequestStatus] = []
    // One operation every ten seconds is all that it gets done.
    while statuses.count < cold.count, statuses.allSatisfy({ $0 == .done }) {
        statuses += bench.settleBesidesDisk(seconds: 10, &held)
        guard !held.isEmpty else { break }
        bench.carry(out: [held.removeFirst()])
    }
    statuses += bench.settleBesidesDisk(seconds: 1, &held)
    #expect(statuses == cold.map { _ in .done })
    #expect(bench.lane.statistics.devicesHung == 0)
}

@Test(arguments: [2, 4])
func `flash makes room without a disk that hangs`(moveCount: Int) throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    bench.configuration.moveCount = moveCount
    try bench.open()
    let volume = bench.createVolume(byteCount: 96 << 20)
    var held: [Operation] = []
    var newest = [Int](repeating: 0, count: 64)
    // The same 16 MiB, written over and over in another order each time: what reclaim empties holds
    // some that has to stay on flash.
    for index in 0..<1024 {
        let quarter = (index * index + index / 64) % 64
        newest[quarter] = index
        bench.begin(volume, at: UInt64(quarter) << 18, pattern(index, count: 1 << 18))
        #expect(bench.settleBesidesDisk(seconds: 1, &held) == [.done])
    }
    #expect(!held.isEmpty)
    #expect(bench.lane.statistics.blocksKept > 0)
    for (quarter, index) in newest.enumerated() {
        #expect(
            bench.read(volume, at: UInt64(quarter) << 18, count: 1 << 18)
                == pattern(index, count: 1 << 18)
        )
    }
}

@Test(arguments: [false, true])
func `a disk leaves operations to flash`(hangs: Bool) throws {
    let (bench, volume) = try makeCrowdedBench()
    let offsets = bench.coldChunks(400)
    var held: [Operation] = []
    for offset in offsets { bench.ask(volume, at: offset, count: 4096) }
    #expect(bench.settleBesidesDisk(seconds: 1, &held).isEmpty)
    #expect(held.count == 384 / 4)
    bench.ask(volume, at: 255 << 18, count: 1 << 18)
    bench.begin(volume, at: 254 << 18, pattern(1, count: 1 << 18), isDurable: true)
    #expect(bench.settleBesidesDisk(seconds: 1, &held) == [.done, .done])
    if hangs {
        let statuses = bench.settleBesidesDisk(seconds: 16, &held)
        #expect(statuses == offsets.map { _ in .mediaError })
        bench.carry(out: held)
    } else {
        var statuses: [RequestStatus] = []
        while !held.isEmpty {
            let answered = held
            held = []
            bench.carry(out: answered)
            statuses += bench.settleBesidesDisk(seconds: 1, &held)
        }
        #expect(statuses == offsets.map { _ in .done })
    }
    _ = bench.settle()
    #expect(bench.lane.isIdle)
    #expect(bench.isFilled(volume, 0..<254))
}

@Test func `flash is asked again for what it refused when the disk hangs`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.fillBeyondFlash()
    let quarter = bench.coldQuarters(1)[0]
    bench.lane.promote(volume, offset: UInt64(quarter) << 18, byteCount: 4096, context: 0)
    for done in bench.settle() { bench.lane.release(done.token) }
    let state = try #require(bench.state(of: UInt64(quarter * 64)))
    try #require(state.isCleanCopy)
    for isRefusedAgain in [false, true] {
        var held: [Operation] = []
        bench.ask(volume, at: UInt64(quarter) << 18, count: 4096)
        let refuse = { (operation: Operation) -> OperationResult in
            operation.offset == state.flash.block * 4096 ? .mediaError : .done
        }
        #expect(bench.settleBesidesDisk(seconds: 1, &held, outcome: refuse).isEmpty)
        #expect(!held.isEmpty)
        let statuses = bench.settleBesidesDisk(
            seconds: 16,
            &held,
            outcome: isRefusedAgain ? refuse : { _ in .done }
        )
        #expect(statuses == [isRefusedAgain ? .mediaError : .done])
        bench.carry(out: held)
        _ = bench.settle()
    }
    #expect(bench.lane.isIdle)
    #expect(bench.isFilled(volume))
}

@Test func `who waits for a disk that is always crowded comes to his turn`() throws {
    let (bench, volume) = try makeCrowdedBench()
    var offsets = bench.coldChunks(400)
    var held: [Operation] = []
    for _ in 0..<150 { bench.ask(volume, at: offsets.removeFirst(), count: 4096) }
    #expect(bench.settleBesidesDisk(seconds: 1, &held).isEmpty)
    #expect(held.count == 384 / 4)
    // Both ends of the write have to be read.
    let partial = offsets.removeLast() + 100
    bench.begin(volume, at: partial, pattern(1, count: 8192))
    #expect(bench.settleBesidesDisk(seconds: 1, &held).isEmpty)
    // Whole blocks do not wait behind it.
    bench.begin(volume, at: 255 << 18, pattern(2, count: 65_536))
    #expect(bench.settleBesidesDisk(seconds: 1, &held) == [.done])
    // For each read that is answered another one comes.
    var readCount = 0
    while readCount < 200, bench.lane.statistics.mergeReads == 0 {
        bench.carry(out: [held.removeFirst()])
        bench.ask(volume, at: offsets.removeFirst(), count: 4096)
        readCount += bench.settleBesidesDisk(seconds: 1, &held).count { $0 == .done }
        #expect(held.count <= 384 / 4 + 1)
    }
    // There were 54 before it.
    #expect(bench.lane.statistics.mergeReads == 2)
    #expect(readCount == 55)
    while !held.isEmpty {
        let answered = held
        held = []
        bench.carry(out: answered)
        #expect(bench.settleBesidesDisk(seconds: 1, &held).allSatisfy { $0 == .done })
    }
    #expect(bench.read(volume, at: partial, count: 8192) == pattern(1, count: 8192))
    #expect(bench.lane.isIdle)
}

@Test func `a flush of a disk that takes long holds up neither reads nor flash`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.fillBeyondFlash()
    let cold = bench.coldChunks(40)
    var flushes: [Operation] = []
    for index in 0..<256 {
        bench.now = bench.now.advanced(byNanoseconds: 1_000_000_000)
        bench.begin(volume, at: UInt64(index % 32) << 18, pattern(index, count: 1 << 18))
        if index % 8 == 0 { bench.ask(volume, at: cold[index / 8], count: 4096) }
        let finished = bench.settle(completing: { operation in
            let isHeld = operation.device == disk && operation.kind == .flush
            if isHeld { flushes.append(operation) }
            return !isHeld
        })
        #expect(finished.count == (index % 8 == 0 ? 2 : 1))
        #expect(finished.allSatisfy { $0.status == .done })
        for done in finished { bench.lane.release(done.token) }
    }
    #expect(flushes.count == 1)
    #expect(bench.lane.statistics.movesUnflushed > 0)
    #expect(bench.lane.statistics.devicesHung == 0)
    bench.carry(out: flushes)
    _ = bench.settle()
    #expect(bench.lane.isIdle)
    for index in 224..<256 {
        #expect(
            bench.read(volume, at: UInt64(index % 32) << 18, count: 1 << 18)
                == pattern(index, count: 1 << 18)
        )
    }
    #expect(bench.isFilled(volume, 32..<256))
}

@Test func `a disk that takes long over every flush is moved to all the same`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.fillBeyondFlash()
    let demoted = bench.lane.statistics.blocksDemoted
    var flush: Operation?
    var since = bench.now
    for index in 0..<200 {
        bench.now = bench.now.advanced(byNanoseconds: 1_000_000_000)
        if bench.lane.admits(.write, byteCount: 1 << 18) {
            bench.begin(volume, at: UInt64(index % 64) << 18, pattern(index, count: 1 << 18))
        }
        let finished = bench.settle(completing: { operation in
            guard operation.device == disk, operation.kind == .flush else { return true }
            flush = operation
            since = bench.now
            return false
        })
        for done in finished { bench.lane.release(done.token) }
        if let one = flush, bench.now.nanoseconds(since: since) >= 20_000_000_000 {
            flush = nil
            bench.carry(out: [one])
        }
    }
    // What waited for the first one stayed where it was; the others are waited for.
    #expect(bench.lane.statistics.movesUnflushed > 0)
    #expect(bench.lane.statistics.blocksDemoted > demoted)
}
