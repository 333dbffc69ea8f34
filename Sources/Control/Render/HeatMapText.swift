/// A heat map for a terminal: a line of heat and a line of places, or, in colour, one line of half
/// blocks with heat above and place below.
package struct HeatMapText: Sendable {
    package enum Style: Sendable {
        case mono, colour
    }
    package enum Measure: String, Sendable, CaseIterable {
        case mean, max
    }

    /// How cells follow one another: in lines, or along a Hilbert curve.
    package enum Layout: String, Sendable, CaseIterable {
        case linear, hilbert
    }

    package var style: Style
    package var measure: Measure
    package var width: Int?
    package var isModelled: Bool
    package var layout: Layout

    package init(
        style: Style,
        measure: Measure,
        width: Int?,
        isModelled: Bool,
        layout: Layout = .linear
    ) {
        self.style = style
        self.measure = measure
        self.width = width
        self.isModelled = isModelled
        self.layout = layout
    }

    private static var glyphs: [Character] { Array(" .:-=+*#%@") }
    /// Blue to white over red, dark to light, so that it reads without telling hues apart.
    private static var heatColours: [Int] { [234, 17, 54, 90, 126, 167, 215, 230] }
    private static var labelWidth: Int { 9 }

    package func render(_ map: HeatMap) -> String {
        header(map) + (layout == .linear ? linear(map) : hilbert(map)) + legend
    }

    private func linear(_ map: HeatMap) -> String {
        var text = ""
        let lineCount = (map.cells.count + HeatMap.cellsPerLine - 1) / HeatMap.cellsPerLine
        var line = 0
        while line < lineCount {
            let empty = (line..<lineCount).prefix { isHole(map, line: $0) }.count
            if empty > 0 {
                text += folded(map, from: line, to: line + empty)
                line += empty
            } else {
                text += style == .mono ? mono(map, line: line) : coloured(map, line: line)
                line += 1
            }
        }
        return text
    }

    private func header(_ map: HeatMap) -> String {
        let mark = isModelled ? " (modelled)" : ""
        let facts =
            "\(map.volume)\(mark) \(ByteCountText.short(map.byteCount)), \(layout.rawValue), "
            + "cell \(ByteCountText.short(map.cellByteCount)) (\(measure.rawValue)), "
            + "half-life 1 h and 24 h"
        let misplaced =
            "misplaced: \(ByteCountText.short(map.hotOnDiskByteCount)) hot on disk, "
            + "\(ByteCountText.short(map.coolOnFlashByteCount)) cool on flash"
        guard let width, facts.count + 4 + misplaced.count + 1 > width else {
            return " \(facts)    \(misplaced)\n"
        }
        return " \(facts)\n \(misplaced)\n"
    }

    private var legend: String {
        style == .mono
            ? " heat \" .:-=+*#%@\"   F flash  D disk  B home on disk and clean copy on flash\n"
                + " P pinned to flash  . hole"
                + (layout == .linear ? "   (lines that are all hole are folded)\n" : "\n")
            : " heat " + Self.heatColours.map { "\u{1B}[48;5;\($0)m  " }.joined() + "\u{1B}[0m   "
                + HeatMap.Place.allCases.map {
                    "\u{1B}[48;5;\(Self.colour(of: $0))m  \u{1B}[0m \($0.name)"
                }.joined(separator: "  ") + "  P pinned\n"
    }

    private static func colour(of place: HeatMap.Place) -> Int {
        switch place {
        case .hole: 236
        case .flash: 37
        case .disk: 94
        case .both: 64
        }
    }

    private func cells(_ map: HeatMap, line: Int) -> ArraySlice<HeatMap.Cell> {
        let start = line * HeatMap.cellsPerLine
        return map.cells[start..<min(start + HeatMap.cellsPerLine, map.cells.count)]
    }

    private func isHole(_ map: HeatMap, line: Int) -> Bool {
        cells(map, line: line).allSatisfy { $0.place == .hole }
    }

    /// Heat of a cell in 0...1: over its stored bytes, since holes have none.
    private func heat(of cell: HeatMap.Cell) -> Double {
        let levelMax = Double(HeatMap.levelCount - 1)
        switch measure {
        case .max: return Double(cell.heatMax) / levelMax
        case .mean:
            let stored = cell.storedByteCount
            return stored == 0 ? 0 : min(1, Double(cell.heatSum) / Double(stored) / levelMax)
        }
    }

    private func offsetText(_ map: HeatMap, line: Int) -> String {
        let offset = UInt64(line * HeatMap.cellsPerLine) * map.cellByteCount
        return offset == 0 ? "0 " + Self.unit(of: map) : ByteCountText.short(offset)
    }

    /// The unit of the second line's offset, so that the first reads like it.
    private static func unit(of map: HeatMap) -> String {
        let line = map.cellByteCount * UInt64(HeatMap.cellsPerLine)
        return String(
            ByteCountText.short(min(line, max(1, map.byteCount))).split(separator: " ")[1]
        )
    }

    private func label(_ text: String) -> String {
        String(repeating: " ", count: max(0, Self.labelWidth - text.count)) + text
    }

    private func folded(_ map: HeatMap, from first: Int, to end: Int) -> String {
        let endOffset = min(
            UInt64(end * HeatMap.cellsPerLine) * map.cellByteCount,
            map.byteCount
        )
        return "  \(offsetText(map, line: first)) to \(ByteCountText.short(endOffset)): hole\n"
    }

    private func mono(_ map: HeatMap, line: Int) -> String {
        let cells = cells(map, line: line)
        return label(offsetText(map, line: line)) + " |" + String(cells.map(glyph)) + "|\n"
            + label("") + " |" + String(cells.map(letter)) + "|\n"
    }

    func glyph(_ cell: HeatMap.Cell) -> Character {
        Self.glyphs[Int((heat(of: cell) * Double(Self.glyphs.count - 1)).rounded())]
    }

    func letter(_ cell: HeatMap.Cell) -> Character {
        cell.pinnedByteCount > 0 ? "P" : cell.place.letter
    }

    /// `mark` in the colour of the cell's heat, on that of its place.
    func coloured(_ cell: HeatMap.Cell, with mark: Character) -> String {
        let level = Int((heat(of: cell) * Double(HeatMap.levelCount - 1)).rounded())
        let below = Self.colour(of: cell.place)
        return "\u{1B}[38;5;\(Self.heatColours[level]);48;5;\(below)m\(mark)"
    }

    private func coloured(_ map: HeatMap, line: Int) -> String {
        let cells = cells(map, line: line)
        var text = label(offsetText(map, line: line)) + " "
        for cell in cells { text += coloured(cell, with: "▀") }
        text += "\u{1B}[0m\n"
        if cells.contains(where: { $0.pinnedByteCount > 0 }) {
            let marks = cells.map { $0.pinnedByteCount > 0 ? Character("P") : " " }
            text += label("") + " " + String(marks) + "\n"
        }
        return text
    }
}
