internal import ArgumentParser

/// `isotherm inspect PATH [TARGET]`
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what lies on a device or in a catalogue.  Reads only.",
        discussion: """
            Targets: superblock; witness (what the device was told of the pool's age); segment (a \
            list of those in use); segment N (its header and records); record N[:BLOCK] (records \
            of segment N with their entries); of a catalogue: leaf TREE (its leaves), leaf \
            TREE:INDEX (one, block by block).
            """
    )

    @Argument(help: ArgumentHelp("A device, a device file, or a catalogue.", valueName: "path"))
    var path: String
    @Argument(help: "What to show.")
    var target: [String] = []
    @OptionGroup var report: ReportOptions

    func run() throws {
        let target = try InspectionTarget(target)
        let findings: DeviceInspection.Findings
        if CatalogueInspection.isCatalogue(path) {
            findings = try CatalogueInspection(path: path).show(target)
        } else {
            findings = try DeviceInspection(path: path).show(target)
        }
        let console = Console.current
        guard report.json else { return console.output(PlainText.lines(findings.text)) }
        let document = Document(
            schema: "inspect",
            seconds: WallClock.seconds,
            isModelled: findings.isModelled,
            items: findings.items
        )
        console.line(document.json.indented)
    }
}

extension PlainText {
    /// Every line made harmless for a terminal; line feeds stay.
    static func lines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { printable(String($0)) }.joined(separator: "\n")
    }
}
