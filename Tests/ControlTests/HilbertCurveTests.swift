import Testing

@testable import Control

@Suite struct HilbertCurveTests {
    private struct Place: Hashable {
        var column: Int
        var row: Int
    }

    private func way(side: Int) -> [Place] {
        (0..<side * side).map { index in
            let place = HilbertCurve.place(of: index, side: side)
            return Place(column: place.column, row: place.row)
        }
    }

    @Test(arguments: [1, 2, 4, 8, 16, 32])
    func `the way goes once through every place, from neighbour to neighbour`(side: Int) {
        let way = way(side: side)
        #expect(Set(way).count == side * side)
        #expect(way.allSatisfy { (0..<side).contains($0.column) && (0..<side).contains($0.row) })
        #expect(
            zip(way, way.dropFirst()).allSatisfy {
                abs($0.column - $1.column) + abs($0.row - $1.row) == 1
            }
        )
        #expect(way.first == Place(column: 0, row: 0))
        #expect(way.last == Place(column: side - 1, row: 0))
    }

    /// Eight chunks with data, the last pinned, then eight of hole.
    private var map: HeatMap {
        var map = HeatMap(volume: "t/v", byteCount: 1 << 20, lineCount: 1)
        for index in 0..<UInt64(8) {
            map.add(
                offset: index << 16,
                byteCount: 64 << 10,
                place: index < 4 ? .flash : .disk,
                level: index < 4 ? 7 : 1,
                isPinned: index == 7
            )
        }
        return map
    }

    private func text(_ style: HeatMapText.Style) -> HeatMapText {
        HeatMapText(style: style, measure: .mean, width: 80, isModelled: false, layout: .hilbert)
    }

    @Test func `a square without colours has heat on the left and places on the right`() {
        #expect(
            text(.mono).render(map) == """
                \u{20}t/v 1 MiB, hilbert, cell 64 KiB (mean), half-life 1 h and 24 h
                 misplaced: 0 bytes hot on disk, 0 bytes cool on flash
                 |@@  |  |FF..|
                 |@@  |  |FF..|
                 |..  |  |DP..|
                 |..  |  |DD..|
                 begins upper left, ends upper right; each quarter is a quarter of the way
                 heat " .:-=+*#%@"   F flash  D disk  B home on disk and clean copy on flash
                 P pinned to flash  . hole

                """
        )
    }

    @Test func `a coloured square ends every colour, and the largest fits 80 columns`() {
        let coloured = text(.colour).render(map)
        #expect(coloured.contains("▀") && coloured.contains("P"))
        for line in coloured.split(separator: "\n") where line.contains("\u{1B}[") {
            #expect(line.contains("\u{1B}[0m"))
        }
        let large = HeatMap(
            volume: "t/v",
            byteCount: 1 << 40,
            lineCount: HeatMapText.hilbertLineCountMax
        )
        let lines = text(.mono).render(large).split(separator: "\n")
        #expect(lines.count { $0.hasPrefix(" |") } == 32)
        #expect(lines.allSatisfy { $0.count <= 80 })
        // What is empty below the last cell is left out.
        let small = HeatMap(volume: "t/v", byteCount: 17 << 16, lineCount: 1)
        let rows = text(.mono).render(small).split(separator: "\n").filter { $0.hasPrefix(" |") }
        #expect(rows.count == 5)
    }
}
