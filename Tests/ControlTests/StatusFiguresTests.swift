import Policy
import Testing
import Units

@testable import Control
@testable import Engine

/// Counters of the lanes on their way into `status`: each under its name, summed over the lanes.
@Suite(.serialized) struct StatusFiguresTests {
    private func heat(_ touches: Int) -> Heat {
        var heat = Heat()
        for _ in 0..<touches { heat.touch(.read, tick: 1000, isSequential: false) }
        return heat
    }

    /// One decision of each kind: promoted warm, served scan, kept warm, demoted and dropped cool.
    private func decide(_ policy: inout HeatPolicy) {
        _ = policy.onDiskRead(ReadFacts(heat: heat(9), tick: 1000))
        var scan = ReadFacts(heat: Heat(), tick: 1000)
        scan.noteRead(isSequential: true, blockCount: 16)
        _ = policy.onDiskRead(scan)
        for (touches, isDirty) in [(9, true), (0, true), (0, false)] {
            var facts = ReclaimFacts(
                heat: heat(touches),
                tick: 1000,
                isDirty: isDirty,
                liveBlockCount: 16
            )
            facts.segmentTick = 500
            _ = policy.onReclaim(facts)
        }
    }

    @Test func `decisions are summed over the lanes, by reason`() {
        var policies = [HeatPolicy(), HeatPolicy()]
        decide(&policies[0])
        decide(&policies[1])
        decide(&policies[1])
        let json = DecisionFigures(lanes: policies.map(\.counters)).json
        #expect(
            json == [
                "promoted": ["warm": 3], "served": ["scan": 3], "kept": ["warm": 3],
                "demoted": ["cool": 3], "dropped": ["cool": 3],
            ]
        )
        #expect(
            DecisionText.line(json)
                == "promoted 3 warm; left on disk 3 scan; kept 3 warm; demoted 3 cool; "
                + "dropped 3 cool"
        )
        #expect(DecisionText.line(DecisionFigures(lanes: []).json) == nil)
    }

    @Test func `every reason has a word of its own`() {
        let names = Reason.allCases.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(Reason.noFreeSegments.name == "no_free_segments" && Reason.scan.name == "scan")
    }

    @Test func `what was told to mirrors is summed over the lanes`() {
        var lane = LaneStatistics()
        lane.mirrorBlocksWritten = 3
        lane.mirrorBlocksScrubbed = 5
        lane.mirrorRounds = 2
        lane.mirrorsGivenUp = 1
        let counters = JSONValue.object(LaneSums(lanes: [lane, lane]).counters)
        #expect(counters["mirrorWrittenByteCount"]?.unsigned == 6 * 4096)
        #expect(counters["mirrorScrubbedByteCount"]?.unsigned == 10 * 4096)
        #expect(counters["mirrorRoundCount"]?.unsigned == 4)
        #expect(counters["mirrorGivenUpCount"]?.unsigned == 2)
    }

    @Test func `a mirror is spoken of only when it is not whole`() {
        let text = StatusText(width: nil)
        #expect(text.render(["mirrorWhole": false]).contains("mirror: of the catalogue is not"))
        #expect(!text.render(["mirrorWhole": true]).contains("mirror"))
        #expect(!text.render([:]).contains("mirror"))
    }

    @Test func `a served pool tells what its lanes counted`() throws {
        let demo = try DemoPool()
        let made = demo.create("--lanes=2", flashSize: "128MiB")
        try #require(made.status == 0, "\(made.errors)")
        let (service, server) = try demo.serve()
        defer {
            server.stop()
            try? service.stop()
        }
        for lane in [LaneIndex(0), LaneIndex(1)] {
            try service.inquiry.look(at: lane) { lane, _ in
                decide(&lane.policy)
                lane.statistics.movesDropped += 1
                lane.statistics.promotionsDropped += 2
                lane.statistics.verifyFailures += 3
                lane.statistics.damagedStates += 4
                lane.statistics.heatLost += 5
                lane.statistics.blocksTakenForLost += 6
                lane.statistics.mapSearches += 7
            }
        }
        let json = try JSONReader.read(demo.run("status", "demo", "--json").output)
        let item = try #require(json["items"]?.items?.first)
        #expect(
            item["decisions"] == [
                "promoted": ["warm": 2], "served": ["scan": 2], "kept": ["warm": 2],
                "demoted": ["cool": 2], "dropped": ["cool": 2],
            ]
        )
        let counts = [
            ("droppedMoveCount", 2), ("droppedPromotionCount", 4), ("failedVerificationCount", 6),
            ("damagedStateCount", 8), ("lostHeatCount", 10), ("blocksTakenForLostCount", 12),
            ("mapSearchCount", 14),
        ]
        guard case .boolean? = item["mirrorWhole"] else {
            Issue.record("it says whether the mirror is whole")
            return
        }
        for (name, count) in counts {
            #expect(item[path: "counters." + name]?.unsigned == UInt64(count), "\(name)")
        }
        let text = demo.run("status", "demo").output
        #expect(text.contains("policy: promoted 2 warm; left on disk 2 scan; kept 2 warm;"))
    }
}
