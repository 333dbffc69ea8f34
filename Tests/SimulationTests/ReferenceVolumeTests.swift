import IO
import Testing
import Units

@testable import Simulation

/// A volume of the model, and blocks as an engine might return them.
final class VolumeBench {
    let volume: ReferenceVolume
    let journal = Journal()
    private let memory = Arena(byteCount: 8 * 4096, isPopulated: false)

    init(atomicByteCount: Int = 1 << 20) {
        volume = ReferenceVolume(
            number: 3,
            identifier: VolumeIdentifier(high: 1, low: 1),
            name: "v",
            byteCount: 64 * 4096,
            seed: 42,
            atomicByteCount: atomicByteCount,
            scratch: [memory.region.block(0), memory.region.block(1)],
            journal: journal
        )
    }

    func write(_ block: UInt64, blocks: Int = 1, isDurable: Bool = false) -> UInt64 {
        volume.beginWrite(offset: block * 4096, byteCount: blocks * 4096, isDurable: isDurable)
    }

    func acknowledgedWrite(_ block: UInt64, isDurable: Bool = false) -> UInt64 {
        let order = write(block, isDurable: isDurable)
        volume.acknowledge(order)
        return order
    }

    /// A block as request `order` wrote it; zeros for order zero.
    func block(_ block: UInt64, at order: UInt64, volume: UInt64 = 3) -> BufferRegion {
        let region = memory.region.block(2)
        region.zero()
        if order > 0 {
            SectorStamp.fill(
                region,
                range: 0..<4096,
                volume: volume,
                block: block,
                order: order,
                seed: 42,
                scratch: memory.region.block(3)
            )
        }
        return region
    }

    func read(_ block: UInt64, shows order: UInt64, bound: ReadBound? = nil) {
        volume.check(
            read: order == 0 ? nil : self.block(block, at: order),
            offset: block * 4096,
            byteCount: 4096,
            bound: bound ?? volume.beginRead()
        )
    }

    func recovered(_ block: UInt64, shows order: UInt64) {
        volume.observe(block: block, found: order == 0 ? nil : self.block(block, at: order))
    }

    var oracle: Oracle? { journal.first?.oracle }
}

struct ReferenceVolumeTests {
    @Test func `a read shows the newest acknowledged write`() {
        let bench = VolumeBench()
        let first = bench.acknowledgedWrite(0)
        let second = bench.acknowledgedWrite(0)
        bench.read(0, shows: second)
        #expect(bench.oracle == nil)
        bench.read(0, shows: first)
        #expect(bench.oracle == .rightBytes)
    }

    @Test func `a read beside a write shows either, and then never the older again`() {
        let bench = VolumeBench()
        let first = bench.acknowledgedWrite(0)
        let bound = bench.volume.beginRead()
        let second = bench.write(0)
        bench.read(0, shows: first, bound: bound)
        bench.read(0, shows: second, bound: bound)
        #expect(bench.oracle == nil)
        bench.read(0, shows: first)
        #expect(bench.oracle == .rightBytes)
    }

    @Test func `foreign bytes are told from stale ones`() {
        let bench = VolumeBench()
        let order = bench.acknowledgedWrite(0)
        bench.volume.check(
            read: bench.block(0, at: order, volume: 4),
            offset: 0,
            byteCount: 4096,
            bound: bench.volume.beginRead()
        )
        #expect(bench.oracle == .ownBytes)
    }

    @Test func `parts of blocks are laid over each other in order`() {
        let bench = VolumeBench()
        let whole = bench.acknowledgedWrite(1)
        let part = bench.volume.beginWrite(offset: 4096 + 700, byteCount: 1000, isDurable: false)
        bench.volume.acknowledge(part)
        let expected = bench.block(1, at: whole).byteArray
        let newer = bench.block(1, at: part).byteArray
        let mixed = expected[..<700] + newer[700..<1700] + expected[1700...]
        let memory = Arena(byteCount: 4096, isPopulated: false)
        memory.region.copy(from: Array(mixed))
        bench.volume.check(
            read: memory.region,
            offset: 4096,
            byteCount: 4096,
            bound: bench.volume.beginRead()
        )
        #expect(bench.oracle == nil)
        bench.volume.check(
            read: memory.region[600..<1000],
            offset: 4096 + 600,
            byteCount: 400,
            bound: bench.volume.beginRead()
        )
        #expect(bench.oracle == nil)
    }

    @Test func `a power cut may take what was not flushed, from the end`() {
        let bench = VolumeBench()
        let first = bench.acknowledgedWrite(0)
        bench.volume.flushed(bench.volume.flushBound)
        let second = bench.acknowledgedWrite(1)
        _ = bench.acknowledgedWrite(2)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(0, shows: first)
        bench.recovered(1, shows: second)
        bench.recovered(2, shows: 0)
        #expect(bench.oracle == nil)
        bench.volume.settle()
        bench.read(1, shows: second)
        bench.read(2, shows: 0)
        #expect(bench.oracle == nil)
    }

    @Test func `a hole in the order is found`() {
        let bench = VolumeBench()
        _ = bench.acknowledgedWrite(1)
        let second = bench.acknowledgedWrite(2)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(1, shows: 0)
        bench.recovered(2, shows: second)
        bench.volume.settle()
        #expect(bench.oracle == .prefix)
    }

    @Test func `a lost flushed write is found`() {
        let bench = VolumeBench()
        _ = bench.acknowledgedWrite(1)
        bench.volume.flushed(bench.volume.flushBound)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(1, shows: 0)
        #expect(bench.oracle == .flushedSurvives)
    }

    @Test func `a flush covers only what was acknowledged when it was issued`() {
        let bench = VolumeBench()
        let order = bench.write(1)
        let bound = bench.volume.flushBound
        bench.volume.acknowledge(order)
        bench.volume.flushed(bound)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(1, shows: 0)
        #expect(bench.oracle == nil)
    }

    @Test func `a durable write takes all earlier ones with it`() {
        let bench = VolumeBench()
        _ = bench.acknowledgedWrite(1)
        _ = bench.acknowledgedWrite(2, isDurable: true)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(1, shows: 0)
        #expect(bench.oracle == .flushedSurvives)
    }

    @Test func `a killed process loses nothing acknowledged`() {
        let bench = VolumeBench()
        _ = bench.acknowledgedWrite(1)
        bench.volume.crash(isPowerCut: false, wasServed: true)
        bench.recovered(1, shows: 0)
        #expect(bench.oracle == .killKeeps)
    }

    @Test func `a request up to the atomic size is there whole or not at all`() {
        let bench = VolumeBench()
        let order = bench.write(0, blocks: 2)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(0, shows: order)
        bench.recovered(1, shows: 0)
        bench.volume.settle()
        #expect(bench.oracle == .prefix)
    }

    @Test func `a larger request may be cut when it is the last`() {
        let bench = VolumeBench(atomicByteCount: 4096)
        let order = bench.write(0, blocks: 2)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(0, shows: order)
        bench.recovered(1, shows: 0)
        #expect(bench.oracle == nil)
        bench.volume.settle()
        bench.read(0, shows: order)
        bench.read(1, shows: 0)
        #expect(bench.oracle == nil)
        bench.read(1, shows: order)
        #expect(bench.oracle == .rightBytes)
    }

    @Test func `of requests in flight together any may be there`() {
        let bench = VolumeBench()
        _ = bench.write(0)
        let second = bench.write(1)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(0, shows: 0)
        bench.recovered(1, shows: second)
        bench.volume.settle()
        #expect(bench.oracle == nil)
    }

    @Test func `a write that failed half-way is settled by the next read`() {
        let bench = VolumeBench(atomicByteCount: 4096)
        let order = bench.write(0, blocks: 2)
        bench.volume.refuse(order)
        #expect(bench.volume.doubtfulBlocks == [0, 1])
        bench.read(0, shows: order)
        bench.read(1, shows: 0)
        #expect(bench.volume.doubtfulBlocks.isEmpty)
        bench.read(1, shows: order)
        #expect(bench.oracle == .rightBytes)
    }

    @Test func `what recovery showed stays so after a second crash`() {
        let bench = VolumeBench()
        let first = bench.acknowledgedWrite(0)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(0, shows: first)
        bench.volume.crash(isPowerCut: true, wasServed: true)
        bench.recovered(0, shows: 0)
        bench.volume.settle()
        #expect(bench.oracle != nil)
    }

    @Test func `a refused write leaves nothing`() {
        let bench = VolumeBench()
        let first = bench.acknowledgedWrite(0)
        let second = bench.write(0)
        bench.volume.refuse(second)
        bench.read(0, shows: first)
        #expect(bench.oracle == nil)
    }

    @Test func `extents tell holes, zeros and data apart`() {
        let bench = VolumeBench()
        _ = bench.acknowledgedWrite(0)
        bench.volume.acknowledge(
            bench.volume.beginZeroes(
                offset: 4096,
                byteCount: 4096,
                keepsSpace: true,
                isDurable: false
            )
        )
        func say(_ hole: Bool, _ zero: Bool) -> ExtentAnswer {
            ExtentAnswer(byteCount: 4096, isHole: hole, isZero: zero, isPoisoned: false)
        }
        bench.volume.check(
            extents: [say(false, false), say(false, true), say(true, true)],
            offset: 0,
            byteCount: 3 * 4096,
            bound: bench.volume.beginRead()
        )
        #expect(bench.oracle == nil)
        bench.volume.check(
            extents: [say(true, true)],
            offset: 0,
            byteCount: 4096,
            bound: bench.volume.beginRead()
        )
        #expect(bench.oracle == .extents)
    }

    @Test func `a trim takes whole blocks only`() {
        let bench = VolumeBench()
        let orders = (0..<3).map { bench.acknowledgedWrite(UInt64($0)) }
        bench.volume.acknowledge(
            bench.volume.beginTrim(offset: 100, byteCount: 3 * 4096 - 200, isDurable: false)
        )
        bench.read(0, shows: orders[0])
        bench.read(1, shows: 0)
        bench.read(2, shows: orders[2])
        #expect(bench.oracle == nil)
    }
}
