internal import ArgumentParser
internal import Format

/// How a report is wanted that is no table.
struct ReportOptions: ParsableArguments {
    @Flag(name: .long, help: "Print one JSON document.")
    var json = false

    /// Prints the document as JSON or as the text that `render` makes of each of its items.
    func show(_ document: Document, _ render: (JSONValue) -> String) {
        if json { return Console.current.line(document.json.indented) }
        for item in document.items { Console.current.output(render(item)) }
    }
}

/// How a table of figures is wanted.
struct ReadingOptions: ParsableArguments {
    @OptionGroup var report: ReportOptions
    @Flag(name: .customShort("H"), help: "Print tabs and no header, for scripts.")
    var bare = false
    @Flag(name: .customShort("p"), help: "Print exact numbers.")
    var exact = false
    @Option(
        name: .customShort("o"),
        help: ArgumentHelp(
            "Columns: a,b,c or +a; 'help' tells what each means.",
            valueName: "columns"
        )
    )
    var columns: String?
    @Option(
        name: .customShort("s"),
        help: ArgumentHelp("Sort up by a column.", valueName: "column")
    )
    var sortUp: String?
    @Option(
        name: .customShort("S"),
        help: ArgumentHelp("Sort down by a column.", valueName: "column")
    )
    var sortDown: String?

    private var table: TableOptions {
        var options = TableOptions()
        options.isBare = bare
        options.isExact = exact
        options.columns = columns
        options.width = Console.current.width
        if let sortUp { options.sort = (sortUp, false) }
        if let sortDown { options.sort = (sortDown, true) }
        return options
    }

    /// Prints the document as was asked: JSON, or a table of its items.
    func show(_ document: Document, in table: Table) throws(ControlError) {
        let console = Console.current
        if report.json { return console.line(document.json.indented) }
        if columns == "help" { return console.output(table.help) }
        // Scripts get plain names, and the column `modelled` beside them.
        let items = bare ? document.items : document.items.map(Self.marked)
        let text = try table.render(items, self.table)
        if document.items.isEmpty && !bare { return console.message("none") }
        console.output(text)
    }

    /// `(modelled)` stands behind the name of what depends on a modelled device.
    private static func marked(_ item: JSONValue) -> JSONValue {
        guard case .object(let fields) = item, item["modelled"]?.isTrue == true else { return item }
        return .object(
            fields.map { field in
                guard field.name == "name", let name = field.value.string else { return field }
                return JSONField("name", .text(name + " (modelled)"))
            }
        )
    }
}

/// For what changes something.
struct ChangeOptions: ParsableArguments {
    @Flag(name: [.customShort("n"), .long], help: "Say what would be done, and do nothing.")
    var dryRun = false
}

/// For what cannot be undone.
struct DestructionOptions: ParsableArguments {
    @Flag(name: [.customShort("n"), .long], help: "Say what would be done, and do nothing.")
    var dryRun = false
    @Flag(name: .long, help: "Do it without asking.")
    var yes = false
    @Flag(name: .long, help: "Do it although it is in use.")
    var force = false
}

/// Asks before something is lost.
enum Confirmation {
    /// Returns when `object` may go: `--yes` was said, or its name was typed.
    static func ask(
        _ verb: StaticName,
        _ object: String,
        isGiven: Bool
    ) throws(ControlError) {
        if isGiven { return }
        guard let ask = Console.current.ask else {
            throw .needsConfirmation(verb: verb, object: object)
        }
        guard ask("Type '\(object)' to go on: ") == object else {
            throw .notConfirmed(object: object)
        }
    }
}

/// Where the pool is.
struct PlaceOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The pool's directory, when it cannot be found by its name.",
            valueName: "path"
        )
    )
    var dir: String?
}
