/// Words and constructs that the project's style does without.
enum WordRules {
    /// Names that say nothing of what a thing is for.
    private static var emptyNames: Set<String> {
        [
            "manager", "managers", "helper", "helpers", "util", "utils", "utility", "utilities",
            "handler", "handlers",
        ]
    }

    /// Names that are not ours to choose.
    private static var foreignNames: Set<Substring> {
        ["FileManager", "LogHandler", "setEventHandler"]
    }

    /// Parts of the text of one line of code, and why each is not wanted.
    private static var constructs: [(text: String, reason: String)] {
        [
            ("try!", "an error is thrown on or dealt with"),
            (" as! ", "a cast that can fail is an error of its own kind"),
            ("precondition(", "an invariant prints what it is, also in an optimised build"),
            ("preconditionFailure(", "an invariant prints what it is, also in an optimised build"),
            ("-Ounchecked", "checks stay on"),
        ]
    }

    static func check(_ file: SourceText) -> [Violation] {
        file.lines.indices.flatMap { index in
            names(in: file, at: index) + constructs(in: file, at: index)
                + reasons(in: file, at: index) + notes(in: file, at: index)
        }
    }

    private static func names(in file: SourceText, at index: Int) -> [Violation] {
        // Names with underscores are C's.
        guard file.path.hasSuffix(".swift") else { return [] }
        let empty = file.code[index].words.filter { word in
            !word.contains("_") && !foreignNames.contains(word)
                && !parts(of: word).isDisjoint(with: emptyNames)
        }
        return empty.map {
            Violation(
                path: file.path,
                lineIndex: index,
                text: "'\($0)' does not say what it is for"
            )
        }
    }

    /// The words of a name in camel case, in lower case.
    static func parts(of name: Substring) -> Set<String> {
        var parts: [String] = []
        for character in name {
            if character.isUppercase || parts.isEmpty { parts.append("") }
            parts[parts.count - 1] += character.lowercased()
        }
        return Set(parts)
    }

    private static func constructs(in file: SourceText, at index: Int) -> [Violation] {
        guard file.path.hasPrefix("Sources/") else { return [] }
        var found = constructs.filter { file.code[index].contains($0.text) }
        // What a message says is a string, so this looks at the line as it stands.
        let line = file.lines[index].lowercased()
        if line.contains("fatalerror(\"not impl") || line.contains("fatalerror(\"unimpl") {
            found.append(("fatalError", "what is not there is not called"))
        }
        return found.map {
            Violation(path: file.path, lineIndex: index, text: "'\($0.text)': \($0.reason)")
        }
    }

    /// Constructs that are right only for a reason, which stands beside them.
    private static func reasons(in file: SourceText, at index: Int) -> [Violation] {
        guard file.path.hasPrefix("Sources/"), !file.hasComment(at: index) else { return [] }
        return ["try?", "@unchecked Sendable", "nonisolated(unsafe)"]
            .filter { file.code[index].contains($0) }
            .map {
                Violation(
                    path: file.path,
                    lineIndex: index,
                    text: "'\($0)' needs a sentence that says why it is right"
                )
            }
    }

    private static func notes(in file: SourceText, at index: Int) -> [Violation] {
        let words = file.comments[index].words
        let isReasoned = words.contains("until") || words.contains("when")
        return words.filter { word in
            ["FIXME", "XXX", "HACK"].contains(word) || (word == "TODO" && !isReasoned)
        }.map {
            Violation(
                path: file.path,
                lineIndex: index,
                text: "'\($0)' without its reason and the condition that ends it"
            )
        }
    }
}
