import Format
import IO
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
    let volume = bench.fillBeyondFlash()
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

@Test func `a catalogue that fails leaves no request without an answer`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.createVolume(byteCount: 96 << 20)
    bench.failsCommits = true
    // 64 MiB at 48 MiB of flash: without checkpoints no segment comes free.
    let arena = Arena(byteCount: 1 << 20, isPopulated: false)
    var finished: [Finished] = []
    for index in 0..<64 {
        bench.now = bench.now.advanced(byNanoseconds: 100_000_000)
        for part in 0..<4 {
            guard bench.lane.admits(.write, byteCount: 1 << 18) else { continue }
            bench.lane.write(
                volume,
                offset: UInt64(index * 4 + part) << 18,
                payload: arena.region[0..<(1 << 18)],
                isDurable: false,
                context: bench.context()
            )
        }
        let done = bench.settle()
        finished += done
        for each in done { bench.lane.release(each.token) }
    }
    #expect(bench.lane.isReadOnly)
    #expect(bench.lane.isIdle)
    #expect(finished.contains { $0.status == .readOnly })
    #expect(bench.read(volume, at: 0, count: 4096) != nil)
    bench.lane.beginShutdown(context: 1)
    #expect(bench.end() == .readOnly)
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

@Test func `a damaged copy on flash is given up for the one on disk`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.createVolume(byteCount: 96 << 20)
    for index in 0..<256 {
        bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
        #expect(
            bench.write(volume, at: UInt64(index) << 18, pattern(index, count: 1 << 18)) == .done
        )
    }
    let expected = Array(pattern(0, count: 1 << 18)[0..<65_536])
    // Promotes the chunk, then both of its copies are on devices.
    #expect(bench.read(volume, at: 0, count: 65_536) == expected)
    _ = bench.settle()
    let chunk = try #require(bench.lane.view(of: volume, chunk: 0))
    #expect(chunk.blocks.allSatisfy { $0.flash.isPlace && $0.disk.isPlace })
    for block in [1, 2, 5] { bench.damage(chunk.blocks[block].flash) }
    #expect(bench.read(volume, at: 0, count: 65_536) == expected)
    #expect(bench.lane.statistics.copiesGivenUp == 3)
    #expect(bench.lane.statistics.blocksPoisoned == 0)
    // A block that is written in part takes its other bytes from the good copy as well.
    let second = try #require(bench.lane.view(of: volume, chunk: 0))
    bench.damage(second.blocks[3].flash)
    bench.damage(second.blocks[4].flash)
    #expect(bench.write(volume, at: 3 * 4096 + 512, pattern(9, count: 5000)) == .done)
    var changed = expected
    changed.replaceSubrange(
        (3 * 4096 + 512)..<(3 * 4096 + 512 + 5000),
        with: pattern(9, count: 5000)
    )
    #expect(bench.read(volume, at: 0, count: 65_536) == changed)
    #expect(bench.lane.statistics.copiesGivenUp == 5)
}

/// A pool of which the first chunk of a volume lies on both tiers, and what it holds.
private func promotedChunk() throws -> (LaneBench, VolumeSlot, ChunkView, [UInt8]) {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.fillBeyondFlash()
    let expected = Array(pattern(0, count: 1 << 18)[0..<65_536])
    #expect(bench.read(volume, at: 0, count: 65_536) == expected)
    _ = bench.settle()
    let chunk = try #require(bench.lane.view(of: volume, chunk: 0))
    #expect(chunk.blocks.allSatisfy { $0.flash.isPlace && $0.disk.isPlace })
    return (bench, volume, chunk, expected)
}

@Test func `a refused copy on flash is given up when the disk has given the block`() throws {
    let (bench, volume, chunk, expected) = try promotedChunk()
    let isAway: (Operation) -> OperationResult = {
        $0.kind == .read && $0.device == DeviceIndex(0) ? .mediaError : .done
    }
    // Flash is away, and the other copy of one block is damaged.
    bench.damage(chunk.blocks[7].disk)
    #expect(bench.read(volume, at: 7 * 4096, count: 4096, outcome: isAway) == nil)
    #expect(
        bench.read(volume, at: 4096, count: 8192, outcome: isAway) == Array(expected[4096..<12288])
    )
    // The two that the disk has given, and on disk the one that was damaged.
    #expect(bench.lane.statistics.copiesGivenUp == 3)
    #expect(bench.state(of: 7)?.disk.isNowhere == true)
    // A block that is written in part takes its other bytes from the disk as well.
    bench.begin(volume, at: 9 * 4096 + 512, pattern(9, count: 512))
    #expect(bench.end(outcome: isAway) == .done)
    #expect(bench.lane.statistics.copiesGivenUp == 4)
    // When it is back, nothing is lost.
    var changed = expected
    changed.replaceSubrange(
        (9 * 4096 + 512)..<(9 * 4096 + 1024),
        with: pattern(9, count: 512)
    )
    #expect(bench.read(volume, at: 0, count: 65_536) == changed)
    #expect(bench.lane.statistics.blocksPoisoned == 0)
}

@Test func `a copy that a move was refused is given up when the other was read`() throws {
    let (bench, volume, chunk, expected) = try promotedChunk()
    func refuse(_ block: Int, at source: Location, _ isGood: Bool) {
        bench.lane.poisons.append(
            MoveItem(
                purpose: source == chunk.blocks[block].flash ? .keep : .relocate,
                isBad: true,
                isUnread: true,
                volume: 0,
                address: UInt64(block),
                source: source,
                sequence: chunk.blocks[block].sequence,
                checksum: chunk.blocks[block].checksum
            )
        )
        _ = bench.settle { _ in
            true
        } outcome: {
            $0.kind == .read && !isGood ? .mediaError : .done
        }
    }
    // The other copy is right.
    refuse(1, at: chunk.blocks[1].flash, true)
    refuse(2, at: chunk.blocks[2].disk, true)
    #expect(bench.state(of: 1)?.flash.isNowhere == true)
    #expect(bench.state(of: 2)?.disk.isNowhere == true)
    #expect(bench.lane.statistics.copiesGivenUp == 2)
    #expect(bench.lane.unreadBlocks.isEmpty)
    // It is damaged: it is given up itself.  It is refused as well: nothing is given up.
    bench.damage(chunk.blocks[3].disk)
    bench.damage(chunk.blocks[4].flash)
    refuse(3, at: chunk.blocks[3].flash, true)
    refuse(4, at: chunk.blocks[4].disk, true)
    refuse(5, at: chunk.blocks[5].flash, false)
    #expect(bench.state(of: 3)?.disk.isNowhere == true)
    #expect(bench.state(of: 4)?.flash.isNowhere == true)
    #expect(bench.state(of: 5) == chunk.blocks[5])
    #expect(bench.lane.statistics.copiesGivenUp == 4)
    #expect(bench.lane.unreadBlocks.count == 3)
    #expect(bench.lane.statistics.blocksPoisoned == 0)
    #expect(bench.read(volume, at: 0, count: 65_536) == expected)
}

@Test func `a copy stays on flash while that on disk is in doubt`() throws {
    let (bench, volume, chunk, expected) = try promotedChunk()
    let lane = bench.lane
    let segment = bench.pool.slot(of: chunk.blocks[0].flash)
    let leaf = try #require(lane.leaves.find(volume: 0, index: 0))
    // Block 1 was found damaged by a move, 2 was refused to one, 3 was found by the scrub.
    for block in 1...3 { bench.damage(chunk.blocks[block].disk) }
    func item(_ block: Int) -> MoveItem {
        MoveItem(
            purpose: .relocate,
            isBad: true,
            volume: 0,
            address: UInt64(block),
            source: chunk.blocks[block].disk,
            sequence: chunk.blocks[block].sequence,
            checksum: chunk.blocks[block].checksum
        )
    }
    lane.poisons.append(item(1))
    lane.unreadBlocks.append(UnreadBlock(item: item(2), hasOther: true, askedAt: bench.now))
    lane.scrubs[1].phase = .examining
    lane.scrubs[1].items = [
        ScrubItem(
            volume: 0,
            address: 3,
            location: chunk.blocks[3].disk,
            sequence: chunk.blocks[3].sequence,
            checksum: chunk.blocks[3].checksum,
            outcome: .damaged
        )
    ]
    let count = lane.drop(leaf, 0, of: segment)
    #expect(count.held == 3 && count.gone > 0)
    _ = bench.settle()
    for (block, state) in chunk.blocks.enumerated()
    where bench.pool.slot(of: state.flash) == segment {
        #expect(bench.state(of: UInt64(block))?.flash.isPlace == (1...3).contains(block))
    }
    #expect(lane.statistics.blocksPoisoned == 0)
    #expect(lane.statistics.copiesGivenUp == 3)
    #expect(bench.read(volume, at: 0, count: 65_536) == expected)
}

@Test func `a block that was refused and then wrong is read a third time`() throws {
    let (bench, volume, chunk, expected) = try promotedChunk()
    var readCount = 0
    let bytes = bench.read(volume, at: 4096, count: 4096) { operation in
        readCount += 1
        if readCount == 2 || readCount == 3 { bench.damage(chunk.blocks[1].flash) }
        return readCount == 1 ? .mediaError : .done
    }
    #expect(bytes == Array(expected[4096..<8192]))
    #expect(readCount == 3)
    #expect(bench.lane.statistics.copiesGivenUp == 0)
}

@Test func `a trim does not slow the writes behind it`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.fillBeyondFlash()
    let lane = bench.lane
    // While the disk answers nothing, flash runs short and writes move the gate on.
    for index in 0..<32 where lane.admissionGate <= bench.now {
        bench.begin(volume, at: UInt64(64 + index) << 18, pattern(index, count: 1 << 18))
        for done in bench.settle(completing: { $0.device == DeviceIndex(0) }) {
            lane.release(done.token)
        }
    }
    let gate = lane.admissionGate
    #expect(gate > bench.now)
    lane.trim(volume, offset: 0, byteCount: 8 << 20, isDurable: false, context: 7)
    _ = bench.settle(completing: { $0.device == DeviceIndex(0) })
    #expect(lane.admissionGate == gate)
    #expect(bench.state(of: 0)?.isAbsent == true)
}

@Test func `a damaged block with no other copy is an error and stays one`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 65_536)) == .done)
    _ = bench.settle()
    let chunk = try #require(bench.lane.view(of: volume, chunk: 0))
    bench.damage(chunk.blocks[2].flash)
    #expect(bench.read(volume, at: 0, count: 8192) != nil)
    #expect(bench.read(volume, at: 8192, count: 4096) == nil)
    #expect(bench.write(volume, at: 8192 + 100, pattern(2, count: 10)) == .mediaError)
    #expect(bench.write(volume, at: 8192, pattern(3, count: 4096)) == .done)
    #expect(bench.read(volume, at: 8192, count: 4096) == pattern(3, count: 4096))
}
