import Catalogue
import Foundation
import Testing
import Units

@testable import Control
@testable import Engine

/// Events are read back from the catalogue of a stopped pool, and from the lanes of a served one.
@Suite(.serialized) struct EventsTests {
    private let demo: DemoPool

    init() throws {
        demo = try DemoPool()
        let made = demo.create("--lanes=2", flashSize: "128MiB")
        try #require(made.status == 0, "\(made.errors)")
    }

    private func event(_ number: Int) -> EventRow {
        EventRow(
            seconds: 1_800_000_000 + Int64(number),
            type: "block_poisoned",
            text: "event \(number)"
        )
    }

    private func texts(_ outcome: CommandRun.Outcome) throws -> [String] {
        let items = try #require(try JSONReader.read(outcome.output)["items"]?.items)
        return items.compactMap { $0["text"]?.string }
    }

    @Test func `a stopped pool shows its newest events, the newest last`() throws {
        #expect(try texts(demo.run("events", "demo", "--json")) == [])
        #expect(demo.run("events", "demo").errors.contains("none"))
        let catalogue = try Catalogue(openingAt: demo.directory.cataloguePath)
        try catalogue.append((1...120).map(event))
        try catalogue.close()
        let shown = demo.run("events", "demo", "--json")
        #expect(shown.output.contains("isotherm.events/1"))
        #expect(try texts(shown) == (71...120).map { "event \($0)" })
        #expect(try texts(demo.run("events", "-n", "2", "--json")) == ["event 119", "event 120"])
        #expect(try texts(demo.run("events", "demo", "-n", "1000", "--json")).count == 120)
        #expect(
            demo.run("events", "demo", "-n", "1", "-H").output
                == "demo\t120\t2027-01-15T08:02:00Z\tblock_poisoned\tevent 120\n"
        )
        let table = demo.run("events", "demo", "-n", "3").output.split(separator: "\n")
        #expect(table.first?.contains("EVENT") == true)
        #expect(table.last?.hasSuffix("event 120") == true)
    }

    @Test func `what cannot be meant is refused`() {
        #expect(demo.run("events", "demo", "-n", "0").status == 64)
        #expect(demo.run("events", "demo", "-n", "1001").status == 64)
        #expect(demo.run("events", "other").status == 3)
    }

    @Test func `a served pool shows what no checkpoint has committed, and nothing twice`() throws {
        let catalogue = try Catalogue(openingAt: demo.directory.cataloguePath)
        try catalogue.append([event(1)])
        try catalogue.close()
        let (service, server) = try demo.serve()
        defer {
            server.stop()
            try? service.stop()
        }
        for index in 0..<2 as Range<UInt16> {
            try service.inquiry.look(at: LaneIndex(index)) { lane, _ in
                lane.note("verify_failed", "found by lane \(index)")
            }
        }
        let client = ControlClient(path: demo.directory.controlSocketPath)
        // Whichever checkpoints come in between: an event has one line, with a number at last.
        var isNumbered = false
        for _ in 0..<200 where !isNumbered {
            let outcome = demo.run("events", "demo", "--json")
            let items = try #require(try JSONReader.read(outcome.output)["items"]?.items)
            #expect(items.first?["text"]?.string == "event 1")
            let found = items.compactMap { $0["text"]?.string }.filter { $0.hasPrefix("found") }
            #expect(found.sorted() == ["found by lane 0", "found by lane 1"])
            isNumbered = items.allSatisfy { $0["number"]?.unsigned != nil }
            if !isNumbered { Thread.sleep(forTimeInterval: 0.1) }
        }
        #expect(isNumbered)
        for count: JSONValue in [0, -1, 1001, "50", .null] {
            #expect(throws: ControlError.self) {
                try client.answer(ControlRequest("events", ["count": count]))
            }
        }
    }

    @Test func `events without a number come behind the others, in the order of their times`() {
        let report = EventReport(
            pool: "tank",
            kept: [Numbered(number: 7, row: event(9))],
            fresh: [event(3), event(2)]
        )
        let items = report.items(countMax: 10)
        #expect(items.compactMap { $0["text"]?.string } == ["event 9", "event 2", "event 3"])
        #expect(items.map { $0["number"]?.unsigned } == [7, nil, nil])
        #expect(report.items(countMax: 1).count == 1)
    }
}
