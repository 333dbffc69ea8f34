import Catalogue
import Format
import IO
import Testing
import Units

@testable import Engine

/// Catalogues and devices that were put back from copies: they are whole, and older than what
/// others were told.
@Suite struct WitnessTests {
    private func bench() throws -> (LaneBench, VolumeSlot) {
        let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
        let volume = bench.createVolume(byteCount: 96 << 20)
        return (bench, volume)
    }

    /// Writes so much that segments are given back by checkpoints and used again.
    private func cycle(_ bench: LaneBench, _ volume: VolumeSlot) {
        for index in 0..<256 {
            bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
            let offset = UInt64(index % 64) << 18
            #expect(bench.write(volume, at: offset, pattern(index, count: 1 << 18)) == .done)
        }
    }

    @Test func `a catalogue from before an opening is refused`() throws {
        let (bench, volume) = try bench()
        #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
        let copy = bench.contents
        try bench.open()
        bench.contents = copy
        #expect {
            try bench.open()
        } throws: { error in
            guard case RecoveryError.catalogueOlder(_, _, let has, let told) = error else {
                return false
            }
            return has.incarnation == 1 && told.incarnation == 2
        }
    }

    @Test func `a catalogue from before segments were used again is refused`() throws {
        let (bench, volume) = try bench()
        cycle(bench, volume)
        let (copy, leaves) = (bench.contents, bench.leaves)
        cycle(bench, volume)
        let (newest, newestLeaves) = (bench.contents, bench.leaves)
        (bench.contents, bench.leaves) = (copy, leaves)
        #expect {
            try bench.open()
        } throws: { error in
            guard case RecoveryError.catalogueOlder(_, _, let has, let told) = error else {
                return false
            }
            return has.checkpoint < told.checkpoint
        }
        (bench.contents, bench.leaves) = (newest, newestLeaves)
        try bench.open()
        let again = try #require(bench.lane.volumeList.first).slot
        #expect(
            bench.read(again, at: 63 << 18, count: 1 << 18) == pattern(255, count: 1 << 18)
        )
    }

    @Test(arguments: [0, 1])
    func `a device from before an opening is refused`(device: Int) throws {
        let (bench, volume) = try bench()
        #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
        let image = bench.images[device]
        try bench.open()
        bench.images[device] = image
        #expect {
            try bench.open()
        } throws: { error in
            guard case RecoveryError.deviceOlder(let found, let has, let told) = error else {
                return false
            }
            return Int(found.rawValue) == device && has.incarnation == 1 && told.incarnation == 2
        }
    }

    @Test func `flash from before segments were used again is refused`() throws {
        let (bench, volume) = try bench()
        let image = bench.images[0]
        cycle(bench, volume)
        bench.images[0] = image
        #expect {
            try bench.open()
        } throws: { error in
            guard case RecoveryError.deviceOlder(let device, let has, let told) = error else {
                return false
            }
            return device == DeviceIndex(0) && has.checkpoint < told.checkpoint
        }
    }

    @Test func `each place of a witness may be damaged`() throws {
        let (bench, volume) = try bench()
        cycle(bench, volume)
        for place in 0..<Witness.placeCount {
            let block = DeviceLayout.witnessBlock(lane: LaneIndex(0), place: place)
            let (images, contents) = (bench.images, bench.contents)
            bench.damage(Location(device: DeviceIndex(0), block: block))
            try bench.open()
            #expect(bench.lane.volumeList.count == 1)
            (bench.images, bench.contents) = (images, contents)
        }
    }

    @Test func `what a checkpoint forgot is not used again when no device can be told`() throws {
        let (bench, volume) = try bench()
        #expect(bench.write(volume, at: 0, pattern(1, count: 1 << 20)) == .done)
        #expect(bench.write(volume, at: 0, pattern(2, count: 1 << 20)) == .done)
        let isWitness = { (operation: Operation) in
            operation.kind == .write
                && DeviceLayout.isWitness(block: operation.offset / 4096)
        }
        for index in 0..<40 where !bench.lane.isReadOnly {
            bench.now = bench.now.advanced(byNanoseconds: 6_000_000_000)
            _ = bench.write(volume, at: 0, pattern(index, count: 1 << 20)) { operation in
                isWitness(operation) ? .mediaError : .done
            }
        }
        #expect(bench.lane.isReadOnly)
        #expect(bench.read(volume, at: 0, count: 4096) != nil)
    }

    /// Four places on each device; one that is taken is enough.
    @Test(arguments: 0..<3)
    func `a place of a witness that a device does not take keeps no pool shut`(
        takenPlace: Int
    ) throws {
        let (bench, volume) = try bench()
        #expect(bench.write(volume, at: 0, pattern(1, count: 4096), isDurable: true) == .done)
        func takes(_ place: Location, _ places: some Sequence<Int>) -> Bool {
            places.contains {
                DeviceLayout.witnessBlock(lane: bench.lane.index, place: $0) == place.block
            }
        }
        let isWitness = { (place: Location) in takes(place, 0..<Witness.placeCount) }
        bench.refusesInOpening = { isWitness($0) && !takes($0, [takenPlace]) }
        let before = bench.contents.witnessedIncarnation
        try bench.open()
        #expect(bench.contents.witnessedIncarnation == before + 1)
        bench.refusesInOpening = { isWitness($0) && $0.device == bench.disk.index }
        #expect(throws: RecoveryError.witnessRefused(device: bench.disk.index)) {
            try bench.open()
        }
        #expect(bench.contents.witnessedIncarnation == before + 1)
        bench.refusesInOpening = { _ in false }
        try bench.open()
        let again = try #require(bench.lane.volumeList.first).slot
        #expect(bench.read(again, at: 0, count: 4096) == pattern(1, count: 4096))
    }

    @Test func `a catalogue with more lanes than have room for witnesses is refused`() throws {
        let (bench, _) = try bench()
        let opening = PoolOpening(
            identifier: bench.identifier,
            laneCount: DeviceLayout.witnessLaneCountMax + 1,
            devices: [bench.flash, bench.disk],
            deviceIdentifiers: bench.deviceIdentifiers,
            contents: bench.contents,
            configuration: bench.configuration,
            randomSeed: 1,
            wallSeconds: 0
        )
        #expect(throws: RecoveryError.rowImpossible(table: "pool")) {
            try opening.checkAge(from: bench)
        }
    }
}
