import IO
import Testing
import Units

@testable import Simulation

/// A device of a few blocks, with memory to write from and read into.
final class DeviceBench {
    let device: SimulatedDevice
    let journal = Journal()
    let memory = Arena(byteCount: 64 * 4096, isPopulated: false)
    private var used = 0

    init(discard: DeviceCharacter.Discard = .keepsOld, seed: UInt64 = 1) {
        var character = DeviceCharacter()
        character.discard = discard
        device = SimulatedDevice(
            index: DeviceIndex(0),
            blockCount: 16,
            segmentBlockCount: 16,
            character: character,
            seed: seed,
            image: DurableImage(),
            cells: CellStore(),
            journal: journal
        )
    }

    /// Fresh memory of some blocks, each byte set.
    func region(blocks: Int, of byte: UInt8) -> BufferRegion {
        let region = memory.region[(used * 4096)..<((used + blocks) * 4096)]
        used += blocks
        region.fill(with: byte)
        return region
    }

    func submit(_ kind: Operation.Kind, block: Int, _ region: BufferRegion) -> Int {
        let operation = Operation(
            kind: kind,
            device: DeviceIndex(0),
            offset: UInt64(block * 4096),
            byteCount: UInt64(region.byteCount),
            region: region,
            token: 7
        )
        return device.submit(operation).slot
    }

    func write(_ byte: UInt8, to block: Int, blocks: Int = 1) {
        _ = device.finish(submit(.write, block: block, region(blocks: blocks, of: byte)))
    }

    func flush() {
        _ = device.finish(submit(.flush, block: 0, memory.region[0..<0]))
    }

    /// The first and last byte of a block, read at once.
    func bytes(of block: Int) -> [UInt8] {
        let target = memory.region.block(63)
        device.readNow(offset: UInt64(block * 4096), into: target)
        return target.byteArray
    }

    func holds(_ byte: UInt8, at block: Int) -> Bool { bytes(of: block).allSatisfy { $0 == byte } }
}

struct SimulatedDeviceTests {
    @Test func `a completed write is read back before any flush`() {
        let bench = DeviceBench()
        bench.write(3, to: 5)
        #expect(bench.holds(3, at: 5))
        #expect(!bench.device.isDurable(5))
    }

    @Test func `blocks never written read as random bytes that stay the same`() {
        let bench = DeviceBench()
        let first = bench.bytes(of: 2)
        #expect(bench.bytes(of: 2) == first)
        #expect(bench.bytes(of: 3) != first)
        #expect(Set(first).count > 100)
    }

    @Test func `a flush covers what had completed before it was submitted and nothing else`() {
        let bench = DeviceBench()
        bench.write(1, to: 1)
        let late = bench.submit(.write, block: 2, bench.region(blocks: 1, of: 2))
        let flush = bench.submit(.flush, block: 0, bench.memory.region[0..<0])
        _ = bench.device.finish(late)
        bench.write(3, to: 3)
        _ = bench.device.finish(flush)
        #expect(bench.device.isDurable(1))
        #expect(!bench.device.isDurable(2))
        #expect(!bench.device.isDurable(3))
        bench.device.cutPower(.dropAll)
        #expect(bench.holds(1, at: 1))
        #expect(!bench.holds(2, at: 2))
        #expect(!bench.holds(3, at: 3))
    }

    @Test func `the newest of two volatile writes to a block survives keep-all`() {
        let bench = DeviceBench()
        bench.write(1, to: 4)
        bench.write(2, to: 4)
        bench.device.cutPower(.keepAll)
        #expect(bench.holds(2, at: 4))
        #expect(bench.device.isDurable(4))
    }

    @Test func `a process kill keeps what was completed, and a later power cut may take it`() {
        let bench = DeviceBench()
        bench.write(1, to: 1)
        bench.device.killProcess()
        #expect(bench.holds(1, at: 1))
        #expect(!bench.device.isDurable(1))
        bench.device.cutPower(.dropAll)
        #expect(!bench.holds(1, at: 1))
    }

    /// Each mode leaves of four volatile blocks only what it may, over many draws.
    @Test(arguments: CrashMode.powerCuts)
    func `a power cut leaves what its mode allows`(mode: CrashMode) {
        var keptCounts: Set<Int> = []
        for seed in 0..<60 {
            let bench = DeviceBench(seed: UInt64(seed))
            for block in 0..<4 { bench.write(9, to: block) }
            bench.flush()
            for block in 0..<4 { bench.write(UInt8(10 + block), to: block) }
            bench.device.cutPower(mode)
            let contents = (0..<4).map { bench.bytes(of: $0) }
            let isNew = (0..<4).map { block in
                contents[block].allSatisfy { $0 == UInt8(10 + block) }
            }
            let isOld = contents.map { $0.allSatisfy { $0 == 9 } }
            let kept = isNew.count { $0 }
            keptCounts.insert(kept)
            switch mode {
            case .dropAll: #expect(kept == 0)
            // No sector is zeros.
            case .keepAll, .zeroesMissing: #expect(kept == 4)
            case .zeroesOnly: #expect(isOld.count { $0 } == 4)
            case .oneMissing: #expect(kept == 3 && isOld.count { $0 } == 1)
            case .oneOnly: #expect(kept == 1 && isOld.count { $0 } == 3)
            case .prefix: #expect(isNew == isNew.sorted { $0 && !$1 })
            case .subset, .shorn, .torn, .unreadable, .neighbours:
                for (block, content) in contents.enumerated() {
                    #expect(content.allSatisfy { $0 == 9 || $0 == UInt8(10 + block) })
                }
            case .garbage, .processKill: break
            }
        }
        switch mode {
        case .dropAll, .keepAll, .oneMissing, .oneOnly, .zeroesMissing, .zeroesOnly: break
        default: #expect(keptCounts.count > 1)
        }
    }

    @Test(arguments: [CrashMode.zeroesMissing, .zeroesOnly])
    func `sectors of zeros are lost alone, or land alone`(mode: CrashMode) {
        let bench = DeviceBench()
        bench.write(9, to: 0)
        bench.flush()
        let mixed = bench.region(blocks: 1, of: 8)
        mixed[512..<1536].fill(with: 0)
        _ = bench.device.finish(bench.submit(.write, block: 0, mixed))
        bench.device.cutPower(mode)
        let found = bench.bytes(of: 0)
        let isOnly = mode == .zeroesOnly
        #expect(found[512..<1536].allSatisfy { $0 == (isOnly ? 0 : 9) })
        #expect((found[..<512] + found[1536...]).allSatisfy { $0 == (isOnly ? 9 : 8) })
    }

    @Test func `what a cut made unreadable stays so until it is written`() {
        let bench = DeviceBench()
        for block in 0..<16 { bench.write(9, to: block) }
        bench.device.cutPower(.unreadable)
        let unreadable = (0..<16).filter { bench.device.isUnreadable($0..<($0 + 1)) }
        #expect(unreadable.count > 1 && unreadable.count < 16)
        #expect(bench.device.isUnreadable(0..<16))
        let target = bench.region(blocks: 1, of: 0)
        let read = bench.submit(.read, block: unreadable[0], target)
        #expect(bench.device.finish(read).result == .mediaError)
        bench.write(10, to: unreadable[0])
        #expect(!bench.device.isUnreadable(unreadable[0]..<(unreadable[0] + 1)))
    }

    @Test func `a cut may damage what lies beside a write, and nothing else`() {
        var harmed: Set<Int> = []
        for seed in 0..<64 {
            let bench = DeviceBench(seed: UInt64(seed))
            for block in 0..<4 { bench.write(9, to: block) }
            bench.flush()
            bench.write(10, to: 2)
            bench.device.cutPower(.neighbours)
            for block in [0, 1, 3] where !bench.bytes(of: block).allSatisfy({ $0 == 9 }) {
                harmed.insert(block)
            }
            #expect(bench.bytes(of: 2).allSatisfy { $0 == 9 } || bench.bytes(of: 2)[0] == 10)
        }
        #expect(harmed == [1, 3])
    }

    @Test func `garbage damages some blocks and leaves some old and some new`() {
        var damaged = 0
        for seed in 0..<40 {
            let bench = DeviceBench(seed: UInt64(seed))
            bench.write(9, to: 0)
            bench.flush()
            bench.write(10, to: 0)
            bench.device.cutPower(.garbage)
            if !bench.bytes(of: 0).allSatisfy({ $0 == 9 || $0 == 10 }) { damaged += 1 }
        }
        #expect(damaged > 3 && damaged < 30)
    }

    @Test func `a discard keeps, zeroes or scrambles, and is volatile like a write`() {
        for (discard, check) in [
            (
                DeviceCharacter.Discard.keepsOld,
                { (bytes: [UInt8]) in bytes.allSatisfy { $0 == 5 } }
            ),
            (.zeroes, { bytes in bytes.allSatisfy { $0 == 0 } }),
            (.scrambles, { bytes in Set(bytes).count > 100 }),
        ] {
            let bench = DeviceBench(discard: discard)
            bench.write(5, to: 6, blocks: 2)
            bench.flush()
            let operation = Operation(
                kind: .discard,
                device: DeviceIndex(0),
                offset: 6 * 4096,
                byteCount: 8192,
                region: bench.memory.region[0..<0],
                token: 1
            )
            _ = bench.device.finish(bench.device.submit(operation).slot)
            #expect(check(bench.bytes(of: 7)))
            bench.device.cutPower(.dropAll)
            #expect(bench.holds(5, at: 7))
        }
    }

    @Test func `a read that overlaps a write sees a mix of sectors`() {
        var mixes = 0
        for seed in 0..<20 {
            let bench = DeviceBench(seed: UInt64(seed))
            bench.write(1, to: 0)
            let target = bench.region(blocks: 1, of: 0)
            let read = bench.submit(.read, block: 0, target)
            let write = bench.submit(.write, block: 0, bench.region(blocks: 1, of: 2))
            _ = bench.device.finish(read)
            _ = bench.device.finish(write)
            #expect(target.byteArray.allSatisfy { $0 == 1 || $0 == 2 })
            if Set(target.byteArray).count == 2 { mixes += 1 }
            // Writing under a read is what no engine may do.
            #expect(bench.journal.first?.oracle == .deviceOrder)
        }
        #expect(mixes > 10)
    }

    @Test func `overlapping writes and buffers changed in flight are found`() {
        let first = DeviceBench()
        _ = first.submit(.write, block: 0, first.region(blocks: 2, of: 1))
        _ = first.submit(.write, block: 1, first.region(blocks: 1, of: 1))
        #expect(first.journal.first?.oracle == .operationRules)

        let second = DeviceBench()
        let region = second.region(blocks: 1, of: 1)
        let write = second.submit(.write, block: 0, region)
        region.fill(with: 2)
        _ = second.device.finish(write)
        #expect(second.journal.first?.oracle == .operationRules)
    }

    @Test func `the same seed does the same twice`() {
        func run() -> [[UInt8]] {
            let bench = DeviceBench(seed: 77)
            for block in 0..<8 { bench.write(UInt8(block), to: block) }
            bench.device.cutPower(.garbage)
            return (0..<8).map { bench.bytes(of: $0) }
        }
        #expect(run() == run())
    }
}
