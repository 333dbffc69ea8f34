import Testing

@testable import Control

@Suite struct TableTests {
    private let items: [JSONValue] = [
        [
            "name": "tank/db01", "byteCount": .count(200 << 30), "ownedByteCount": .count(41 << 30),
            "state": "ONLINE", "clientCount": 2, "lane": 0, "created": "2026-11-21T01:12:07Z",
            "identifier": "0123",
        ],
        [
            "name": "tank/a", "byteCount": .count(1_536 << 20), "ownedByteCount": 0,
            "state": "OFFLINE", "clientCount": .null, "lane": 1, "created": "2026-11-21T01:12:08Z",
        ],
    ]
    private let table = Table(VolumeCommand.List.columns)

    @Test func `numbers stand right and nothing is a dash`() throws {
        var options = TableOptions()
        options.width = 80
        #expect(
            try table.render(items, options) == """
                NAME          SIZE     USED  STATE    CLIENTS  LANE  CREATED
                tank/db01  200 GiB   41 GiB  ONLINE         2     0  2026-11-21T01:12:07Z
                tank/a     1.5 GiB  0 bytes  OFFLINE        -     1  2026-11-21T01:12:08Z

                """
        )
    }

    @Test func `columns yield when the terminal is narrow`() throws {
        var options = TableOptions()
        options.width = 50
        let text = try table.render(items, options)
        #expect(text.hasPrefix("NAME"))
        #expect(!text.contains("CREATED") && text.contains("STATE"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 50 })
    }

    @Test func `bare output is tabs without header`() throws {
        var options = TableOptions()
        options.isBare = true
        options.isExact = true
        options.columns = "name,byteCount,clientCount"
        #expect(
            try table.render(items, options)
                == "tank/db01\t214748364800\t2\ntank/a\t1610612736\t-\n"
        )
    }

    @Test func `columns are chosen, added and refused by name`() throws {
        var options = TableOptions()
        options.columns = "+identifier"
        #expect(try table.render(items, options).contains("0123"))
        options.columns = "size"
        #expect(try table.render(items, options).hasPrefix("   SIZE\n"))
        options.columns = "nonsense"
        #expect(throws: ControlError.self) { try table.render(items, options) }
        #expect(table.help.contains("byteCount"))
    }

    @Test func `the help names the states that there are and no others`() {
        let pools = Table(PoolCommand.List.columns).help
        #expect(pools.contains("ONLINE, READONLY, OFFLINE or UNAVAIL\n"))
        #expect(table.help.contains("ONLINE, READONLY or OFFLINE\n"))
        let devices = Table(StatusText.deviceColumns).help
        #expect(devices.contains("ONLINE, DEGRADED, OFFLINE or UNAVAIL\n"))
        for help in [pools, table.help, devices] { #expect(!help.contains("FAULTED")) }
    }

    @Test func `rows are sorted by numbers and by text`() throws {
        var options = TableOptions()
        options.isBare = true
        options.columns = "name"
        options.sort = ("byteCount", false)
        #expect(try table.render(items, options) == "tank/a\ntank/db01\n")
        options.sort = ("name", true)
        #expect(try table.render(items, options) == "tank/db01\ntank/a\n")
    }

    @Test func `what comes from elsewhere cannot steer the terminal`() {
        #expect(PlainText.printable("a\u{1B}[31mb\n") == "a?[31mb?")
    }
}
