import Format
import IO
import Testing
import Units

@testable import Engine

// A full pool of flash alone, in which the device refuses to read a block of each segment.

private final class FullPool {
    let bench: LaneBench
    let volume: VolumeSlot
    let chunkCount: Int
    /// Seeds of the chunks' patterns.
    private var contents: [Int]
    /// A live block of each segment, and where it lies.
    private(set) var chosen: [UInt64: Location] = [:]
    private var nextSeed = 0
    private let start: Instant

    /// - Parameter chosenCount: segments of which a block is chosen, at most.
    init(chosenCount: Int = .max) throws {
        bench = try LaneBench(flashSegments: 14, diskSegments: 0)
        bench.configuration.atomicByteCountMax = 16 * 4096
        try bench.open()
        volume = bench.createVolume()
        chunkCount = bench.pool.capacityBlockCount / Geometry.blocksPerChunk
        contents = Array(repeating: 0, count: chunkCount)
        start = bench.now
        for chunk in 0..<chunkCount { _ = overwrite(chunk) { _ in .done } }
        var segments: Set<Int> = []
        for chunk in 0..<chunkCount {
            let block = UInt64(chunk * Geometry.blocksPerChunk + chunk % Geometry.blocksPerChunk)
            guard segments.count < chosenCount, let state = bench.state(of: block),
                state.flash.isPlace, segments.insert(bench.pool.slot(of: state.flash)).inserted
            else { continue }
            chosen[block] = state.flash
        }
    }

    /// Overwrites a chunk and waits for it, for minutes if need be; nil if that was not enough.
    func overwrite(
        _ chunk: Int,
        outcome: (Operation) -> OperationResult
    ) -> RequestStatus? {
        nextSeed += 1
        contents[chunk] = nextSeed
        bench.begin(volume, at: UInt64(chunk) << 16, pattern(nextSeed, count: 1 << 16))
        for _ in 0..<1500 {
            bench.now = bench.now.advanced(byNanoseconds: 100_000_000)
            let finished = bench.settle(outcome: outcome)
            for done in finished { bench.lane.release(done.token) }
            if let status = finished.first?.status { return status }
        }
        return nil
    }

    /// Overwrites chunks, but none that has a chosen block, three times as many as there are.
    func overwriteOthers(outcome: (Operation) -> OperationResult) {
        let spared = Set(chosen.keys.map { Int($0) / Geometry.blocksPerChunk })
        for step in 0..<(3 * chunkCount) where !spared.contains(step * 7 % chunkCount) {
            #expect(overwrite(step * 7 % chunkCount, outcome: outcome) == .done)
        }
    }

    func isChosen(_ operation: Operation) -> Bool {
        let blocks = UInt64(operation.region.byteCount / 4096)
        let first = operation.offset / 4096
        return operation.kind == .read
            && chosen.values.contains { (first..<(first + blocks)).contains($0.block) }
    }

    var seconds: UInt64 { bench.now.nanoseconds(since: start) / 1_000_000_000 }

    /// Damages header and tail of every record on the device.
    ///
    /// - Returns: how many blocks that were.
    func loseTables() -> Int {
        var count = 0
        let geometry = bench.flash
        for block in 0..<(Int(geometry.segmentCount) * geometry.segmentBlockCount) {
            let place = UInt64(DeviceGeometry.firstSegmentBlock) + UInt64(block)
            let start = Int(place) * 4096
            guard Array(bench.images[0][start..<(start + 8)]) == Array("ISORECRD".utf8) else {
                continue
            }
            bench.damage(Location(device: DeviceIndex(0), block: place))
            count += 1
        }
        return count
    }

    /// Reads everything block by block.
    ///
    /// - Returns: the blocks that could not be read.
    func verify() -> Set<UInt64> {
        var refused: Set<UInt64> = []
        for chunk in 0..<chunkCount {
            let expected = pattern(contents[chunk], count: 1 << 16)
            for index in 0..<Geometry.blocksPerChunk {
                let block = UInt64(chunk * Geometry.blocksPerChunk + index)
                guard let bytes = bench.read(volume, at: block * 4096, count: 4096) else {
                    refused.insert(block)
                    continue
                }
                #expect(bytes == Array(expected[(index * 4096)..<((index + 1) * 4096)]))
            }
        }
        return refused
    }
}

@Test func `blocks that a device keeps refusing are given up before writes wait for ever`() throws {
    let full = try FullPool()
    #expect(full.chosen.count > 5)
    let begun = full.seconds
    full.overwriteOthers { full.isChosen($0) ? .mediaError : .done }
    #expect(full.seconds >= begun + 60)
    let lost = full.verify()
    #expect(!lost.isEmpty)
    #expect(lost.isSubset(of: full.chosen.keys))
    #expect(full.bench.lane.statistics.blocksPoisoned == UInt64(lost.count))
}

@Test func `blocks that a device refuses for a while are not given up`() throws {
    let full = try FullPool()
    let end = full.bench.now.advanced(byNanoseconds: 50_000_000_000)
    var refusals = 0
    full.overwriteOthers { operation in
        guard full.isChosen(operation), full.bench.now < end else { return .done }
        refusals += 1
        return .mediaError
    }
    #expect(refusals > 0)
    #expect(full.bench.lane.statistics.blocksPoisoned == 0)
    #expect(full.verify().isEmpty)
}

@Test func `nothing is given up while hosts find room`() throws {
    let full = try FullPool(chosenCount: 1)
    for _ in 0..<5 {
        full.overwriteOthers { full.isChosen($0) ? .mediaError : .done }
        full.bench.now = full.bench.now.advanced(byNanoseconds: 100_000_000_000)
    }
    #expect(full.bench.lane.unreadBlocks.count == 1)
    #expect(full.bench.lane.statistics.blocksPoisoned == 0)
    #expect(full.verify().isEmpty)
}

@Test func `no more blocks are given up than writes need`() throws {
    let full = try FullPool()
    let begun = full.bench.lane.statistics.segmentsReclaimed
    var step = 0
    while full.bench.lane.statistics.blocksPoisoned == 0, step < 10 * full.chunkCount {
        let chunk = step * 7 % full.chunkCount
        step += 1
        guard !full.chosen.keys.contains(where: { Int($0) / 16 == chunk }) else { continue }
        #expect(full.overwrite(chunk) { full.isChosen($0) ? .mediaError : .done } == .done)
    }
    #expect(full.bench.lane.statistics.segmentsReclaimed > begun)
    let count = full.bench.lane.statistics.blocksPoisoned
    #expect(count > 0 && count <= UInt64(full.chosen.count / 2))
}

@Test func `a device that gives nothing for a while costs no block`() throws {
    let full = try FullPool()
    let end = full.bench.now.advanced(byNanoseconds: 90_000_000_000)
    full.overwriteOthers { $0.kind == .read && full.bench.now < end ? .mediaError : .done }
    #expect(full.bench.lane.statistics.blocksPoisoned == 0)
    #expect(full.verify().isEmpty)
}

@Test func `a segment that is let go while its device is asked is not asked about`() throws {
    let full = try FullPool()
    var forgotten: Location?
    var askedBehind: Location?
    full.overwriteOthers { operation in
        let lane = full.bench.lane
        if forgotten != nil, askedBehind == nil, lane.asking.phase == .block {
            askedBehind = lane.unreadBlocks[lane.asking.index].item.source
        }
        let geometry = full.bench.pool.devices[0]
        let block = Int(operation.offset / 4096) - Int(DeviceGeometry.firstSegmentBlock)
        let isHeader = block >= 0 && block % geometry.segmentBlockCount == 0
        guard operation.kind == .read, isHeader, lane.asking.phase == .companion else {
            return full.isChosen(operation) ? .mediaError : .done
        }
        let source = lane.unreadBlocks[lane.asking.index].item.source
        let own = full.bench.pool.slot(of: source)
        if lane.asking.companion == own { return .mediaError }
        if forgotten == nil {
            forgotten = source
            lane.forgetUnread(in: own)
        }
        return .done
    }
    #expect(askedBehind != nil)
    #expect(askedBehind != forgotten)
}

@Test func `blocks that no record tells of hold no segment for ever`() throws {
    let full = try FullPool()
    #expect(full.loseTables() > 0)
    full.overwriteOthers { _ in .done }
    #expect(full.bench.lane.statistics.mapSearches > 0)
    #expect(full.bench.lane.statistics.blocksPoisoned == 0)
    #expect(full.verify().isEmpty)
}
