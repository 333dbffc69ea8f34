import Catalogue
import Format
import Foundation
import IO
import Policy
import Testing
import Units

@testable import Control
@testable import Engine

/// The words of `explain` against the answers of the policy itself.
@Suite(.serialized) struct ExplainTests {
    private let devices = [
        DeviceRow(
            index: DeviceIndex(0),
            identifier: DeviceIdentifier(high: 1, low: 1),
            role: .flash,
            path: "/dev/fast",
            byteCount: 64 << 20,
            segmentByteCount: 2 << 20,
            segmentCount: 31,
            model: nil
        )
    ]

    private func heat(_ touches: Int) -> Heat {
        var heat = Heat()
        for _ in 0..<touches { heat.touch(.read, tick: 1000, isSequential: false) }
        return heat
    }

    /// A fresh policy, and one to which promotions were of no use.
    private var policies: [HeatPolicy] {
        var strict = HeatPolicy()
        var idle = ReclaimFacts(heat: Heat(), tick: 1000, isDirty: false, liveBlockCount: 16)
        idle.segmentTick = 500
        for _ in 0..<2000 { _ = strict.onReclaim(idle) }
        return [HeatPolicy(), strict]
    }

    private func item(
        reads: ReadOutlook? = nil,
        reclaims: [ChunkView.Reclaim] = [],
        isReadOnly: Bool = false
    ) -> JSONValue {
        let view = ChunkView(
            blocks: [BlockState](repeating: .absent, count: 16),
            score: 0,
            readsPerHour: 0,
            writesPerHour: 0,
            ticksSinceTouch: nil,
            isMoving: false,
            isReadOnly: isReadOnly,
            reads: reads,
            reclaims: reclaims
        )
        return ChunkExplanation(
            volume: "tank/a",
            chunk: 3,
            byteCount: 65_536,
            view: view,
            devices: devices
        ).json
    }

    private func words(_ decision: ReadDecision) -> String {
        switch decision {
        case .serve(let reason): "STAY on disk (\(reason.name))"
        case .promote(_, let reason): "PROMOTE (\(reason.name))"
        }
    }

    private func words(_ decision: ReclaimDecision) -> String {
        switch decision {
        case .keep(let reason): "KEEP (\(reason.name))"
        case .demote(let reason): "DEMOTE to disk (\(reason.name))"
        case .drop(let reason): "DROP (\(reason.name))"
        }
    }

    @Test func `reads are explained as the policy decides them`() throws {
        var met: Set<String> = []
        for policy in policies {
            for (touches, pressure) in [(0, Float(0)), (1, 0), (2, 0), (100, 0), (0, 1)] {
                var facts = ReadFacts(heat: heat(touches), tick: 1000)
                facts.flashPressure = pressure
                let item = item(reads: policy.outlook(facts))
                let text = ExplainText(width: nil).render(item)
                for isSequential in [false, true] {
                    var (asked, read) = (policy, facts)
                    read.noteRead(isSequential: isSequential, blockCount: 16)
                    let words = words(asked.onDiskRead(read))
                    met.insert(words)
                    #expect(text.contains("decision ") && text.contains(words), "\(text)")
                    if !isSequential {
                        let reason = try #require(item["reason"]?.string)
                        #expect(words.hasSuffix("(\(reason))"))
                        #expect(item[path: "reads.scattered.reason"]?.string == reason)
                    }
                }
            }
        }
        #expect(
            met == [
                "PROMOTE (new)", "PROMOTE (warm)", "STAY on disk (scan)", "STAY on disk (cool)",
                "STAY on disk (no_free_segments)",
            ]
        )
    }

    @Test func `what would change a decision is told as the policy has it`() {
        let first = ReadFacts(heat: Heat(), tick: 1000)
        let new = ExplainText(width: nil).render(item(reads: policies[0].outlook(first)))
        #expect(
            new == """
                 chunk 3 of tank/a (from byte 196,608): 64 KiB hole
                 heat 0.00: 0 reads/h, 0 writes/h, never touched
                 decision PROMOTE (new) with its group of 4 chunks at the next scattered read, \
                STAY on disk (scan) at a sequential one
                 would change: 2 sequential reads in a row: the last one promotes it; \
                less than 10.0 % of what was promoted proving useful (now 50.0 %)

                """
        )
        let cool = ExplainText(width: nil).render(item(reads: policies[1].outlook(first)))
        #expect(cool.contains("2 scattered reads in a row: the last one promotes it"))
        #expect(cool.contains("more than 20.0 % of what was promoted proving useful"))
        var short = first
        short.flashPressure = 1
        let full = ExplainText(width: nil).render(item(reads: policies[0].outlook(short)))
        #expect(full.contains("STAY on disk (no_free_segments) at the next read, scattered or"))
        #expect(full.contains("more free segments on flash: PROMOTE (new)"))
    }

    @Test func `reclaim is explained as the policy decides it`() {
        var met: Set<String> = []
        for touches in [0, 100] {
            for isDirty in [false, true] {
                for (pressure, hasRoom) in [(Float(0), true), (1, true), (1, false)] {
                    var facts = ReclaimFacts(
                        heat: heat(touches),
                        tick: 1000,
                        isDirty: isDirty,
                        liveBlockCount: 16
                    )
                    facts.segmentTick = 500
                    facts.flashPressure = pressure
                    facts.diskHasRoom = hasRoom
                    let reclaim = ChunkView.Reclaim(
                        segment: SegmentAddress(device: DeviceIndex(0), index: SegmentIndex(7)),
                        blockCount: 16,
                        outlook: HeatPolicy().outlook(facts)
                    )
                    let item = item(reclaims: [reclaim])
                    var asked = HeatPolicy()
                    let words = words(asked.onReclaim(facts))
                    met.insert(words)
                    let text = ExplainText(width: nil).render(item)
                    #expect(
                        text.contains(
                            "decision STAY on flash until reclaim reaches its segment, then "
                                + words
                        ),
                        "\(text)"
                    )
                }
            }
        }
        #expect(
            met == [
                "KEEP (warm)", "KEEP (no_free_segments)", "DEMOTE to disk (cool)", "DROP (cool)",
                "DEMOTE to disk (no_free_segments)", "DROP (no_free_segments)",
            ]
        )
    }

    @Test func `blocks in two segments may have two fates`() {
        func reclaim(_ index: UInt32, touches: Int) -> ChunkView.Reclaim {
            var facts = ReclaimFacts(
                heat: heat(touches),
                tick: 1000,
                isDirty: false,
                liveBlockCount: 8
            )
            facts.segmentTick = 500
            return ChunkView.Reclaim(
                segment: SegmentAddress(device: DeviceIndex(0), index: SegmentIndex(index)),
                blockCount: 8,
                outlook: HeatPolicy().outlook(facts)
            )
        }
        let text = item(reclaims: [reclaim(7, touches: 0), reclaim(9, touches: 100)])["decision"]
        #expect(
            text?.string
                == "STAY on flash until reclaim reaches their segments, then 32 KiB in fast "
                + "segment 7: DROP (cool), as the disk has the same, 32 KiB in fast segment 9: "
                + "KEEP (warm)"
        )
    }

    @Test func `where nothing is to be decided there is no reason`() {
        #expect(item()["reason"] == .null)
        #expect(item()["decision"]?.string == "NONE: it owns no data")
        let facts = ReadFacts(heat: Heat(), tick: 1000)
        let fixed = item(reads: HeatPolicy().outlook(facts), isReadOnly: true)
        #expect(fixed["reason"] == .null && fixed["wouldChange"]?.items?.isEmpty == true)
        #expect(fixed["decision"]?.string?.contains("accepts no change") == true)
    }

    /// On real files: the command says what the lane's policy says, and asking counts nothing.
    @Test func `a chunk of a pool that is served is explained by its lane`() throws {
        let demo = try DemoPool()
        #expect(demo.create().status == 0)
        let (service, server) = try demo.serve()
        defer {
            server.stop()
            try? service.stop()
        }
        #expect(demo.run("volume", "create", "demo/a", "8MiB").status == 0)
        let slot = try service.volume("a").slot
        try service.inquiry.change(on: LaneIndex(0)) { lane, context in
            let arena = Arena(byteCount: 65_536, isPopulated: false)
            lane.write(
                slot,
                offset: 131_072,
                payload: arena.region[0..<65_536],
                isDurable: false,
                context: context
            )
        }
        let explained = demo.run("explain", "demo/a:chunk2", "--json")
        let item = try #require(try JSONReader.read(explained.output)["items"]?.items?.first)
        let (view, counters) = try service.inquiry.look(at: LaneIndex(0)) { lane, _ in
            (lane.view(of: slot, chunk: 2), lane.policy.counters)
        }
        let decision = try #require(view?.reclaims.first?.outlook.decision)
        #expect(item["decision"]?.string?.contains(words(decision)) == true, "\(item)")
        let reason = try #require(item["reason"]?.string)
        #expect(words(decision).contains("(\(reason))"))
        #expect(item["reclaims"]?.items?.first?["byteCount"]?.unsigned == 65_536)
        for reason in Reason.allCases {
            #expect(counters.kept[Int(reason.rawValue)] == 0)
            #expect(counters.demoted[Int(reason.rawValue)] == 0)
        }
    }
}
