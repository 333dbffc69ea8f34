/// The text of one source file, taken apart line by line.
///
/// Code keeps its columns: what is a comment or inside a string literal is blank there.  So a rule
/// about code never trips over prose, and a rule about prose never over code.
struct SourceText {
    /// Relative to the repository.
    var path: String
    /// As it stands in the file.
    var lines: [String]
    /// Comments and the contents of string literals are blanks.
    var code: [String]
    /// Only the comments; empty where there is none.
    var comments: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var scanner = SourceScanner(text: text, isSwift: path.hasSuffix(".swift"))
        scanner.scan()
        code = scanner.code.split(separator: 10, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        comments = scanner.comments.split(separator: 10, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self).trimming()
        }
    }

    /// Whether a comment stands on the line, below it, or above it past a line of attributes.
    func hasComment(at index: Int) -> Bool {
        let near = max(0, index - 2)...min(index + 1, comments.count - 1)
        return near.contains { !comments[$0].isEmpty }
    }
}

/// One line that breaks a rule.
struct Violation: Hashable, CustomStringConvertible {
    var path: String
    /// Counts from zero.
    var lineIndex: Int
    var text: String

    var description: String { "\(path):\(lineIndex + 1): error: \(text)" }
}

extension String {
    func trimming() -> String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// The identifiers and keywords in a line of code.
    var words: [Substring] {
        split { !($0.isLetter || $0.isNumber || $0 == "_") }
    }
}
