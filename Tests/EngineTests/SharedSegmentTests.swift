import Catalogue
import IO
import Testing
import Units

@testable import Engine

/// A lane of two, and segments that the other one has.
@Suite struct SharedSegmentTests {
    private static var second: UInt64 { 1_000_000_000 }

    /// Takes all free flash segments, as another lane would.
    private func takeAll(of bench: LaneBench) -> [Int] {
        var taken: [Int] = []
        while let (slot, _) = bench.pool.acquireSegment(.flash, leaving: 0) { taken.append(slot) }
        return taken
    }

    /// A write whose record flash refuses twice, when all other segments are taken.
    private func makeRefused() throws -> (LaneBench, VolumeSlot, taken: [Int]) {
        let bench = try LaneBench(laneCount: 2)
        let volume = bench.createVolume()
        #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
        let taken = takeAll(of: bench)
        bench.begin(volume, at: 8192, pattern(2, count: 4096))
        let finished = bench.settle(outcome: { $0.kind == .write ? .mediaError : .done })
        #expect(finished.isEmpty && !bench.lane.isReadOnly)
        return (bench, volume, taken)
    }

    @Test func `a refused record waits for a segment of another lane`() throws {
        let (bench, volume, taken) = try makeRefused()
        #expect(bench.lane.nextDeadline == bench.now.advanced(byNanoseconds: 10 * Self.second))
        bench.now = bench.now.advanced(byNanoseconds: 9 * Self.second)
        #expect(bench.settle().isEmpty && !bench.lane.isReadOnly)
        for slot in taken.prefix(3) { bench.pool.releaseSegment(slot) }
        #expect(bench.settle().map(\.status) == [.done])
        #expect(bench.read(volume, at: 8192, count: 4096) == pattern(2, count: 4096))
        #expect(bench.lane.statistics.recordsAppendedAgain == 1)
        try bench.open()
        let again = try #require(bench.lane.volumeList.first).slot
        #expect(bench.read(again, at: 0, count: 4096) == pattern(1, count: 4096))
        #expect(bench.read(again, at: 8192, count: 4096) == pattern(2, count: 4096))
    }

    @Test func `when none comes free the lane gives up`() throws {
        let (bench, _, _) = try makeRefused()
        bench.now = bench.now.advanced(byNanoseconds: 10 * Self.second)
        #expect(bench.settle().map(\.status) == [.mediaError])
        #expect(bench.lane.isReadOnly && bench.lane.hasAbandonedLog)
    }

    /// Fills the lane's open segment, so that the next write needs another one.
    private func makeWaiting() throws -> (LaneBench, VolumeSlot, taken: [Int]) {
        let bench = try LaneBench(laneCount: 2)
        let volume = bench.createVolume()
        #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
        let taken = takeAll(of: bench)
        for number in 0..<4 {
            bench.begin(volume, at: UInt64(number) << 20, pattern(number, count: 1 << 20))
        }
        let finished = bench.settle()
        #expect(finished.count < 4 && finished.allSatisfy { $0.status == .done })
        // The gate opens, and then it waits for a segment alone.
        for seconds: UInt64 in [1, 30] {
            bench.now = bench.now.advanced(byNanoseconds: seconds * Self.second)
            #expect(bench.settle().isEmpty)
        }
        return (bench, volume, taken)
    }

    @Test func `beside a read-only lane what waits in vain is refused`() throws {
        let (bench, volume, taken) = try makeWaiting()
        bench.lanes[1].fence("for the test")
        let refused = bench.settle()
        #expect(!refused.isEmpty && refused.allSatisfy { $0.status == .readOnly })
        #expect(bench.lane.takeNews().count { $0.type == "changes_refused" } == 1)
        // The next one is not kept waiting; reads and flushes go on.
        bench.begin(volume, at: 5 << 20, pattern(5, count: 1 << 20))
        #expect(bench.settle().map(\.status) == [.readOnly])
        #expect(bench.read(volume, at: 0, count: 4096) == pattern(0, count: 4096))
        #expect(bench.flush(volume) == .done && !bench.lane.isReadOnly)
        // With segments it goes on.
        for slot in taken { bench.pool.releaseSegment(slot) }
        #expect(bench.write(volume, at: 5 << 20, pattern(5, count: 1 << 20)) == .done)
    }

    @Test func `beside a read-only lane a lane can be stopped`() throws {
        let (bench, _, _) = try makeWaiting()
        bench.lanes[1].fence("for the test")
        bench.lanes[1].noteNeverRun()
        bench.lane.beginShutdown(context: 1)
        let finished = bench.settle()
        #expect(finished.last?.status == .done)
    }
}
