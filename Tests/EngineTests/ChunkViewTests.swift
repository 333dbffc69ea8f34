import Format
import Policy
import Testing
import Units

@testable import Engine

/// What a view says of the reads to come is what they get, on a lane that is at work.
@Suite struct ChunkViewTests {
    /// Promotions and refusals by their reasons.
    private func decisions(_ lane: Lane) -> [ReadAnswer: UInt64] {
        var counts: [ReadAnswer: UInt64] = [:]
        for reason in Reason.allCases {
            let index = Int(reason.rawValue)
            counts[.promoted(reason)] = lane.policy.counters.promoted[index]
            counts[.served(reason)] = lane.policy.counters.served[index]
        }
        return counts
    }

    private enum ReadAnswer: Hashable {
        case promoted(Reason)
        case served(Reason)

        init(_ decision: ReadDecision) {
            switch decision {
            case .promote(_, let reason): self = .promoted(reason)
            case .serve(let reason): self = .served(reason)
            }
        }
    }

    /// A bench whose first mebibytes lie on disk alone, with their leaves in memory.
    private func makeBench() throws -> (LaneBench, VolumeSlot) {
        let bench = try LaneBench(flashSegments: 24, diskSegments: 64)
        let volume = bench.fillBeyondFlash()
        #expect(bench.read(volume, at: (2 << 20) - 4096, count: 4096) != nil)
        return (bench, volume)
    }

    @Test func `a scattered read gets the decision that the view foretells`() throws {
        let (bench, volume) = try makeBench()
        let view = try #require(bench.lane.view(of: volume, chunk: 0))
        #expect(view.blocks.allSatisfy { $0.isStored && $0.flash.isNowhere })
        #expect(view.reclaims.isEmpty)
        let foretold = ReadAnswer(try #require(view.reads).scattered)
        let before = decisions(bench.lane)
        #expect(bench.read(volume, at: 0, count: 4096) == Array(pattern(0, count: 4096)))
        var expected = before
        expected[foretold, default: 0] += 1
        #expect(decisions(bench.lane) == expected)
    }

    @Test func `sequential reads get the decisions that the views foretell`() throws {
        let (bench, volume) = try makeBench()
        // A run that is long enough by its fifth chunk.
        var met: Set<Bool> = []
        for chunk in 0..<16 as Range<UInt64> {
            let view = try #require(bench.lane.view(of: volume, chunk: chunk))
            let before = decisions(bench.lane)
            #expect(bench.read(volume, at: chunk << 16, count: 1 << 16) != nil)
            guard let reads = view.reads, chunk > 4 else { continue }
            var expected = before
            expected[ReadAnswer(reads.sequential), default: 0] += 1
            #expect(decisions(bench.lane) == expected, "chunk \(chunk)")
            met.insert(reads.sequential == reads.scattered)
        }
        #expect(!met.isEmpty)
    }

    @Test func `a dirty chunk shows what reclaim would do, and nothing is decided by looking`()
        throws
    {
        let bench = try LaneBench()
        let volume = bench.createVolume()
        #expect(bench.write(volume, at: 0, pattern(1, count: 1 << 16)) == .done)
        let view = try #require(bench.lane.view(of: volume, chunk: 0))
        #expect(view.reads == nil && !view.isReadOnly)
        let reclaim = try #require(view.reclaims.first)
        #expect(view.reclaims.count == 1 && reclaim.blockCount == 16)
        switch reclaim.outlook.decision {
        case .keep, .demote: break
        case .drop: Issue.record("a dirty chunk is never dropped")
        }
        #expect(lookedAt(bench.lane, volume) == view.reclaims.map(\.outlook))
        #expect(decisions(bench.lane).values.allSatisfy { $0 == 0 })
    }

    private func lookedAt(_ lane: Lane, _ volume: VolumeSlot) -> [ReclaimOutlook]? {
        lane.view(of: volume, chunk: 0)?.reclaims.map(\.outlook)
    }
}
