import Catalogue
import Format
import IO
import Policy
import Testing
import Units

@testable import Engine

// What the scrub makes of each kind of damage, in one lane on devices in memory.

/// A volume of 96 MiB of which 64 are written, more than the flash of the bench holds.
private func makeBench() throws -> (bench: LaneBench, volume: VolumeSlot) {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    return (bench, bench.fillBeyondFlash())
}

/// Runs a pass that was asked for to its end.
func scrub(
    _ bench: LaneBench,
    outcome: (Operation) -> OperationResult = { _ in .done }
) -> [ScrubCounts] {
    bench.lane.startScrub()
    for _ in 0..<100_000 {
        for done in bench.settle(outcome: outcome) { bench.lane.release(done.token) }
        if !bench.lane.scrubFigures.contains(where: \.row.isAsked) { break }
        bench.now = bench.lane.nextDeadline ?? bench.now.advanced(byNanoseconds: 1_000_000)
    }
    #expect(!bench.lane.scrubFigures.contains { $0.row.isAsked })
    return bench.lane.scrubFigures.map(\.row.lastCounts)
}

/// The first block, from `start` on, of which a fact about its state holds.
private func find(
    _ bench: LaneBench,
    from start: UInt64 = 0,
    _ holds: (BlockState) -> Bool
) throws -> (block: UInt64, state: BlockState) {
    for block in start..<(64 << 8) {
        if let state = bench.state(of: block), holds(state) { return (block, state) }
    }
    throw NotFound()
}

private struct NotFound: Error {}

private func read(_ bench: LaneBench, _ volume: VolumeSlot, _ block: UInt64) -> [UInt8]? {
    bench.read(volume, at: block * 4096, count: 4096)
}

private func expected(_ block: UInt64) -> [UInt8] {
    let bytes = pattern(Int(block >> 6), count: 1 << 18)
    let start = Int(block & 63) * 4096
    return Array(bytes[start..<(start + 4096)])
}

/// Promotes a block that lies on disk alone, so that it has two copies.
private func makeTwoCopies(
    _ bench: LaneBench,
    _ volume: VolumeSlot
) throws -> (block: UInt64, state: BlockState) {
    let found = try find(bench) { $0.isStored && $0.flash.isNowhere }
    bench.lane.promote(
        volume,
        offset: found.block * 4096,
        byteCount: 4096,
        context: bench.context()
    )
    for done in bench.settle() { bench.lane.release(done.token) }
    return try find(bench, from: found.block) { $0.isCleanCopy }
}

@Test func `a scrub of a sound pool reads every copy and finds nothing`() throws {
    let (bench, volume) = try makeBench()
    _ = try makeTwoCopies(bench, volume)
    let heat = bench.lane.leaves.heat
    let touches = (0..<heat.count).map { heat[$0].lastTouch }
    let counts = scrub(bench)
    #expect(!counts.contains { $0.hasFindings })
    let recount = bench.lane.recount { bench.leaves[$0]?.bytes ?? [] }
    #expect(
        counts.map(\.verified)
            == [recount.flashBlockCount, recount.diskBlockCount].map(UInt64.init)
    )
    #expect(recount.flashBlockCount > 0 && recount.diskBlockCount > 0)
    #expect((0..<heat.count).map { heat[$0].lastTouch } == touches)
    #expect(bench.lane.statistics.blocksFromDisk == 0)
}

@Test func `the only copy that is damaged is poisoned, and nothing else`() throws {
    let (bench, volume) = try makeBench()
    for role in DeviceRole.allCases {
        let found = try find(bench) {
            $0.isStored && (role == .flash ? $0.isDirty : $0.flash.isNowhere)
        }
        bench.damage(role == .flash ? found.state.flash : found.state.disk)
        let counts = scrub(bench)[Scrub.tier(role)]
        #expect(counts.damaged == 1 && counts.poisoned == 1 && counts.repaired == 0)
        #expect(read(bench, volume, found.block) == nil)
        #expect(read(bench, volume, found.block + 1) == expected(found.block + 1))
        let texts = bench.lane.takeNews().filter { $0.type == "scrub_found" }.map(\.text)
        let location = role == .flash ? found.state.flash : found.state.disk
        #expect(texts.count == 1)
        #expect(texts.first?.contains("offset \(found.block * 4096) on \(role) device") == true)
        #expect(texts.first?.contains("block \(location.block): damaged") == true)
        #expect(!scrub(bench).contains { $0.hasFindings })
    }
}

@Test(arguments: DeviceRole.allCases)
func `a damaged copy beside a good one is given up`(role: DeviceRole) throws {
    let (bench, volume) = try makeBench()
    let found = try makeTwoCopies(bench, volume)
    bench.damage(role == .flash ? found.state.flash : found.state.disk)
    let counts = scrub(bench)[Scrub.tier(role)]
    #expect(counts.damaged == 1 && counts.repaired == 1 && counts.poisoned == 0)
    let left = try find(bench, from: found.block) { _ in true }
    #expect(left.state.flash.isNowhere == (role == .flash))
    #expect(left.state.disk.isNowhere == (role == .disk))
    #expect(read(bench, volume, found.block) == expected(found.block))
    #expect(!scrub(bench).contains { $0.hasFindings })
    #expect(bench.lane.recount { bench.leaves[$0]?.bytes ?? [] }.differences == [])
}

@Test func `two damaged copies are poisoned`() throws {
    let (bench, volume) = try makeBench()
    let found = try makeTwoCopies(bench, volume)
    bench.damage(found.state.flash)
    bench.damage(found.state.disk)
    let counts = scrub(bench)
    #expect(counts[0].damaged + counts[1].damaged >= 1)
    #expect(counts[0].poisoned + counts[1].poisoned == 1)
    #expect(read(bench, volume, found.block) == nil)
}

@Test func `one bad read proves nothing`() throws {
    let (bench, volume) = try makeBench()
    let found = try find(bench) { $0.isDirty }
    var isDamaged = false
    bench.lane.startScrub()
    // Damaged when it is read first, and good again at the second look.
    for _ in 0..<100_000 where bench.lane.scrubFigures.contains(where: \.row.isAsked) {
        for done in bench.settle(outcome: { operation in
            guard operation.device == DeviceIndex(0), operation.kind == .read else { return .done }
            let first = operation.offset / 4096
            let range = first..<(first + operation.byteCount / 4096)
            guard range.contains(found.state.flash.block) else { return .done }
            if !isDamaged || operation.byteCount == 4096 { bench.damage(found.state.flash) }
            isDamaged = true
            return .done
        }) { bench.lane.release(done.token) }
        bench.now = bench.lane.nextDeadline ?? bench.now.advanced(byNanoseconds: 1_000_000)
    }
    #expect(isDamaged)
    #expect(bench.lane.statistics.scrubDoubtsSettled == 1)
    #expect(!bench.lane.scrubFigures.contains { $0.row.lastCounts.hasFindings })
    #expect(read(bench, volume, found.block) == expected(found.block))
}

@Test func `what a device refuses to read is found and not given up`() throws {
    let (bench, volume) = try makeBench()
    let found = try find(bench) { $0.isStored && $0.flash.isNowhere }
    let counts = scrub(bench) { operation in
        let first = operation.offset / 4096
        let range = first..<(first + operation.byteCount / 4096)
        return operation.kind == .read && operation.device == found.state.disk.device
            && range.contains(found.state.disk.block) ? .mediaError : .done
    }
    #expect(counts[1].unreadable == 1 && counts[1].poisoned == 0 && counts[1].repaired == 0)
    #expect(read(bench, volume, found.block) == expected(found.block))
    #expect(!scrub(bench).contains { $0.hasFindings })
}

@Test func `a device that is away costs no copy`() throws {
    let (bench, volume) = try makeBench()
    let found = try makeTwoCopies(bench, volume)
    let counts = scrub(bench) { operation in
        operation.kind == .read && operation.device == DeviceIndex(1) ? .deviceLost : .done
    }
    #expect(counts[1].unreadable > 0 && counts[1].repaired == 0 && counts[1].poisoned == 0)
    let left = try find(bench, from: found.block) { _ in true }
    #expect(left.state == found.state)
    #expect(!scrub(bench).contains { $0.hasFindings })
}

@Test func `a scrub goes on where it was after a crash, and stays paused`() throws {
    let (bench, _) = try makeBench()
    bench.configuration.scrub.storeInterval = 0
    try bench.open()
    bench.lane.startScrub()
    while bench.lane.scrubFigures[1].row.counts.verified < 1000 {
        for done in bench.settle() { bench.lane.release(done.token) }
        bench.now = bench.lane.nextDeadline ?? bench.now.advanced(byNanoseconds: 1_000_000)
    }
    bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
    for done in bench.settle() { bench.lane.release(done.token) }
    let stored = bench.contents.scrubs
    #expect(stored.contains { $0.role == .disk && $0.isAsked && $0.counts.verified >= 1000 })
    try bench.open()
    #expect(
        bench.lane.scrubFigures.map(\.row) == stored.sorted { $0.role.rawValue < $1.role.rawValue }
    )
    bench.lane.pauseScrub()
    bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
    for done in bench.settle() { bench.lane.release(done.token) }
    try bench.open()
    #expect(bench.lane.scrubFigures.allSatisfy { $0.row.isPaused })
    let before = bench.lane.statistics.blocksScrubbed
    bench.now = bench.now.advanced(byNanoseconds: 86_400_000_000_000)
    for done in bench.settle() { bench.lane.release(done.token) }
    #expect(bench.lane.statistics.blocksScrubbed == before)
    bench.lane.startScrub()
    #expect(scrub(bench).allSatisfy { !$0.hasFindings })
}

@Test func `a pass takes no longer than it may, and no hurry`() throws {
    let (bench, _) = try makeBench()
    let began = bench.now
    while bench.lane.scrubFigures.contains(where: { $0.row.passCount == 0 }) {
        bench.now = try #require(bench.lane.nextDeadline)
        for done in bench.settle() { bench.lane.release(done.token) }
        let days = bench.now.nanoseconds(since: began) / 86_400_000_000_000
        let passes = bench.lane.scrubFigures.map(\.row.passCount)
        #expect(days < 7 || passes[0] > 0)
        #expect(days < 14 || passes[1] > 0)
        #expect(days >= 5 || passes[0] == 0)
        #expect(days >= 10 || passes[1] == 0)
        guard days < 15 else { break }
    }
}

@Test func `what the catalogue keeps of a scrub is read back, and nothing else is`() {
    var row = ScrubRow(lane: LaneIndex(3), role: .disk)
    row.isPaused = true
    row.tree = TreeIdentifier(.max)
    row.leaf = 77
    row.block = 511
    row.begunSeconds = 1_800_000_000
    row.counts.verified = 5
    row.lastCounts.poisoned = 9
    row.passCount = 2
    #expect(ScrubRow(key: row.key, text: row.text) == row)
    let words = row.text.split(separator: " ")
    for index in words.indices {
        var others = words.map(String.init)
        others[index] = "99999999999999999999"
        #expect(ScrubRow(key: row.key, text: others.joined(separator: " ")) == nil)
        others.remove(at: index)
        #expect(ScrubRow(key: row.key, text: others.joined(separator: " ")) == nil)
    }
    #expect(ScrubRow(key: "scrub.70000.disk", text: row.text) == nil)
    #expect(ScrubRow(key: "scrub.1.tape", text: row.text) == nil)
    #expect(ScrubRow(key: "other.1.disk", text: row.text) == nil)
}

/// A bad sector refuses a read of many blocks, of which it is one.
@Test func `an unreadable copy beside a good one is given up where its device gives others`() throws
{
    let (bench, volume) = try makeBench()
    let found = try makeTwoCopies(bench, volume)
    let place = found.state.disk
    let counts = scrub(bench) { operation in
        let first = operation.offset / 4096
        let blocks = first..<(first + UInt64(operation.byteCount / 4096))
        let isBad =
            operation.kind == .read && operation.device == place.device
            && blocks.contains(place.block)
        return isBad ? .mediaError : .done
    }[Scrub.tier(.disk)]
    #expect(counts.unreadable == 1 && counts.repaired == 1 && counts.poisoned == 0)
    let left = try find(bench, from: found.block) { _ in true }
    #expect(left.state.disk.isNowhere && left.state.flash.isPlace)
    #expect(read(bench, volume, found.block) == expected(found.block))
}
