// The map as a square: what is near in the volume is near in two directions, so that a warm range
// is a spot and not a stripe.
extension HeatMapText {
    /// Lines of 64 cells that a square may have: 32 by 32 cells, twice, fit 80 columns.
    package static var hilbertLineCountMax: Int { 16 }

    func hilbert(_ map: HeatMap) -> String {
        var side = 1
        while side * side < map.cells.count { side *= 2 }
        var square = [HeatMap.Cell?](repeating: nil, count: side * side)
        for (index, cell) in map.cells.enumerated() {
            let place = HilbertCurve.place(of: index, side: side)
            square[place.row * side + place.column] = cell
        }
        var rows = stride(from: 0, to: square.count, by: side).map { square[$0..<$0 + side] }
        // A volume that fills the first quarter alone leaves rows below it empty.
        while let last = rows.last, last.allSatisfy({ $0 == nil }) { rows.removeLast() }
        return rows.map { style == .mono ? mono($0) : coloured($0) }.joined()
            + " begins upper left, ends upper right; each quarter is a quarter of the way\n"
    }

    /// Heat on the left, places on the right; beyond the volume's end there is nothing.
    private func mono(_ row: ArraySlice<HeatMap.Cell?>) -> String {
        let heats = String(row.map { $0.map(glyph) ?? " " })
        let places = String(row.map { $0.map(letter) ?? " " })
        return " |\(heats)|  |\(places)|\n"
    }

    private func coloured(_ row: ArraySlice<HeatMap.Cell?>) -> String {
        let cells = row.map { cell in
            guard let cell else { return "\u{1B}[0m " }
            return coloured(cell, with: cell.pinnedByteCount > 0 ? "P" : "▀")
        }
        return " " + cells.joined() + "\u{1B}[0m\n"
    }
}
