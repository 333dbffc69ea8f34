import NBD
import Testing
import Units

@Suite struct ExportTableTests {
    private func export(_ name: String, byteCount: UInt64 = 4096) -> ExportDescription {
        ExportDescription(
            name: name,
            description: "",
            lane: LaneIndex(0),
            volumeSlot: 0,
            byteCount: byteCount,
            isReadOnly: false
        )
    }

    @Test func `exports are listed by name and replaced by name`() {
        let table = ExportTable()
        for name in ["tank/b", "tank/c", "tank/a"] { table.insert(export(name)) }
        table.insert(export("tank/b", byteCount: 8192))
        #expect(table.allExports().map(\.name) == ["tank/a", "tank/b", "tank/c"])
        #expect(table.export(named: "tank/b")?.byteCount == 8192)
        table.remove(named: "tank/b")
        #expect(table.export(named: "tank/b") == nil)
        #expect(table.allExports().count == 2)
    }

    @Test func `the empty name is the default export, and none unless one is set`() {
        let table = ExportTable()
        table.insert(export("tank/a"))
        #expect(table.export(named: "") == nil)
        table.setDefault(named: "tank/a")
        #expect(table.export(named: "")?.name == "tank/a")
        table.remove(named: "tank/a")
        #expect(table.export(named: "") == nil)
    }

    @Test func `a table that stops says so`() {
        let table = ExportTable()
        #expect(!table.isStopping)
        table.stop()
        #expect(table.isStopping)
    }
}
