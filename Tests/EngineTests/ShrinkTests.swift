import Catalogue
import IO
import Testing
import Units

@testable import Engine

// What a volume loses when it gets smaller never shows again, however it is cut and whoever writes
// meanwhile.

@Test(arguments: [8 << 20, (8 << 20) + 512, (8 << 20) - 3584, 512])
func `a volume that got smaller and larger again is zero behind the smaller end`(
    end: Int
) throws {
    let bench = try LaneBench()
    let volume = bench.createVolume(byteCount: (16 << 20) + 512)
    let bytes = pattern(1, count: 1 << 20)
    for offset in stride(from: 0, to: 16 << 20, by: 1 << 20) {
        #expect(bench.write(volume, at: UInt64(offset), bytes) == .done)
    }
    #expect(bench.write(volume, at: 16 << 20, pattern(2, count: 512)) == .done)
    let charged = bench.pool.chargedBlocks
    #expect(resize(bench, volume, to: end) == .done)
    #expect(bench.pool.chargedBlocks == (end + 4095) / 4096)
    #expect(bench.pool.chargedBlocks < charged)
    #expect(bench.read(volume, at: UInt64(end), count: 512) == nil)
    try bench.open()
    let again = try #require(bench.lane.volumeList.first).slot
    #expect(resize(bench, again, to: 17 << 20) == .done)
    let start = max(0, end - 4096)
    let kept = (start..<end).map { bytes[$0 % (1 << 20)] }
    #expect(bench.read(again, at: UInt64(start), count: end - start) == kept)
    for offset in stride(from: end, to: 17 << 20, by: 1 << 18) {
        let count = min(1 << 18, (17 << 20) - offset)
        let found = bench.read(again, at: UInt64(offset), count: count)
        #expect(found?.allSatisfy { $0 == 0 } == true)
    }
}

@Test func `a hole that is cut in two stays one`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume(byteCount: 16 << 20)
    #expect(resize(bench, volume, to: (4 << 20) + 512) == .done)
    #expect(bench.pool.chargedBlocks == 0)
}

@Test func `a payload that comes while its place is cut off is refused`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume(byteCount: 16 << 20)
    let payload = try #require(bench.lane.acquirePayload(byteCount: 8192))
    // The record with the trim is on its way.
    bench.lane.resizeVolume(volume, byteCount: 4 << 20, context: bench.context())
    bench.lane.write(
        volume,
        offset: (4 << 20) - 4096,
        payload: payload,
        isDurable: false,
        context: bench.context()
    )
    let finished = bench.settle()
    #expect(finished.map(\.status) == [.invalid, .done])
    for done in finished { bench.lane.release(done.token) }
    #expect(resize(bench, volume, to: 16 << 20) == .done)
    #expect(bench.read(volume, at: 4 << 20, count: 4096)?.allSatisfy { $0 == 0 } == true)
}

@Test func `a volume that cannot be cut within a damaged block stays as large as it was`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume(byteCount: 1 << 20)
    #expect(bench.write(volume, at: 0, pattern(1, count: 65_536)) == .done)
    bench.lane.resizeVolume(volume, byteCount: 16_384 + 512, context: bench.context())
    let outcome = bench.end { $0.kind == .read ? .mediaError : .done }
    #expect(outcome == .mediaError)
    #expect(bench.lane.volumeList.first?.row.byteCount == 1 << 20)
    #expect(bench.write(volume, at: 524_288, pattern(2, count: 4096)) == .done)
    #expect(resize(bench, volume, to: 16_384) == .done)
}

private func resize(_ bench: LaneBench, _ volume: VolumeSlot, to byteCount: Int) -> RequestStatus {
    bench.lane.resizeVolume(volume, byteCount: UInt64(byteCount), context: bench.context())
    return bench.end()
}
