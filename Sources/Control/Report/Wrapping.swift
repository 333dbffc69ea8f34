/// Lines of the form `label: value`, whose values wrap under themselves.
package enum Wrapping {
    /// - Parameters:
    ///   - label: stands right-aligned in `labelWidth` columns, with `: ` behind it.
    ///   - width: columns of the terminal; nil for no limit.
    package static func line(
        _ label: String,
        _ value: String,
        labelWidth: Int,
        width: Int?
    ) -> String {
        let room = String(repeating: " ", count: max(0, labelWidth - label.count))
        let head = room + label + (label.isEmpty ? "  " : ": ")
        let indent = String(repeating: " ", count: head.count)
        let lines = wrapped(value, width: width.map { max(20, $0 - head.count) })
        return lines.enumerated()
            .map { index, line in (index == 0 ? head : indent) + line + "\n" }
            .joined()
    }

    /// Breaks at spaces; a word longer than the width stands alone.  Runs of spaces inside a line
    /// stay.
    static func wrapped(_ text: String, width: Int?) -> [String] {
        guard let width, text.count > width else { return [text] }
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            if line.isEmpty {
                line = String(word)
            } else if line.count + 1 + word.count <= width {
                line += " " + word
            } else {
                lines.append(line)
                line = String(word)
            }
        }
        lines.append(line)
        return lines
    }
}
