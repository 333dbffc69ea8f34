internal import ArgumentParser
internal import Format

/// `isotherm events [POOL]`.
struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Show what was found wrong with a pool, the newest last.",
        discussion: """
            A catalogue keeps the newest 10,000 events of its pool.  Those of a pool that nobody \
            serves are shown as of its last checkpoint.
            """
    )

    @Argument(help: "The pool; all of them when left out.")
    var pool: String?
    @Option(
        name: [.customShort("n"), .customLong("count")],
        help: "Events at most, the newest: 1 to 1000."
    )
    var count = 50
    @OptionGroup var reading: ReadingOptions
    @OptionGroup var place: PlaceOptions

    func validate() throws {
        guard (1...EventReport.countMax).contains(count) else {
            throw ValidationError("--count takes 1 to \(EventReport.countMax)")
        }
    }

    func run() throws {
        let name = try pool.map { try ObjectName.pool($0) }
        let request = ControlRequest("events", ["count": .count(count)])
        let documents = try PoolAccess.all(named: name, place).map { access in
            try access.read(request, isEssential: name != nil)
        }
        var document = Document.joined(documents, schema: "events")
        if documents.count > 1 { document.items = newest(document.items) }
        try reading.show(document, in: Table(EventReport.columns))
    }

    /// Of the events of several pools; each pool's stay in their order.
    private func newest(_ items: [JSONValue]) -> [JSONValue] {
        let ordered = items.enumerated().sorted { left, right in
            let times = (left.element["time"]?.string ?? "", right.element["time"]?.string ?? "")
            return times.0 == times.1 ? left.offset < right.offset : times.0 < times.1
        }
        return ordered.suffix(count).map(\.element)
    }
}
