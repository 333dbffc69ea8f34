internal import ArgumentParser
internal import Format

/// `isotherm pool rebuild`
struct RebuildCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Make the catalogue of a pool anew from its devices alone.",
        discussion: """
            Every device of the pool is named.  They are only read.  What is made is verified as \
            the next start would before it takes its place; a catalogue that is there is kept \
            beside it as catalogue.sqlite.before-SECONDS, and needs --yes.  Events, the progress \
            of scrubs and settings are not on the devices.
            """
    )

    @Argument(help: "The pool.")
    var name: String
    @Option(help: ArgumentHelp("A device of the pool; all are needed.", valueName: "path"))
    var device: [String] = []
    @Flag(name: .long, help: "Move a catalogue that is there aside.")
    var yes = false
    @OptionGroup var report: ReportOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var place: PlaceOptions

    func run() throws {
        let console = Console.current
        let rebuild = try PoolRebuild(
            name: .pool(name),
            devices: device,
            directory: place.dir,
            home: console.home,
            replaces: yes,
            isPlan: change.dryRun
        )
        let made = try rebuild.perform()
        guard report.json else { return console.output(PlainText.lines(made.text)) }
        let document = Document(
            schema: "pool.rebuild",
            seconds: WallClock.seconds,
            isModelled: made.isModelled,
            items: [made.json]
        )
        console.line(document.json.indented)
    }
}
