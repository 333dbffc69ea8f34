import Format
import Testing
import Units

@testable import Engine

@Test func `what was written is read back, at any alignment`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 8192, pattern(1, count: 12_288)) == .done)
    #expect(bench.read(volume, at: 8192, count: 12_288) == pattern(1, count: 12_288))
    #expect(bench.write(volume, at: 9000, pattern(2, count: 5000)) == .done)
    var expected = pattern(1, count: 12_288)
    expected.replaceSubrange((9000 - 8192)..<(9000 - 8192 + 5000), with: pattern(2, count: 5000))
    #expect(bench.read(volume, at: 8192, count: 12_288) == expected)
    #expect(bench.read(volume, at: 0, count: 8192) == [UInt8](repeating: 0, count: 8192))
    #expect(bench.flush(volume) == .done)
}

@Test func `a kill loses no acknowledged write`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 4096, pattern(1, count: 8192)) == .done)
    #expect(bench.write(volume, at: 0, pattern(2, count: 100)) == .done)
    try bench.open()
    #expect(bench.report.recordsReplayed >= 3)
    let again = try #require(bench.lane.volumeList.first).slot
    #expect(bench.read(again, at: 4096, count: 8192) == pattern(1, count: 8192))
    #expect(bench.read(again, at: 0, count: 100) == pattern(2, count: 100))
}

@Test func `a stop and a start keep everything`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    for index in 0..<64 {
        #expect(
            bench.write(volume, at: UInt64(index) * 65_536, pattern(index, count: 65_536)) == .done
        )
    }
    bench.lane.beginShutdown(context: 1)
    #expect(bench.end() == .done)
    try bench.open()
    #expect(bench.report.recordsReplayed == 0)
    let again = try #require(bench.lane.volumeList.first).slot
    for index in 0..<64 {
        #expect(
            bench.read(again, at: UInt64(index) * 65_536, count: 65_536)
                == pattern(index, count: 65_536)
        )
    }
}

@Test func `more than flash holds goes to disk and comes back`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.createVolume(byteCount: 96 << 20)
    // 64 MiB through 48 MiB of flash.
    for index in 0..<256 {
        bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
        #expect(
            bench.write(volume, at: UInt64(index) << 18, pattern(index, count: 1 << 18)) == .done
        )
    }
    #expect(bench.lane.statistics.blocksDemoted > 4096)
    for index in 0..<256 {
        #expect(
            bench.read(volume, at: UInt64(index) << 18, count: 1 << 18)
                == pattern(index, count: 1 << 18)
        )
    }
}

@Test func `a read that waits for a promotion counts as one from disk, and in heat`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.createVolume(byteCount: 96 << 20)
    for index in 0..<256 {
        bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
        #expect(
            bench.write(volume, at: UInt64(index) << 18, pattern(index, count: 1 << 18)) == .done
        )
    }
    // The chunks that were written first lie on disk alone by now.  This read loads their leaf.
    #expect(bench.read(volume, at: 1 << 20, count: 4096) != nil)
    let view = { try #require(bench.lane.view(of: volume, chunk: 0)) }
    let before = bench.lane.statistics
    let cool = try view()
    #expect(cool.blocks.allSatisfy { $0.isStored && $0.flash.isNowhere })
    #expect(bench.read(volume, at: 0, count: 8192) == Array(pattern(0, count: 8192)))
    #expect(bench.lane.statistics.blocksPromoted >= before.blocksPromoted + 16)
    #expect(bench.lane.statistics.blocksFromDisk == before.blocksFromDisk + 2)
    #expect(bench.lane.statistics.blocksFromMemory == before.blocksFromMemory)
    #expect(try view().readsPerHour > cool.readsPerHour)
    #expect(bench.read(volume, at: 0, count: 8192) == Array(pattern(0, count: 8192)))
    #expect(bench.lane.statistics.blocksFromFlash == before.blocksFromFlash + 2)
}

@Test func `trimmed and zeroed ranges read as zeros`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 65_536)) == .done)
    bench.lane.trim(volume, offset: 4096, byteCount: 8192, isDurable: false, context: 5)
    #expect(bench.end() == .done)
    bench.lane.writeZeroes(
        volume,
        offset: 20_000,
        byteCount: 10_000,
        keepsSpace: true,
        isDurable: true,
        context: 6
    )
    #expect(bench.end() == .done)
    var expected = pattern(1, count: 65_536)
    expected.replaceSubrange(4096..<12_288, with: [UInt8](repeating: 0, count: 8192))
    expected.replaceSubrange(20_000..<30_000, with: [UInt8](repeating: 0, count: 10_000))
    #expect(bench.read(volume, at: 0, count: 65_536) == expected)
    try bench.open()
    let again = try #require(bench.lane.volumeList.first).slot
    #expect(bench.read(again, at: 0, count: 65_536) == expected)
}
