internal import ArgumentParser
internal import Catalogue
internal import Format
internal import IO

/// `isotherm check [POOL]`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Count anew what a pool's map refers to, and compare with what is kept.",
        discussion: """
            A pool that is being served is counted beside its hosts; one that is not, as its next \
            start would find it, and nothing on its devices is changed.  Counted are live blocks \
            of segments, blocks that volumes own, references to places that are not in use, and \
            to places that another block has.  The exit status is 0 only when all is equal.
            """
    )

    @Argument(help: "The pool; all of them when left out.")
    var pool: String?
    @OptionGroup var report: ReportOptions
    @OptionGroup var place: PlaceOptions

    func run() throws {
        let name = try pool.map { try ObjectName.pool($0) }
        var documents: [Document] = []
        for access in try PoolAccess.all(named: name, place) { documents.append(try check(access)) }
        let document = Document.joined(documents, schema: "check")
        let text = CheckText(width: Console.current.width)
        report.show(document) { text.render($0) }
        if documents.isEmpty { Console.current.message("there is no pool") }
        for item in document.items {
            let count = Int(clamping: item["differenceCount"]?.unsigned ?? 0)
            guard count > 0 else { continue }
            throw ControlError.checkDiffers(pool: item["pool"]?.string ?? "-", count: count)
        }
    }

    private func check(_ access: PoolAccess) throws(ControlError) -> Document {
        if access.client.isReachable { return try checkServed(access.client) }
        let report = try OfflineCheck(access.directory).run()
        return Document(
            schema: "check",
            seconds: WallClock.seconds,
            isModelled: report.isModelled,
            items: [report.json]
        )
    }

    /// Has the daemon count, and asks until it has.
    private func checkServed(_ client: ControlClient) throws(ControlError) -> Document {
        _ = try client.answer(ControlRequest("check", ["action": "begin"]))
        while true {
            let request = ControlRequest("check", ["action": "look"])
            let document = try PoolAccess.document(client.answer(request))
            guard document.items.first?["isRunning"]?.isTrue == true else { return document }
            Clock.pause(milliseconds: 100)
        }
    }
}
