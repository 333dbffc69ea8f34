package import Engine
package import Units

/// What one seed is about.  Drawn whole from the seed before anything happens: every class of event
/// is off in many seeds, because one that always happens hides others.
package struct SeedParameters: Sendable {
    package struct Device: Sendable {
        package var role: DeviceRole
        package var segmentBlockCount: Int
        package var segmentCount: Int
        package var character: DeviceCharacter
        /// Behind the last segment, for mirrors of the catalogue; of flash.
        package var mirrorBlockCount = 0
    }

    /// Weights of what the workload asks for.
    package struct Mix: Sendable {
        package var read = 30
        package var write = 40
        package var unalignedWrite = 6
        package var oddWrite = 2
        package var largeWrite = 3
        package var flush = 4
        package var trim = 3
        package var zeroes = 3
        package var promote = 1
        package var extents = 1
        package var resize = 0
        package var lifeOfVolumes = 0

        var weights: [Int] {
            [
                read, write, unalignedWrite, oddWrite, largeWrite, flush, trim, zeroes, promote,
                extents, resize, lifeOfVolumes,
            ]
        }
    }

    package var seed: UInt64
    package var laneCount = 1
    package var devices: [Device] = []
    package var configuration = LaneConfiguration()
    package var atomicByteCount = 1 << 16
    package var requestByteCountMax = 1 << 17
    package var volumeCount = 1
    package var islandCount = 1
    package var blocksPerIsland = 64
    package var pattern = AddressPattern.Kind.uniform
    /// All that the workload touches is written once before it begins.
    package var fillsVolumes = false
    package var mix = Mix()
    /// One write of so many asks to be durable; zero for none.
    package var durableOneIn = 0
    /// No two changes that touch the same block are in flight together.
    package var keepsChangesApart = false
    /// Requests in flight at most, and the typical time between two.
    package var depth = 8
    package var thinkNanoseconds: UInt64 = 10_000
    /// A client keeps the data of a reply for up to so long.
    package var holdNanoseconds: UInt64 = 0
    /// One event of so many is a crash; zero for none.
    package var crashOneIn = 0
    /// Openings of the pool are cut off at times.
    package var cutsOpenings = true
    /// In so many of 1000 cases a crash comes within three events of the reply to a flush.
    package var crashAfterFlushPermille = 0
    /// In so many of 1000 cases a crash is followed by another within a few events.
    package var crashAgainPermille = 0
    package var crashModes: [CrashMode] = [.dropAll]
    /// Before one request of so many somebody starts or pauses a scrub; zero for never.
    package var scrubOneIn = 0
    /// After some crashes an older copy of the catalogue is put in its place.
    package var putsBackOldCatalogues = false
    /// The catalogue is lost now and then, and made anew from the devices.
    package var losesCatalogue = false
    package var commitNanoseconds: UInt64 = 2_000_000
    package var loadNanoseconds: UInt64 = 200_000
    package var slowOneIn = 0
    package var faults = FaultRates()
    /// Events that come together are delivered together when they lie this close.
    package var batchNanoseconds: UInt64 = 0
    package var stepsMax = 1000

    package init(seed: UInt64, stepsMax: Int) {
        self.seed = seed
        self.stepsMax = stepsMax
        var random = SimulationRandom(seed: seed, stream: .parameters)
        laneCount = random.pick([1, 1, 1, 2, 2, 3])
        slowOneIn = random.pick([0, 0, 200, 50])
        drawSizes(&random)
        drawDevices(&random)
        drawConfiguration(&random)
        drawVolumes(&random)
        drawMix(&random)
        drawLoad(&random)
        drawCrashes(&random)
        drawScrub(&random)
        drawFaults()
        drawMirror()
        drawTiers()
    }

    /// In one seed of four with a disk flash is hardly larger than it must be, and volumes are full
    /// before the load begins: most data lie on disk, and what is read comes back.
    private mutating func drawTiers() {
        var random = SimulationRandom(seed: seed, stream: .tiers)
        guard random.isOne(in: 4), devices.contains(where: { $0.role == .disk }) else { return }
        let flashCount = devices.filter { $0.role == .flash }.count
        let percent = random.pick([100, 150, 200])
        for index in devices.indices where devices[index].role == .flash {
            devices[index].segmentBlockCount = atomicByteCount / 4096 + 4
            devices[index].segmentCount = (6 + 8 * laneCount) * percent / 100 / flashCount + 1
        }
        setVolumeSize(percent: random.pick([60, 80, 100]))
        fillsVolumes = true
        mix.read = max(mix.read, 40)
        mix.promote = random.pick([2, 10, 30])
        guard losesCatalogue else { return }
        // Large leaves, of which a checkpoint says one: rounds of mirrors take many checkpoints.
        configuration.mirrorSliceBlockCount = 1
        let blockCount = laneCount * random.pick([16, 30, 80])
        for index in devices.indices where devices[index].role == .flash {
            devices[index].mirrorBlockCount = blockCount
        }
    }

    /// From no room at all to room for many rounds.
    private mutating func drawMirror() {
        var random = SimulationRandom(seed: seed, stream: .mirror)
        for index in devices.indices where devices[index].role == .flash {
            devices[index].mirrorBlockCount =
                laneCount * random.pick([0, 3, 6, 10, 10, 16, 16, 30, 80])
        }
        configuration.mirrorRecordBlockMax = random.pick([8, 8, 12, 64])
        // Segments are small; what takes many turns in large ones is to take some in these.
        configuration.reclaimSliceBlockCount = random.pick([8, 16, 64, 64])
        configuration.chunksDecidedPerTurn = random.pick([1, 4, 64, 64])
        configuration.mirrorSliceBlockCount = random.pick([1, 1, 3, 16, 256])
        losesCatalogue = random.isOne(in: 2)
    }

    /// Has chances of its own: without faults a seed is what it would be if there were none.
    private mutating func drawFaults() {
        var random = SimulationRandom(seed: seed, stream: .faultRates)
        guard random.isOne(in: 3) else {
            putsBackOldCatalogues = random.isOne(in: 3)
            return
        }
        faults = FaultRates(
            hasCrashes: crashOneIn + crashAfterFlushPermille > 0,
            random: &random
        )
    }

    private mutating func drawSizes(_ random: inout SimulationRandom) {
        // A record must hold a whole chunk.
        atomicByteCount = random.pick([64 << 10, 64 << 10, 96 << 10, 128 << 10])
        requestByteCountMax = atomicByteCount * random.pick([1, 1, 2, 3])
    }

    private mutating func drawDevices(_ random: inout SimulationRandom) {
        let least = atomicByteCount / 4096 + 4
        func device(_ role: DeviceRole, blocks: Int, random: inout SimulationRandom) -> Device {
            let size = random.number(in: max(least, 12)...max(least + 4, 64))
            var count = max(blocks / size, 6)
            if role == .flash { count += 8 * laneCount }
            return Device(
                role: role,
                segmentBlockCount: size,
                segmentCount: count,
                character: character(role, random: &random)
            )
        }
        let flashCount = random.pick([1, 1, 1, 2])
        for _ in 0..<flashCount {
            let blocks = random.number(in: 256...900) / flashCount
            devices.append(device(.flash, blocks: blocks, random: &random))
        }
        for _ in 0..<random.pick([0, 1, 1, 1, 1, 2]) {
            let blocks = random.number(in: 300...1600)
            devices.append(device(.disk, blocks: blocks, random: &random))
        }
    }

    private func character(
        _ role: DeviceRole,
        random: inout SimulationRandom
    ) -> DeviceCharacter {
        var character = DeviceCharacter()
        let factor: UInt64 = role == .flash ? 1 : random.pick([1, 10, 50])
        character.readNanoseconds = UInt64(random.number(in: 5_000...150_000)) * factor
        character.writeNanoseconds = UInt64(random.number(in: 5_000...150_000)) * factor
        character.flushNanoseconds = UInt64(random.number(in: 5_000...2_000_000)) * factor
        character.blockNanoseconds = UInt64(random.number(in: 0...4_000))
        character.slowOneIn = slowOneIn
        character.discard = random.pick(DeviceCharacter.Discard.allCases)
        return character
    }

    private mutating func drawConfiguration(_ random: inout SimulationRandom) {
        configuration.isPopulated = false
        configuration.atomicByteCountMax = atomicByteCount
        configuration.leafCount = random.pick([12, 16, 32, 64])
        configuration.requestCount = random.pick([24, 64, 200])
        configuration.operationCount = random.pick([192, 256, 512])
        configuration.hostRecordCount = random.number(in: 3...12)
        configuration.moveCount = random.pick([2, 2, 3, 5, 8])
        configuration.hostRecordsInFlightMax = random.number(in: 1...4)
        let largest = requestByteCountMax / 4096 + 2
        configuration.buffers = [
            BufferClass(blockCount: 2, count: random.pick([8, 64, 400])),
            BufferClass(blockCount: max(largest / 2, 3), count: random.pick([4, 16])),
            BufferClass(blockCount: max(largest, 4), count: random.pick([2, 8])),
        ]
        configuration.checkpointInterval = UInt64(random.number(in: 1...400)) * 1_000_000
        configuration.checkpointSpacing = min(
            UInt64(random.number(in: 0...10)) * 1_000_000,
            configuration.checkpointInterval
        )
        configuration.checkpointLogBlockCount = random.pick([32, 128, 512, 4096])
        configuration.markDelay = UInt64(random.number(in: 1...30)) * 1_000_000
        configuration.leavesEncodedPerTurn = random.number(in: 1...8)
        configuration.heatTick = random.pick([1_000_000, 20_000_000, 1_000_000_000])
        commitNanoseconds = UInt64(random.number(in: 100_000...20_000_000))
        loadNanoseconds = UInt64(random.number(in: 20_000...2_000_000))
    }

    private mutating func drawVolumes(_ random: inout SimulationRandom) {
        volumeCount = max(laneCount, random.number(in: 1...4))
        // Of what the devices hold: from a little to more than there is.
        let percent = random.pick([15, 40, 60, 80, 120])
        islandCount = random.pick([1, 2, 3, 6])
        setVolumeSize(percent: percent)
        pattern = random.pick(AddressPattern.Kind.allCases)
    }

    /// Gives volumes together so many of 100 blocks that the devices have.
    private mutating func setVolumeSize(percent: Int) {
        let data = devices.reduce(0) { $0 + $1.segmentBlockCount * $1.segmentCount }
        let blocks = max(data * percent / 100 / volumeCount, 16)
        blocksPerIsland = max(blocks / islandCount, 8)
    }

    private mutating func drawMix(_ random: inout SimulationRandom) {
        func maybe(_ range: ClosedRange<Int>) -> Int {
            random.isOne(in: 2) ? 0 : random.number(in: range)
        }
        mix.read = random.pick([2, 20, 40, 100])
        mix.write = random.pick([10, 40, 80])
        mix.unalignedWrite = maybe(2...20)
        mix.oddWrite = maybe(1...10)
        mix.largeWrite = maybe(1...10)
        mix.flush = maybe(1...15)
        mix.trim = maybe(2...25)
        mix.zeroes = maybe(2...15)
        mix.promote = maybe(1...10)
        mix.extents = maybe(1...5)
        mix.resize = random.pick([0, 0, 0, 0, 0, 0, 1, 10])
        mix.lifeOfVolumes = random.isOne(in: 3) ? 1 : 0
        keepsChangesApart = random.isOne(in: 2)
        durableOneIn = random.pick([0, 0, 30, 5])
    }

    private mutating func drawLoad(_ random: inout SimulationRandom) {
        depth = random.pick([1, 4, 16, 16, 48])
        thinkNanoseconds = random.pick([0, 2_000, 20_000, 300_000])
        holdNanoseconds = random.pick([0, 0, 50_000, 1_000_000])
        batchNanoseconds = random.pick([0, 10_000, 100_000])
    }

    /// In half the seeds scrubs go as slowly as in a pool that people use: never, in this time.
    private mutating func drawScrub(_ random: inout SimulationRandom) {
        var pace = ScrubPace()
        pace.flashIdleBlock = random.pick([0, 8_000, 100_000])
        pace.diskIdleBlock = random.pick([0, 30_000, 100_000])
        pace.flashBusyBlock = random.pick([8_000, 100_000])
        pace.diskBusyBlock = random.pick([30_000, 400_000])
        pace.hostPause = random.pick([100_000, 10_000_000])
        pace.storeInterval = random.pick([1_000_000, 50_000_000])
        let isEager = random.isOne(in: 2)
        if isEager {
            pace.flashPass = UInt64(random.number(in: 10...1000)) * 1_000_000
            pace.diskPass = UInt64(random.number(in: 10...1000)) * 1_000_000
            pace.delay = UInt64(random.number(in: 0...20)) * 1_000_000
        }
        configuration.scrub = pace
        scrubOneIn = random.pick([0, 0, 0, 100])
    }

    private mutating func drawCrashes(_ random: inout SimulationRandom) {
        crashOneIn = random.pick([0, 50, 200, 400, 800, 800])
        crashAfterFlushPermille = random.pick([0, 0, 0, 50, 200, 900])
        crashAgainPermille = random.pick([0, 100, 300])
        if random.isOne(in: 2) {
            crashModes = CrashMode.all
        } else {
            crashModes = [random.pick(CrashMode.all)]
        }
    }
}
