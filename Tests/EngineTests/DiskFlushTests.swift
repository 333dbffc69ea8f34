import Format
import IO
import Testing
import Units

@testable import Engine

// What moves have written to a disk, while the disk is not flushed.

private let disk = DeviceIndex(1)

private func isDiskFlush(_ operation: Operation) -> Bool {
    operation.kind == .flush && operation.device == disk
}

@Test func `a disk that fails to flush costs no data, and no host an error`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    var flushes = 0
    let volume = bench.fillBeyondFlash(every: 11_000_000_000) {
        guard isDiskFlush($0) else { return .done }
        flushes += 1
        return flushes % 2 == 1 ? .mediaError : .done
    }
    #expect(bench.lane.statistics.movesUnflushed > 0)
    #expect(bench.lane.statistics.blocksDemoted > 0)
    #expect(!bench.lane.isReadOnly)
    #expect(bench.isFilled(volume))
}

@Test func `while a disk is flushed checkpoints end, and its copies are named by none`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.createVolume(byteCount: 96 << 20)
    var taken: [Operation] = []
    var written = 0
    while taken.isEmpty, written < 256 {
        bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
        bench.begin(volume, at: UInt64(written) << 18, pattern(written, count: 1 << 18))
        let finished = bench.settle(completing: { operation in
            if isDiskFlush(operation) { taken.append(operation) }
            return !isDiskFlush(operation)
        })
        #expect(finished.map(\.status) == [.done])
        for done in finished { bench.lane.release(done.token) }
        written += 1
    }
    #expect(taken.count == 1)
    let checkpoints = bench.lane.statistics.checkpoints
    bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
    #expect(bench.write(volume, at: 0, pattern(300, count: 4096)) == .done)
    #expect(bench.lane.statistics.checkpoints > checkpoints)
    #expect(bench.lane.statistics.blocksDemoted == 0)
    let named = (0..<(written * 64)).filter { bench.state(of: UInt64($0))?.disk.isPlace ?? false }
    #expect(named.isEmpty)
    bench.carry(out: taken)
    _ = bench.settle()
    #expect(bench.lane.statistics.blocksDemoted > 0)
    #expect(bench.isFilled(volume, 1..<written))
}

/// Another lane's flush took what this one had written, and only the other one is told.
@Test func `copies are not named once a flush has failed for another`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.createVolume(byteCount: 96 << 20)
    var hasFailed = false
    var written = 0
    while !hasFailed, written < 256 {
        bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
        let status = bench.write(
            volume,
            at: UInt64(written) << 18,
            pattern(written, count: 1 << 18)
        ) {
            if isDiskFlush($0), !hasFailed {
                hasFailed = true
                let theirs = bench.pool.beginFlush(.disk(disk))
                _ = bench.pool.settleFlush(theirs, .disk(disk), isGood: false)
            }
            return .done
        }
        #expect(status == .done)
        written += 1
    }
    #expect(hasFailed)
    #expect(bench.lane.statistics.blocksDemoted == 0)
    #expect(bench.lane.statistics.movesUnflushed > 0)
    #expect(!bench.lane.isReadOnly)
}
