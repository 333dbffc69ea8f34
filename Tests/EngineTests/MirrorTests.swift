import Catalogue
import Format
import IO
import Testing
import Units

@testable import Engine

/// The catalogue made anew from the devices alone.
@Suite struct MirrorTests {
    /// What a reader makes of a bench's devices.
    struct Made {
        var leaves: [LeafKey: [UInt8]] = [:]
        var volumes: [VolumeIdentifier: VolumeRow] = [:]
        var segments: [SegmentAddress: SegmentRow] = [:]
        var position: LanePosition?
        var incarnation: UInt32 = 0
        var logEnds: [LogEnd] = []
        var witnessedIncarnation: UInt32 = 0

        init(_ bench: LaneBench) throws(MirrorError) {
            var reader = try MirrorReader(
                pool: bench.identifier,
                laneCount: 1,
                devices: [bench.flash, bench.disk],
                deviceIdentifiers: bench.deviceIdentifiers,
                source: bench
            )
            while let image = try reader.next() {
                for (key, bytes) in image.leaves { leaves[key] = bytes.isEmpty ? nil : bytes }
                for row in image.volumes { volumes[row.identifier] = row }
                for identifier in image.forgottenVolumes { volumes[identifier] = nil }
                for row in image.segments { segments[row.address] = row }
                position = image.position
            }
            incarnation = reader.incarnation
            logEnds = reader.logEnds
            witnessedIncarnation = reader.witnessedIncarnation
        }

        /// Puts all of it in the place of the bench's catalogue.
        func replace(in bench: LaneBench) {
            bench.leaves = [:]
            for (key, bytes) in leaves {
                bench.leaves[key] = StoredLeaf(key: key, bytes: bytes, heat: [])
            }
            bench.contents = CatalogueContents(
                incarnation: incarnation,
                volumes: Array(volumes.values),
                trees: [],
                segments: Array(segments.values),
                positions: [position].compactMap(\.self),
                logEnds: logEnds,
                leafKeys: leaves.keys.sorted(),
                witnessedIncarnation: witnessedIncarnation
            )
        }
    }

    /// Compares with what the catalogue of the bench holds.
    private func compare(_ made: Made, with bench: LaneBench) {
        #expect(made.leaves == bench.leaves.mapValues(\.bytes))
        #expect(
            made.volumes.values.sorted { $0.identifier < $1.identifier }
                == bench.contents.volumes.sorted { $0.identifier < $1.identifier }
        )
        func rows(_ rows: some Sequence<SegmentRow>) -> [SegmentRow] {
            rows.map { row in
                var row = row
                if row.stream == .host { row.writtenBlockCount = 0 }
                return row
            }.sorted { $0.address < $1.address }
        }
        #expect(rows(made.segments.values) == rows(bench.contents.segments))
        #expect([made.position].compactMap(\.self) == bench.contents.positions)
        #expect(made.incarnation == bench.contents.incarnation + 1)
        #expect(made.logEnds == bench.contents.logEnds)
    }

    /// Writes quarters of a mebibyte, some over others, with time for checkpoints.
    private func write(_ bench: LaneBench, _ volume: VolumeSlot, _ numbers: Range<Int>) {
        for number in numbers {
            bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
            let offset = UInt64(number % 64) << 18
            #expect(bench.write(volume, at: offset, pattern(number, count: 1 << 18)) == .done)
        }
        checkpoint(bench)
    }

    private func checkpoint(_ bench: LaneBench) {
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        for done in bench.settle() { bench.lane.release(done.token) }
    }

    @Test func `a pool without a checkpoint is all in its log`() throws {
        let bench = try LaneBench()
        let made = try Made(bench)
        compare(made, with: bench)
        #expect(made.position == nil && made.leaves.isEmpty)
        let volume = bench.createVolume()
        #expect(bench.write(volume, at: 0, pattern(1, count: 8192)) == .done)
        try Made(bench).replace(in: bench)
        try bench.open()
        let again = try #require(bench.lane.volumeList.first).slot
        #expect(bench.read(again, at: 0, count: 8192) == pattern(1, count: 8192))
    }

    @Test func `all rows are made anew, and the pool goes on with them`() throws {
        let bench = try LaneBench(flashSegments: 24)
        let volume = bench.createVolume(byteCount: 96 << 20)
        write(bench, volume, 0..<96)
        let made = try Made(bench)
        compare(made, with: bench)
        #expect(bench.lane.isMirrorWhole && !made.leaves.isEmpty && !made.segments.isEmpty)
        // What comes behind the checkpoint is in the log.
        #expect(bench.write(volume, at: 0, pattern(1000, count: 1 << 18)) == .done)
        try Made(bench).replace(in: bench)
        try bench.open()
        let again = try #require(bench.lane.volumeList.first).slot
        #expect(bench.read(again, at: 0, count: 1 << 18) == pattern(1000, count: 1 << 18))
        #expect(bench.read(again, at: 5 << 18, count: 1 << 18) == pattern(69, count: 1 << 18))
        write(bench, again, 200..<232)
        compare(try Made(bench), with: bench)
    }

    @Test func `rounds keep a small ring whole`() throws {
        let bench = try LaneBench(flashSegments: 24, mirrorBlocks: 20)
        bench.configuration.mirrorRecordBlockMax = 8
        bench.configuration.mirrorSliceBlockCount = 2
        try bench.open()
        let volume = bench.createVolume(byteCount: 96 << 20)
        for turn in 0..<40 {
            write(bench, volume, (turn * 4)..<(turn * 4 + 4))
            compare(try Made(bench), with: bench)
        }
        #expect(bench.lane.statistics.mirrorRounds > 3)
        #expect(bench.lane.statistics.mirrorBlocksWritten > 40)
        #expect(bench.lane.statistics.mirrorsGivenUp == 0)
    }

    @Test func `what was removed is not there again`() throws {
        let bench = try LaneBench(flashSegments: 24)
        let first = bench.createVolume(1, byteCount: 8 << 20)
        let second = bench.createVolume(2, byteCount: 8 << 20)
        for index in 0..<16 {
            #expect(bench.write(first, at: UInt64(index) << 18, pattern(1, count: 4096)) == .done)
            #expect(bench.write(second, at: UInt64(index) << 18, pattern(2, count: 4096)) == .done)
        }
        checkpoint(bench)
        #expect(try Made(bench).volumes.count == 2)
        bench.lane.destroyVolume(first, context: bench.context())
        #expect(bench.end() == .done)
        checkpoint(bench)
        checkpoint(bench)
        let made = try Made(bench)
        compare(made, with: bench)
        #expect(made.volumes.count == 1)
        #expect(made.leaves.keys.allSatisfy { $0.tree == TreeIdentifier(2) })
    }

    @Test func `a leaf that is damaged in the catalogue is not said again`() throws {
        let bench = try LaneBench(flashSegments: 24, mirrorBlocks: 40)
        bench.configuration.mirrorRecordBlockMax = 8
        bench.configuration.mirrorSliceBlockCount = 2
        try bench.open()
        let volume = bench.createVolume(byteCount: 96 << 20)
        write(bench, volume, 0..<32)
        let key = try #require(bench.leaves.keys.sorted().last)
        let good = try #require(bench.leaves[key])
        var bytes = good.bytes
        bytes[bytes.count / 2] ^= 1
        bench.leaves[key] = StoredLeaf(key: key, bytes: bytes, heat: [])
        // Other leaves change, until a round comes to the damaged one.
        for number in 0..<60 {
            bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
            let offset = UInt64(number % 4) << 18
            #expect(bench.write(volume, at: offset, pattern(number, count: 1 << 18)) == .done)
            checkpoint(bench)
        }
        #expect(bench.lane.takeNews().contains { $0.type == "leaf_damaged" })
        #expect(!bench.lane.isReadOnly)
        // The leaf in memory is good, and can be read as ever.
        #expect(bench.lane.damagedLeaves.isEmpty)
        #expect(bench.read(volume, at: 31 << 18, count: 1 << 18) == pattern(31, count: 1 << 18))
        if bench.lane.isMirrorWhole { #expect(try Made(bench).leaves[key] == good.bytes) }
    }

    @Test func `a ring without room is given up, and says so`() throws {
        let bench = try LaneBench(flashSegments: 24, mirrorBlocks: 1)
        let volume = bench.createVolume(byteCount: 96 << 20)
        write(bench, volume, 0..<64)
        #expect(!bench.lane.isMirrorWhole)
        #expect(throws: MirrorError.notWhole(LaneIndex(0))) { try Made(bench) }
        let told = bench.lane.takeNews().filter { $0.type == "mirror_given_up" }
        #expect(told.count == 1)
        #expect(bench.read(volume, at: 0, count: 1 << 18) == pattern(0, count: 1 << 18))
    }

    @Test func `a mirror that flash refuses is given up, and whole again later`() throws {
        let bench = try LaneBench(flashSegments: 24)
        let volume = bench.createVolume(byteCount: 96 << 20)
        write(bench, volume, 0..<8)
        let isMirror = { (operation: Operation) in
            operation.kind == .write && operation.device == bench.flash.index
                && operation.offset / 4096 >= bench.flash.firstMirrorBlock
        }
        #expect(bench.write(volume, at: 0, pattern(77, count: 4096)) == .done)
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        for done in bench.settle(outcome: { isMirror($0) ? .mediaError : .done }) {
            bench.lane.release(done.token)
        }
        #expect(!bench.lane.isMirrorWhole && !bench.lane.isReadOnly)
        #expect(throws: MirrorError.notWhole(LaneIndex(0))) { try Made(bench) }
        // Nothing has changed since: it is made whole all the same.
        for _ in 0..<8 { checkpoint(bench) }
        #expect(bench.lane.isMirrorWhole)
        compare(try Made(bench), with: bench)
        let told = bench.lane.takeNews().map(\.type)
        #expect(told.contains("mirror_given_up") && told.contains("mirror_whole"))
    }

    @Test func `a write that is refused once is done again`() throws {
        let bench = try LaneBench(flashSegments: 24)
        let volume = bench.createVolume(byteCount: 96 << 20)
        #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        var refusals = 0
        let finished = bench.settle(outcome: { operation in
            guard operation.kind == .write, operation.device == bench.flash.index,
                operation.offset / 4096 >= bench.flash.firstMirrorBlock, refusals == 0
            else { return .done }
            refusals += 1
            return .mediaError
        })
        for done in finished { bench.lane.release(done.token) }
        #expect(refusals == 1 && bench.lane.isMirrorWhole)
        compare(try Made(bench), with: bench)
    }

    @Test func `a damaged record is told, and nothing is made of the rest`() throws {
        let bench = try LaneBench(flashSegments: 24)
        let volume = bench.createVolume(byteCount: 96 << 20)
        write(bench, volume, 0..<32)
        let end = try #require(bench.contents.positions.first).mirror.end
        for place in 0..<end {
            let image = bench.images[0]
            bench.damage(
                Location(device: DeviceIndex(0), block: bench.flash.firstMirrorBlock + place)
            )
            #expect {
                _ = try Made(bench)
            } throws: { error in
                guard case MirrorError.damaged(LaneIndex(0), let found) = error else {
                    return false
                }
                return found <= place
            }
            bench.images[0] = image
        }
    }

    @Test func `each place of a witness may be damaged, and each pair may be torn`() throws {
        let bench = try LaneBench(flashSegments: 24)
        let volume = bench.createVolume(byteCount: 96 << 20)
        write(bench, volume, 0..<16)
        let image = bench.images[0]
        for place in 0..<Witness.placeCount {
            let block = DeviceLayout.witnessBlock(lane: LaneIndex(0), place: place)
            bench.damage(Location(device: DeviceIndex(0), block: block))
            compare(try Made(bench), with: bench)
            bench.images[0] = image
        }
        // One pair tells of the last checkpoint, the other of the one before.
        var found: Set<UInt64> = []
        for pair in 0..<2 {
            for half in 0..<Witness.pairCount {
                let block = DeviceLayout.witnessBlock(
                    lane: LaneIndex(0),
                    place: pair * Witness.pairCount + half
                )
                bench.damage(Location(device: DeviceIndex(0), block: block))
            }
            found.insert(try #require(try Made(bench).position).checkpoint)
            bench.images[0] = image
        }
        let last = try #require(bench.contents.positions.first).checkpoint
        #expect(found == [last, last - 1])
    }

    @Test func `devices without witnesses are refused`() throws {
        let bench = try LaneBench()
        bench.identifier = PoolIdentifier(high: 1, low: 1)
        #expect(throws: MirrorError.witnessMissing(LaneIndex(0))) { try Made(bench) }
    }

    @Test func `two lanes share what lies behind the last segment of each device`() {
        func device(_ index: UInt8, mirror: Int) -> DeviceGeometry {
            DeviceGeometry(
                index: DeviceIndex(index),
                role: .flash,
                segmentBlockCount: 100,
                segmentCount: 10,
                mirrorBlockCount: mirror
            )
        }
        let devices = [device(0, mirror: 7), device(1, mirror: 0), device(2, mirror: 21)]
        var blocks: Set<Location> = []
        for lane in 0..<2 {
            let ring = MirrorRing(lane: LaneIndex(UInt16(lane)), laneCount: 2, devices: devices)
            #expect(ring.blockCount == 13)
            for piece in ring.pieces(from: 1_000_000, count: 13) {
                for block in 0..<UInt64(piece.blockCount) {
                    let place = Location(device: piece.device, block: piece.block + block)
                    #expect(blocks.insert(place).inserted)
                    #expect((1256..<1277).contains(place.block))
                }
            }
            // The same blocks on the next lap.
            let lap = ring.pieces(from: 1_000_013, count: 3)
            #expect(lap.map(\.block) == ring.pieces(from: 1_000_000, count: 3).map(\.block))
        }
        #expect(blocks.count == 26)
    }
}
