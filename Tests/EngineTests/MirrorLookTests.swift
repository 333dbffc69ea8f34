import Catalogue
import Format
import IO
import Testing
import Units

@testable import Engine

/// The mirror of the catalogue, read back by the scrub.
@Suite struct MirrorLookTests {
    /// A bench whose mirror consists of some records, and its first place and the one behind it.
    private func makeBench() throws -> (LaneBench, ClosedRange<UInt64>) {
        let bench = try LaneBench(flashSegments: 24)
        let volume = bench.createVolume(byteCount: 96 << 20)
        for number in 0..<24 {
            bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
            let offset = UInt64(number) << 18
            #expect(bench.write(volume, at: offset, pattern(number, count: 1 << 18)) == .done)
        }
        checkpoint(bench)
        let state = try #require(bench.contents.positions.first).mirror
        let begin = try #require(state.begin)
        #expect(state.end > begin + 2)
        return (bench, begin...state.end)
    }

    private func checkpoint(_ bench: LaneBench) {
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        for done in bench.settle() { bench.lane.release(done.token) }
    }

    private func isLook(_ bench: LaneBench, _ operation: Operation) -> Bool {
        operation.kind == .read && operation.device == bench.flash.index
            && operation.offset / 4096 >= bench.flash.firstMirrorBlock
    }

    /// Reads the mirror as a rebuild would.
    private func read(_ bench: LaneBench) throws(MirrorError) {
        var reader = try MirrorReader(
            pool: bench.identifier,
            laneCount: 1,
            devices: [bench.flash, bench.disk],
            deviceIdentifiers: bench.deviceIdentifiers,
            source: bench
        )
        while try reader.next() != nil {}
    }

    @Test func `a sound mirror is read back with each pass`() throws {
        let (bench, places) = try makeBench()
        for pass in 1...2 {
            let before = bench.lane.statistics.mirrorBlocksScrubbed
            _ = scrub(bench)
            let count = bench.lane.statistics.mirrorBlocksScrubbed - before
            #expect(count >= places.upperBound - places.lowerBound, "pass \(pass)")
        }
        #expect(bench.lane.isMirrorWhole && bench.lane.statistics.mirrorsGivenUp == 0)
    }

    @Test func `each block of it that is damaged is found, and all is said again`() throws {
        let (sample, places) = try makeBench()
        _ = sample
        for place in places.lowerBound..<places.upperBound {
            let (bench, _) = try makeBench()
            bench.damage(
                Location(device: DeviceIndex(0), block: bench.flash.firstMirrorBlock + place)
            )
            #expect(throws: MirrorError.self) { try read(bench) }
            let counts = scrub(bench)
            #expect(counts.allSatisfy { !$0.hasFindings })
            for _ in 0..<4 { checkpoint(bench) }
            let told = bench.lane.takeNews().map(\.type)
            #expect(told.contains("mirror_given_up") && told.contains("mirror_whole"))
            #expect(bench.lane.isMirrorWhole)
            try read(bench)
        }
    }

    @Test(arguments: [1, 2])
    func `what is refused once proves nothing`(times: Int) throws {
        let (bench, _) = try makeBench()
        var refusals = 0
        _ = scrub(bench) { operation in
            guard isLook(bench, operation), refusals < times else { return .done }
            refusals += 1
            return .mediaError
        }
        for _ in 0..<4 { checkpoint(bench) }
        #expect(refusals == times)
        #expect(bench.lane.statistics.mirrorsGivenUp == UInt64(times - 1))
        #expect(bench.lane.isMirrorWhole)
        try read(bench)
    }

    @Test func `a device that is away takes nothing of the mirror`() throws {
        let (bench, places) = try makeBench()
        var isAway = true
        _ = scrub(bench) { isAway && isLook(bench, $0) ? .mediaError : .done }
        for _ in 0..<4 { checkpoint(bench) }
        #expect(bench.lane.isMirrorWhole && bench.lane.statistics.mirrorsGivenUp == 0)
        isAway = false
        _ = scrub(bench)
        let count = bench.lane.statistics.mirrorBlocksScrubbed
        #expect(count >= places.upperBound - places.lowerBound)
    }

    /// Little on flash, and nothing at all: the mirror has a pace of its own.
    @Test func `a pass by itself ends in its time`() throws {
        let bench = try LaneBench(flashSegments: 24)
        let volume = bench.createVolume(byteCount: 96 << 20)
        for number in 0..<24 {
            bench.now = bench.now.advanced(byNanoseconds: 400_000_000)
            let offset = UInt64(number) << 18
            #expect(bench.write(volume, at: offset, pattern(number, count: 1 << 18)) == .done)
        }
        bench.lane.destroyVolume(volume, context: bench.context())
        #expect(bench.end() == .done)
        checkpoint(bench)
        let began = bench.now
        while bench.lane.scrubFigures[0].row.passCount < 2 {
            bench.now = bench.lane.nextDeadline ?? bench.now.advanced(byNanoseconds: 1_000_000)
            for done in bench.settle() { bench.lane.release(done.token) }
            guard bench.now.nanoseconds(since: began) < 15 * 86_400_000_000_000 else { break }
        }
        #expect(bench.lane.scrubFigures[0].row.passCount >= 2)
        #expect(bench.lane.statistics.mirrorBlocksScrubbed > 0)
    }

    /// A record of an older lap has the right form, and is not the one that belongs there.
    @Test func `a record that was lost is missed`() throws {
        let bench = try LaneBench(flashSegments: 24)
        let volume = bench.createVolume(byteCount: 96 << 20)
        #expect(bench.write(volume, at: 0, pattern(1, count: 4096)) == .done)
        bench.now = bench.now.advanced(byNanoseconds: 10_000_000_000)
        let image = bench.images[0]
        checkpoint(bench)
        let end = try #require(bench.contents.positions.first).mirror.end
        // The device has taken no block of it.
        for place in 0..<end {
            let first = Int(bench.flash.firstMirrorBlock + place) * 4096
            bench.images[0].replaceSubrange(
                first..<(first + 4096),
                with: image[first..<(first + 4096)]
            )
        }
        _ = scrub(bench)
        for _ in 0..<4 { checkpoint(bench) }
        #expect(bench.lane.statistics.mirrorsGivenUp == 1 && bench.lane.isMirrorWhole)
        try read(bench)
    }
}
