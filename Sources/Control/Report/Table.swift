/// One column of a report: a field of the document's items, and how it looks.
package struct Column: Sendable {
    package enum Kind: Sendable {
        case text, count, byteCount, ratio, duration
    }

    /// The path of the field in an item; also the column's name for `-o`.
    package var name: String
    package var title: String
    package var kind: Kind
    /// One line for `-o help`.
    package var meaning: String
    /// In which order columns go when a table is too wide: the highest first; zero never.
    package var yields: Int
    /// Shown unless other columns were asked for.
    package var isShown: Bool

    package init(
        _ name: String,
        _ title: String,
        _ kind: Kind,
        _ meaning: String,
        yields: Int = 0,
        isShown: Bool = true
    ) {
        self.name = name
        self.title = title
        self.kind = kind
        self.meaning = meaning
        self.yields = yields
        self.isShown = isShown
    }

    var isRightAligned: Bool { kind != .text }

    /// The cell of `item`; `-` for none.
    func cell(of item: JSONValue, isExact: Bool) -> String {
        guard let value = item[path: name] else { return "-" }
        switch (kind, value) {
        case (_, .null): return "-"
        case (.byteCount, _):
            guard let bytes = value.unsigned else { return "-" }
            return isExact ? "\(bytes)" : ByteCountText.short(bytes)
        case (.ratio, _):
            guard let ratio = value.number else { return "-" }
            return isExact ? "\(ratio)" : Self.percent(ratio)
        case (.duration, _):
            guard let seconds = value.unsigned else { return "-" }
            return isExact ? "\(seconds)" : TimeText.duration(seconds: seconds)
        case (_, .text(let text)): return text.isEmpty ? "-" : PlainText.printable(text)
        case (_, .boolean(let flag)): return flag ? "yes" : "no"
        case (_, .list(let items)): return items.compactMap(\.string).joined(separator: ",")
        default: return value.line
        }
    }

    /// `94.1 %`.
    static func percent(_ ratio: Double) -> String {
        let tenths = Int((max(0, min(ratio, 9999)) * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }
}

/// Text from elsewhere (paths, names, messages), made harmless for a terminal.
package enum PlainText {
    package static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            if isControl(scalar) { result += "?" } else { result.unicodeScalars.append(scalar) }
        }
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control
    }
}

/// How a table is wanted.
package struct TableOptions: Sendable {
    /// Tabs and no header, for scripts.
    package var isBare = false
    /// Whole numbers without units.
    package var isExact = false
    /// Names of columns; a leading `+` adds to those shown.
    package var columns: String?
    /// Name of the column to sort by, and whether downwards.
    package var sort: (name: String, isDescending: Bool)?
    /// Columns of the terminal; nil for no limit.
    package var width: Int?

    package init() {}
}

/// The report engine: a document's items as rows.
package struct Table: Sendable {
    package var columns: [Column]

    package init(_ columns: [Column]) { self.columns = columns }

    /// The meaning of every column, a line each.
    package var help: String {
        let width = columns.map(\.name.count).max() ?? 0
        return columns.map { column in
            column.name + String(repeating: " ", count: width - column.name.count) + "  "
                + column.meaning + "\n"
        }.joined()
    }

    /// The columns that `options` ask for.
    package func chosen(_ options: TableOptions) throws(ControlError) -> [Column] {
        guard var text = options.columns else { return columns.filter(\.isShown) }
        var result: [Column] = []
        if text.hasPrefix("+") {
            result = columns.filter(\.isShown)
            text.removeFirst()
        }
        for name in text.split(separator: ",") { result.append(try column(named: String(name))) }
        return result
    }

    private func column(named name: String) throws(ControlError) -> Column {
        guard
            let column = columns.first(where: { $0.name == name || $0.title == name.uppercased() })
        else { throw .column(text: name, known: columns.map(\.name)) }
        return column
    }

    package func render(_ items: [JSONValue], _ options: TableOptions) throws(ControlError)
        -> String
    {
        var chosen = try chosen(options)
        let rows = try sorted(items, options)
        if options.isBare {
            return rows.map { item in
                chosen.map { $0.cell(of: item, isExact: options.isExact) }.joined(separator: "\t")
                    + "\n"
            }.joined()
        }
        var cells = Self.cells(chosen, rows, isExact: options.isExact)
        if let width = options.width, options.columns == nil {
            while Self.width(of: cells) > width, let widest = Self.firstToYield(chosen) {
                chosen.remove(at: widest)
                cells = Self.cells(chosen, rows, isExact: options.isExact)
            }
        }
        return Self.lines(chosen, cells)
    }

    private func sorted(
        _ items: [JSONValue],
        _ options: TableOptions
    ) throws(ControlError) -> [JSONValue] {
        guard let sort = options.sort else { return items }
        let path = try column(named: sort.name).name
        let ascending = items.sorted { left, right in
            switch (left[path: path], right[path: path]) {
            case (.text(let first)?, .text(let second)?): first < second
            case (let first?, let second?): (first.number ?? 0) < (second.number ?? 0)
            default: false
            }
        }
        return sort.isDescending ? ascending.reversed() : ascending
    }

    private static func firstToYield(_ columns: [Column]) -> Int? {
        let index = columns.indices.max { columns[$0].yields < columns[$1].yields }
        return index.flatMap { columns[$0].yields > 0 ? $0 : nil }
    }

    private static func cells(
        _ columns: [Column],
        _ rows: [JSONValue],
        isExact: Bool
    ) -> [[String]] {
        columns.map { column in
            [column.title] + rows.map { column.cell(of: $0, isExact: isExact) }
        }
    }

    private static func width(of cells: [[String]]) -> Int {
        cells.reduce(-2) { $0 + 2 + ($1.map(\.count).max() ?? 0) }
    }

    /// Lines without spaces at their ends.
    private static func lines(_ columns: [Column], _ cells: [[String]]) -> String {
        guard let first = cells.first else { return "" }
        let widths = cells.map { $0.map(\.count).max() ?? 0 }
        var text = ""
        for row in first.indices {
            var line = ""
            for (index, column) in columns.enumerated() {
                let cell = cells[index][row]
                let room = String(repeating: " ", count: widths[index] - cell.count)
                line +=
                    (index > 0 ? "  " : "") + (column.isRightAligned ? room + cell : cell + room)
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}
