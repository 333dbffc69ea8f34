import IO
import Testing
import Units

@testable import Engine
@testable import Simulation

struct FaultTests {
    private let geometry = DeviceGeometry(
        index: DeviceIndex(0),
        role: .flash,
        segmentBlockCount: 16,
        segmentCount: 8
    )

    private func device(_ rates: FaultRates, _ journal: Journal) -> SimulatedDevice {
        let device = SimulatedDevice(
            index: DeviceIndex(0),
            blockCount: 256 + 8 * 16 + 256,
            segmentBlockCount: 16,
            character: DeviceCharacter(),
            seed: 7,
            image: DurableImage(),
            cells: CellStore(),
            journal: journal
        )
        device.faults = DeviceFaults(rates: rates, geometry: geometry, seed: 7, journal: journal)
        device.faults?.isArmed = true
        return device
    }

    private func run(
        _ device: SimulatedDevice,
        _ kind: Operation.Kind,
        block: Int,
        _ region: BufferRegion
    ) -> OperationResult {
        let operation = Operation(
            kind: kind,
            device: DeviceIndex(0),
            offset: UInt64(block) * 4096,
            byteCount: 0,
            region: region,
            token: 1
        )
        let site: FaultSite = kind == .read ? .hostFlashRead : .hostRecordWrite
        let slot = device.submit(operation, site: kind == .flush ? .recordFlush : site).slot
        return device.finish(slot).result
    }

    @Test func `a block that cannot be read can be when it was written`() {
        let journal = Journal()
        let device = device(FaultRates(), journal)
        let arena = Arena(byteCount: 2 * 4096, isPopulated: false)
        #expect(device.makeUnreadable(300))
        #expect(run(device, .read, block: 300, arena.region.block(0)) == .mediaError)
        #expect(run(device, .read, block: 299, arena.region) == .mediaError)
        #expect(run(device, .read, block: 301, arena.region.block(0)) == .done)
        arena.region.fill(with: 3)
        #expect(run(device, .write, block: 300, arena.region.block(0)) == .done)
        #expect(run(device, .read, block: 300, arena.region.block(1)) == .done)
        #expect(arena.region.block(1).isEqual(to: arena.region.block(0)))
        #expect(device.faults?.isDamaged(300) == false)
        let cell = FaultMatrix.index(.latentError, .hostFlashRead)
        #expect(journal.matrix.counts[cell] == 2)
        #expect(journal.isEmpty)
    }

    @Test func `a flush that fails may lose what completed, and the next one succeeds`() {
        var rates = FaultRates()
        rates.flushErrorOneIn = 1
        let journal = Journal()
        let device = device(rates, journal)
        let arena = Arena(byteCount: 4096, isPopulated: false)
        arena.region.fill(with: 5)
        var lossCount = 0
        for block in 256..<300 {
            #expect(run(device, .write, block: block, arena.region) == .done)
            device.faults?.isArmed = true
            #expect(run(device, .flush, block: 0, .empty) == .mediaError)
            device.faults?.isArmed = false
            #expect(run(device, .flush, block: 0, .empty) == .done)
            if device.faults?.isDamaged(block) == true { lossCount += 1 }
        }
        #expect(lossCount > 0 && lossCount < 44)
        device.faults?.restart()
        #expect(device.faults?.isClean == true)
    }

    @Test func `a lost write leaves what was there and a misdirected one hits another place`() {
        for isLost in [true, false] {
            var rates = FaultRates()
            rates.reachesHostRecords = true
            if isLost { rates.lostWriteOneIn = 1 } else { rates.misdirectedWriteOneIn = 1 }
            let device = device(rates, Journal())
            let arena = Arena(byteCount: 2 * 4096, isPopulated: false)
            arena.region.fill(with: 5)
            while device.faults?.isClean == true {
                #expect(run(device, .write, block: 320, arena.region.block(0)) == .done)
            }
            #expect(device.faults?.isDamaged(320) == true)
            device.readNow(offset: 320 * 4096, into: arena.region.block(1))
            #expect(!arena.region.block(1).isEqual(to: arena.region.block(0)))
            #expect(device.faults?.damagedCount == (isLost ? 1 : 2))
        }
    }

    @Test func `most seeds have no faults and each class is off in half of the others`() {
        let faulty = (0..<600).map { SeedParameters(seed: $0, stepsMax: 10).faults }
            .filter(\.isAnyOn)
        #expect(faulty.count > 120 && faulty.count < 300)
        for rate in [
            \FaultRates.rotOneIn, \.latentErrorOneIn, \.writeErrorOneIn, \.lostWriteOneIn,
            \.misdirectedWriteOneIn, \.transientErrorOneIn, \.transientRotOneIn, \.flushErrorOneIn,
        ] {
            let share = faulty.count { $0[keyPath: rate] > 0 } * 100 / faulty.count
            #expect(share > 15 && share < 70)
        }
    }
}
