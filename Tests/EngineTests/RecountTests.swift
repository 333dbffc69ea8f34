import Catalogue
import Format
import IO
import Testing
import Units

@testable import Engine

// A recount tells each kind of difference, and beside hosts it tells none that is not there.

private func makeBench() throws -> (bench: LaneBench, volume: VolumeSlot) {
    let bench = try LaneBench()
    let volume = bench.createVolume(byteCount: 512 << 20)
    // More leaves than the lane holds in memory.
    for index in 0..<150 {
        let offset = UInt64(index) << 21
        // Checkpoints come between, so that leaves find room.
        bench.now = bench.now.advanced(byNanoseconds: 200_000_000)
        #expect(bench.write(volume, at: offset, pattern(index, count: 8192)) == .done)
    }
    bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
    for done in bench.settle() { bench.lane.release(done.token) }
    return (bench, volume)
}

private func recount(_ bench: LaneBench) throws -> Recount {
    bench.lane.beginRecount()
    for done in bench.settle() { bench.lane.release(done.token) }
    guard case .ended(let recount) = bench.lane.recountState else {
        throw NotEnded()
    }
    return recount
}

private struct NotEnded: Error {}

@Test func `a recount counts leaves in memory and in the catalogue`() throws {
    let (bench, _) = try makeBench()
    let found = try recount(bench)
    #expect(found.differences == [])
    #expect(found.ownedBlockCount == 300 && found.flashBlockCount == 300)
    #expect(found.leafCount == 150 && found.volumeCount == 1)
    #expect(bench.lane.leaves.readyCount < 150)
    #expect(bench.lane.recount { bench.leaves[$0]?.bytes ?? [] }.ownedBlockCount == 300)
}

@Test func `a recount follows what hosts change meanwhile`() throws {
    let (bench, volume) = try makeBench()
    bench.lane.beginRecount()
    var index = 0
    while case .running = bench.lane.recountState {
        let offset = UInt64(index * 37 % 200) << 21
        bench.now = bench.now.advanced(byNanoseconds: 20_000_000)
        let isAdmitted = bench.lane.admits(.write, byteCount: 8192)
        switch isAdmitted ? index % 3 : 3 {
        case 0: bench.begin(volume, at: offset + 4096, pattern(index, count: 8192))
        case 1:
            bench.lane.trim(
                volume,
                offset: offset,
                byteCount: 8192,
                isDurable: false,
                context: bench.context()
            )
        case 2: bench.begin(volume, at: offset, pattern(index, count: 4096))
        default: break
        }
        bench.lane.turn(now: bench.now)
        bench.carry(out: bench.takeOperations())
        if index % 2 == 0 { bench.answerCatalogue() }
        while let done = bench.lane.nextFinished() { bench.lane.release(done.token) }
        index += 1
    }
    #expect(index > 100)
    guard case .ended(let found) = bench.lane.recountState else { return }
    #expect(found.differences == [])
    #expect(found.ownedBlockCount == bench.lane.ownedBlocks)
}

@Test func `each count that is wrong is told`() throws {
    let (bench, _) = try makeBench()
    let good = bench.contents
    bench.contents.segments[0].liveBlockCount += 1
    try bench.open()
    let segments = try recount(bench).differences
    #expect(segments.count == 1)

    bench.contents.segments = good.segments
    bench.contents.volumes[0].ownedBlockCount -= 1
    try bench.open()
    let owned = try recount(bench).differences
    #expect(owned.count == 1 && owned[0].contains("owns 300 blocks, 299 are kept"))

    // Segments that blocks lie in are missing, but for the one in which the log goes on.
    bench.contents.volumes = good.volumes
    let last = bench.contents.positions[0].segment
    bench.contents.segments.removeAll { $0.liveBlockCount > 0 && $0.address != last }
    try bench.open()
    let missing = try recount(bench).differences
    #expect(missing.contains { $0.contains("is not in use") })
}

@Test func `two blocks in one place, and a block among headers, are told`() throws {
    let (bench, _) = try makeBench()
    let slot = try #require(bench.lane.leaves.find(volume: 0, index: 149))
    let first = slot * Geometry.blocksPerLeaf
    var state = bench.lane.leaves.states[first]
    let whole = state.flash
    state.flash = bench.lane.leaves.states[first + 1].flash
    bench.lane.leaves.states[first] = state
    let twice = try recount(bench).differences
    #expect(twice.count == 1 && twice[0].hasPrefix("two blocks lie at block"))

    let segment = bench.pool.slot(of: whole)
    let geometry = bench.pool.geometry(of: segment)
    state.flash = Location(
        device: whole.device,
        block: geometry.firstBlock(of: bench.pool.address(of: segment).index)
    )
    bench.lane.leaves.states[first] = state
    let found = try recount(bench).differences
    #expect(found.count == 1 && found[0].contains("where a segment has its headers"))
}

@Test func `a leaf that cannot be read is told`() throws {
    let (bench, _) = try makeBench()
    try bench.open()
    let key = try #require(bench.leaves.keys.sorted().dropFirst(3).first)
    bench.leaves[key]?.bytes[40] ^= 1
    let found = try recount(bench).differences
    #expect(found.contains { $0.contains("leaf \(key.index) of tree") })
    #expect(found.contains { $0.contains("owns 298 blocks, 300 are kept") })
}
