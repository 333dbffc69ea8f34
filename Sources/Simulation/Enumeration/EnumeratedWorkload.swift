internal import Engine
internal import Units

/// One operation of an enumerated workload.  Blocks are those of the first volume, chosen so that
/// any two operations touch each other.
package enum EnumeratedStep: Int, CaseIterable, Sendable {
    case writeBlock
    /// Ends inside of blocks.
    case writePart
    /// The largest that is applied whole or not at all.
    case writeLarge
    case writeDurable
    case flush
    case trim
    case zeroes
    case promote
    /// Time passes, until what the engine does by itself has come to rest: it closes records,
    /// writes its mark, commits a checkpoint, reclaims, demotes.
    case rest
    case grow
    case shrink
    case createVolume
    case writeOtherVolume
    case destroyOtherVolume
}

/// What is run, and cut at every event: some operations, on a pool that is fresh or was used.
package struct EnumeratedWorkload: Sendable, CustomStringConvertible {
    package var steps: [EnumeratedStep]
    /// The pool has been written to until segments were reclaimed.
    package var isUsed: Bool
    /// All operations are asked for at once, instead of each after the reply to the one before.
    package var isTogether: Bool

    package var description: String {
        "\(steps.map { "\($0)" }.joined(separator: ", "))\(isTogether ? ", together" : ""), on a "
            + "\(isUsed ? "used" : "fresh") pool"
    }

    /// How many workloads of up to `stepCount` operations there are.
    package static func count(stepCount: Int) -> UInt64 {
        (1...max(stepCount, 1)).reduce(0) { $0 + count(exactly: $1) }
    }

    private static func count(exactly stepCount: Int) -> UInt64 {
        var count: UInt64 = 2
        for _ in 0..<stepCount { count *= UInt64(EnumeratedStep.allCases.count) }
        // One operation alone is not together with anything.
        return stepCount == 1 ? count : 2 * count
    }

    /// Workload `number`, by the number of operations; the same for ever.
    package init(number: UInt64) {
        var rest = number
        var stepCount = 1
        while rest >= Self.count(exactly: stepCount) {
            rest -= Self.count(exactly: stepCount)
            stepCount += 1
        }
        func draw(_ choices: Int) -> Int {
            defer { rest /= UInt64(choices) }
            return Int(rest % UInt64(choices))
        }
        isUsed = draw(2) == 1
        isTogether = stepCount > 1 && draw(2) == 1
        steps = []
        for _ in 0..<stepCount {
            let index = draw(EnumeratedStep.allCases.count)
            steps.append(EnumeratedStep.allCases[index])
        }
    }
}

extension SeedParameters {
    /// A small pool, one lane or two, with the same timing for the same number.
    init(enumerating number: UInt64) {
        self.init(seed: number, stepsMax: 0)
        laneCount = 1
        slowOneIn = 0
        atomicByteCount = 64 << 10
        requestByteCountMax = 64 << 10
        var flash = DeviceCharacter()
        flash.discard = .scrambles
        var disk = flash
        disk.readNanoseconds = 300_000
        disk.writeNanoseconds = 200_000
        disk.flushNanoseconds = 2_000_000
        devices = [
            Device(role: .flash, segmentBlockCount: 24, segmentCount: 14, character: flash),
            Device(role: .disk, segmentBlockCount: 24, segmentCount: 8, character: disk),
        ]
        configuration = LaneConfiguration()
        configuration.isPopulated = false
        configuration.atomicByteCountMax = atomicByteCount
        configuration.leafCount = 12
        configuration.requestCount = 16
        configuration.operationCount = 128
        configuration.hostRecordCount = 4
        configuration.moveCount = 3
        configuration.buffers = [
            BufferClass(blockCount: 2, count: 16), BufferClass(blockCount: 18, count: 8),
            BufferClass(blockCount: 34, count: 4),
        ]
        configuration.ghostCount = 64
        configuration.mirrorRecordBlockMax = 8
        configuration.mirrorSliceBlockCount = 2
        losesCatalogue = SimulationRandom.mix(number) % 2 == 1
        devices[0].mirrorBlockCount = losesCatalogue ? 24 : 0
        configuration.checkpointInterval = 20_000_000
        configuration.checkpointSpacing = 1_000_000
        configuration.checkpointLogBlockCount = 64
        configuration.markDelay = 3_000_000
        configuration.heatTick = 1_000_000
        commitNanoseconds = 1_000_000
        loadNanoseconds = 100_000
        volumeCount = 1
        islandCount = 1
        blocksPerIsland = 96
        pattern = .sequential
        durableOneIn = 0
        keepsChangesApart = false
        depth = 8
        holdNanoseconds = 0
        batchNanoseconds = 0
        cutsOpenings = false
        crashOneIn = 0
        crashAfterFlushPermille = 0
        crashAgainPermille = 0
        crashModes = [.dropAll]
        faults = FaultRates()
    }
}
