import Catalogue
import Format
import IO
import Testing
import Units

@testable import Engine

// What a lane does when a device or the catalogue fails, and at its limits.

@Test func `a disk that cannot be read for a while costs no data`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.fillBeyondFlash()
    // Reads of cold chunks bring promotions along, while the disk answers nothing.
    for index in 0..<8 {
        let outcome = bench.read(volume, at: UInt64(index) << 18, count: 1 << 18) { operation in
            operation.device == DeviceIndex(1) && operation.kind == .read ? .deviceLost : .done
        }
        #expect(outcome == nil)
    }
    #expect(bench.lane.statistics.blocksPoisoned == 0)
    for index in 0..<256 {
        #expect(
            bench.read(volume, at: UInt64(index) << 18, count: 1 << 18)
                == pattern(index, count: 1 << 18)
        )
    }
}

@Test func `a lane whose log was cut acknowledges nothing more`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 65_536)) == .done)
    // A write in part of a block waits for the old block.
    bench.begin(volume, at: 100, pattern(2, count: 100))
    let read = bench.takeOperations()
    #expect(read.map(\.kind) == [.read])
    // Meanwhile a record is lost.
    let lost = bench.write(volume, at: 32_768, pattern(3, count: 4096)) { operation in
        operation.kind == .write ? .mediaError : .done
    }
    #expect(lost == .mediaError)
    #expect(bench.lane.isReadOnly)
    bench.carry(out: read)
    #expect(bench.end() == .readOnly)
    try bench.open()
    let again = try #require(bench.lane.volumeList.first).slot
    #expect(bench.read(again, at: 0, count: 65_536) == pattern(1, count: 65_536))
}

@Test func `a flush that failed for a checkpoint is not made good by the next`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 65_536)) == .done)
    bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
    // The checkpoint's flushes fail; a host asks for one before they have.
    var flushes: [Operation] = []
    for _ in 0..<8 where flushes.isEmpty {
        bench.lane.turn(now: bench.now)
        let taken = bench.takeOperations()
        flushes = taken.filter { $0.kind == .flush }
        bench.carry(out: taken.filter { $0.kind != .flush })
    }
    #expect(!flushes.isEmpty)
    bench.lane.flush(volume, context: bench.context())
    for operation in flushes {
        bench.lane.complete(Completion(token: operation.token, result: .mediaError))
    }
    #expect(bench.end() == .mediaError)
    #expect(bench.lane.isReadOnly)
    #expect(bench.flush(volume) == .mediaError)
}

@Test func `no lane believes a flush after one that failed for another`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
    bench.pool.noteFlashFlushFailed()
    #expect(bench.flush(volume) == .mediaError)
    #expect(bench.lane.isReadOnly)
}

@Test func `a change that waited while its volume was destroyed owns nothing`() throws {
    let bench = try LaneBench()
    let kept = bench.createVolume(1)
    let gone = bench.createVolume(2)
    #expect(bench.write(kept, at: 0, pattern(1, count: 4096)) == .done)
    #expect(bench.write(gone, at: 0, pattern(2, count: 65_536)) == .done)
    bench.begin(gone, at: 100, pattern(3, count: 100))
    let read = bench.takeOperations()
    #expect(read.map(\.kind) == [.read])
    bench.lane.destroyVolume(gone, context: bench.context())
    #expect(bench.end() == .done)
    for _ in 0..<4 {
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        for done in bench.settle() { bench.lane.release(done.token) }
    }
    bench.carry(out: read)
    #expect(bench.end() == .invalid)
    for _ in 0..<4 {
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        for done in bench.settle() { bench.lane.release(done.token) }
    }
    #expect(bench.pool.chargedBlocks == 1)
    // Leaves without a volume would keep the pool from being opened.
    try bench.open()
    #expect(bench.lane.volumeList.map(\.row.name) == ["volume1"])
}

@Test func `reads in flight leave operations for the log and for flushes`() throws {
    let bench = try LaneBench()
    bench.configuration.operationCount = 96
    bench.configuration.requestCount = 256
    bench.configuration.buffers[0].count = 256
    try bench.open()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 1 << 20)) == .done)
    bench.begin(volume, at: 1 << 20, pattern(2, count: 4096))
    for index in 0..<200 {
        bench.lane.read(
            volume,
            offset: UInt64(index) << 12,
            byteCount: 4096,
            context: bench.context()
        )
    }
    bench.lane.flush(volume, context: bench.context())
    let finished = bench.settle()
    #expect(finished.count == 202)
    #expect(finished.allSatisfy { $0.status == .done })
    for done in finished { bench.lane.release(done.token) }
}

@Test func `a damaged leaf costs its own blocks and holds up nothing`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    bench.configuration.leafCount = 16
    try bench.open()
    let volume = bench.createVolume(byteCount: 96 << 20)
    #expect(bench.write(volume, at: 0, pattern(1, count: 1 << 20)) == .done)
    bench.lane.beginShutdown(context: 1)
    #expect(bench.end() == .done)
    let key = LeafKey(tree: TreeIdentifier(1), index: 0)
    var stored = try #require(bench.leaves[key])
    stored.bytes[stored.bytes.count / 2] ^= 1
    bench.leaves[key] = stored
    try bench.open()
    let again = try #require(bench.lane.volumeList.first).slot
    #expect(bench.read(again, at: 0, count: 4096) == nil)
    #expect(bench.write(again, at: 0, pattern(2, count: 4096)) == .mediaError)
    // Reclaim meets its chunks, more than once, and goes on.
    for index in 16..<400 {
        bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
        let offset = UInt64(index % 320 + 16) << 18
        #expect(bench.write(again, at: offset, pattern(index, count: 1 << 18)) == .done)
    }
    bench.lane.destroyVolume(again, context: bench.context())
    #expect(bench.end() == .done)
    for _ in 0..<30 {
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        for done in bench.settle() { bench.lane.release(done.token) }
    }
    #expect(bench.pool.chargedBlocks == 256)
    try bench.open()
}

@Test func `heat of leaves that only reads brought is taken by checkpoints`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume(byteCount: 1 << 30)
    for leaf in 0..<200 {
        bench.now = bench.now.advanced(byNanoseconds: 200_000_000)
        #expect(bench.write(volume, at: UInt64(leaf) << 21, pattern(leaf, count: 4096)) == .done)
    }
    for round in 0..<4 {
        for leaf in 0..<200 {
            #expect(
                bench.read(volume, at: UInt64(leaf) << 21, count: 4096)
                    == pattern(leaf, count: 4096)
            )
        }
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        for done in bench.settle() { bench.lane.release(done.token) }
        #expect(bench.lane.evictedHeat.count <= 200, "round \(round)")
    }
}

/// A record that recovery left out stays out, even if the parts that it lacked turn up later: a
/// write to the same place that was cut short may bring them.
@Test func `what recovery left out stays out`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
    #expect(bench.flush(volume) == .done)
    // A new life goes on in a new segment; the data of its record do not land.
    try bench.open()
    let first = try #require(bench.lane.volumeList.first).slot
    #expect(bench.write(first, at: 0, pattern(2, count: 4096)) == .done)
    let whole = bench.images[0]
    let written = bench.lane.host
    // First its data, then the header of its segment are not what they have to be.
    for block in [Int(written.firstBlock) + written.cursor - 2, Int(written.firstBlock)] {
        let lost = (block * 4096)..<((block + 1) * 4096)
        for bytes in [ArraySlice([UInt8](repeating: 0, count: 4096)), whole[lost]] {
            bench.images[0].replaceSubrange(lost, with: bytes)
            try bench.open()
            let volume = try #require(bench.lane.volumeList.first).slot
            #expect(bench.read(volume, at: 0, count: 4096) == pattern(1, count: 4096))
        }
    }
}

/// What recovery has found once is durable: when it is gone later, the pool does not open.
@Test func `a record that recovery has found is missed`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
    let written = bench.lane.host
    try bench.open()
    let segment = (Int(written.firstBlock) * 4096)..<(Int(written.firstBlock) + 512) * 4096
    bench.images[0].replaceSubrange(segment, with: [UInt8](repeating: 0, count: segment.count))
    #expect(throws: RecoveryError.self) { try bench.open() }
}

/// A block of a piece was right when it was read first, and rots before the piece is read again for
/// the sake of another one.
@Test func `what a move reads again is verified again`() throws {
    let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
    let volume = bench.fillBeyondFlash()
    // A chunk that lies on disk alone, in one run.
    let chunkCount = (64 << 20) / Geometry.chunkByteCount
    let chunk = try #require(
        (0..<chunkCount).first { chunk in
            let places = (0..<Geometry.blocksPerChunk).map { index in
                bench.state(of: UInt64(chunk * Geometry.blocksPerChunk + index))
            }
            return places.allSatisfy { $0?.flash.isNowhere ?? false }
                && zip(places, places.dropFirst()).allSatisfy { place, next in
                    place?.disk.block.advanced(by: 1) == next?.disk.block
                }
        }
    )
    let first = UInt64(chunk * Geometry.blocksPerChunk)
    bench.damage(try #require(bench.state(of: first + 8)).disk)
    bench.lane.promote(
        volume,
        offset: first * 4096,
        byteCount: UInt64(Geometry.chunkByteCount),
        context: bench.context()
    )
    bench.lane.turn(now: bench.now)
    let reads = bench.takeOperations().filter { $0.kind == .read && $0.device == DeviceIndex(1) }
    try #require(reads.count == 1)
    bench.carry(out: reads)
    bench.damage(try #require(bench.state(of: first + 1)).disk)
    for done in bench.settle() { bench.lane.release(done.token) }
    #expect(try #require(bench.state(of: first)).flash.isPlace)
    #expect(try #require(bench.state(of: first + 1)).flash.isNowhere)
    #expect(try #require(bench.state(of: first + 8)).flash.isNowhere)
}

@Test func `a read-only lane whose leaves are all changed reads what it has`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume()
    for leaf in 0..<32 {
        let offset = UInt64(leaf * Geometry.leafByteCount)
        #expect(bench.write(volume, at: offset, pattern(leaf, count: 4096)) == .done)
    }
    bench.lane.beginShutdown(context: bench.context())
    #expect(bench.end() == .done)
    bench.configuration.leafCount = 8
    try bench.open()
    let again = try #require(bench.lane.volumeList.first).slot
    func read(_ leaf: Int) -> [UInt8]? {
        bench.read(again, at: UInt64(leaf * Geometry.leafByteCount), count: 4096)
    }
    for leaf in 0..<8 { #expect(read(leaf) == pattern(leaf, count: 4096)) }
    for slot in 0..<8 where bench.lane.leaves.entries[slot].state == .ready {
        bench.lane.willChange(slot)
    }
    bench.lane.fence("a test")
    for leaf in 0..<32 { #expect(read(leaf) == pattern(leaf, count: 4096)) }
}

@Test func `a read-only lane reads what replay has left no room for`() throws {
    let bench = try LaneBench()
    let volume = bench.createVolume(byteCount: 128 << 20)
    func write(_ volume: VolumeSlot, _ leaf: Int, _ seed: Int) {
        let offset = UInt64(leaf * Geometry.leafByteCount)
        #expect(bench.write(volume, at: offset, pattern(seed, count: 4096)) == .done)
    }
    for leaf in 0..<40 { write(volume, leaf, leaf) }
    bench.lane.beginShutdown(context: bench.context())
    #expect(bench.end() == .done)
    try bench.open()
    let changed = try #require(bench.lane.volumeList.first).slot
    for leaf in 0..<32 { write(changed, leaf, 100 + leaf) }
    // As many as were changed, and not one more.
    bench.configuration.leafCount = 32
    try bench.open()
    #expect(bench.lane.leaves.dirtyCount == 32)
    bench.lane.fence("a test")
    let again = try #require(bench.lane.volumeList.first).slot
    for leaf in 0..<40 {
        let found = bench.read(again, at: UInt64(leaf * Geometry.leafByteCount), count: 4096)
        #expect(found == pattern(leaf < 32 ? 100 + leaf : leaf, count: 4096))
    }
}
