import Testing

@testable import Control

/// Each verb's help offers what the verb does and nothing else.
@Suite struct CommandOptionsTests {
    private static let always: Set<String> = ["--help", "--version", "-h"]
    private static let table: Set<String> = ["--json", "-H", "-S", "-o", "-p", "-s"]
    private static let offers: [(verb: String, options: Set<String>)] = [
        ("status", ["--check", "--dir", "--json"]), ("pool status", ["--dir", "--json"]),
        ("heat", ["--cell", "--dir", "--json", "--layout", "--lines", "--mono", "--top"]),
        ("explain", ["--dir", "--json"]), ("check", ["--dir", "--json"]),
        ("inspect", ["--json"]), ("pool list", table), ("volume list", table.union(["--dir"])),
        ("pool scrub status", table.union(["--dir"])),
    ]

    private func words(_ verb: String) -> [String] { verb.split(separator: " ").map(String.init) }

    /// Names of the options in the help's list, whose lines begin with two spaces and a dash.
    private func options(in help: String) -> Set<String> {
        let lines = help.split(separator: "\n").filter { $0.hasPrefix("  -") }
        return Set(
            lines.flatMap { line in
                line.dropFirst(2).split(separator: " ").prefix { $0.hasPrefix("-") }
                    .map { $0.last == "," ? String($0.dropLast()) : String($0) }
            }
        )
    }

    @Test(arguments: offers)
    func `the help names every option of the verb`(offer: (verb: String, options: Set<String>)) {
        let help = CommandRun()(words(offer.verb) + ["--help"])
        #expect(help.status == 0)
        #expect(options(in: help.output) == offer.options.union(Self.always))
    }

    @Test(arguments: offers)
    func `what a verb does not do is refused`(offer: (verb: String, options: Set<String>)) {
        let run = CommandRun()
        let known = Self.offers.reduce(into: Set(["--select"])) { $0.formUnion($1.options) }
        for option in known.subtracting(offer.options) {
            let outcome = run(words(offer.verb) + [option, "name"])
            #expect(outcome.status == 64, "\(offer.verb) \(option)")
            #expect(outcome.output.isEmpty)
            #expect(outcome.errors.contains("Unknown option '\(option)'"), "\(outcome.errors)")
        }
    }
}
