import Foundation
import Testing

/// The documents name only what is there.
@Suite struct DocumentTests {
    private static let documents = [
        "README.md", "docs/command-line.md", "docs/data-path.md", "docs/format.md",
        "docs/fuzzing.md", "docs/nbd.md", "docs/performance.md", "docs/promises.md",
        "docs/recovery.md", "docs/reliability.md", "docs/scrub.md", "docs/simulation.md",
    ]

    /// Files and folders of the project that a text names: in backticks, and as targets of links.
    static func paths(in text: String, of document: String) -> [String] {
        var found: [String] = []
        for (index, part) in text.split(separator: "`", omittingEmptySubsequences: false)
            .enumerated()
        {
            guard index % 2 == 1, let word = part.split(separator: " ").first else { continue }
            if ["Sources/", "Tests/", "tools/", "docs/"].contains(where: word.hasPrefix) {
                found.append(String(word))
            }
        }
        let folder = document.hasPrefix("docs/") ? "docs/" : ""
        for part in text.components(separatedBy: "](").dropFirst() {
            let target = part.prefix { $0 != ")" && $0 != "#" }
            if !target.isEmpty && !target.contains("://") { found.append(folder + target) }
        }
        return found
    }

    @Test(arguments: documents) func `what a document names is there`(document: String) throws {
        let text = try #require(SourceTree.text(of: document))
        for path in Self.paths(in: text, of: document) where !SourceTree.exists(path) {
            Issue.record("\(document) names \(path), which is not there")
        }
    }

    @Test func `names are found in backticks and in links`() {
        let text = "`tools/test --seeds 1`, `swift`, [a](format.md#sizes), [b](https://c.d)"
        #expect(Self.paths(in: text, of: "docs/x.md") == ["tools/test", "docs/format.md"])
    }
}
