/// A volume's heat and places, gathered into cells of equal size.
///
/// Fed with extents in any order; a cell's heat is the mean or the hottest of its bytes, its place
/// the one that most of its bytes have.
package struct HeatMap: Equatable, Sendable {
    /// Where bytes lie.
    package enum Place: Int, CaseIterable, Sendable {
        case hole, flash, disk, both

        /// As the map without colours shows it.
        package var letter: Character {
            switch self {
            case .hole: "."
            case .flash: "F"
            case .disk: "D"
            case .both: "B"
            }
        }

        /// As people and programs are told it.
        package var name: String {
            switch self {
            case .hole: "hole"
            case .flash: "flash"
            case .disk: "disk"
            case .both: "both"
            }
        }
    }

    package struct Cell: Equatable, Sendable {
        /// Bytes by place, indexed by `Place`.
        package var byteCounts: [4 of UInt64] = .init(repeating: 0)
        package var pinnedByteCount: UInt64 = 0
        /// Sum of heat times bytes over what is stored, and the hottest of it: a hole has no heat,
        /// whatever was trimmed there.
        package var heatSum: UInt64 = 0
        package var heatMax: UInt8 = 0

        package static func == (left: Cell, right: Cell) -> Bool {
            Place.allCases.allSatisfy {
                left.byteCounts[$0.rawValue] == right.byteCounts[$0.rawValue]
            }
                && left.pinnedByteCount == right.pinnedByteCount && left.heatSum == right.heatSum
                && left.heatMax == right.heatMax
        }

        package var place: Place {
            // What is stored shows before holes: a cell with any data is no hole.
            Place.allCases.dropFirst().max { first, second in
                byteCounts[first.rawValue] < byteCounts[second.rawValue]
            }.flatMap { byteCounts[$0.rawValue] > 0 ? $0 : nil } ?? .hole
        }

        var storedByteCount: UInt64 {
            Place.allCases.dropFirst().reduce(0) { $0 + byteCounts[$1.rawValue] }
        }
    }

    /// Levels of heat, from 0 (never touched lately) to 7.
    package static var levelCount: Int { 8 }
    package static var cellsPerLine: Int { 64 }
    package static var lineCountMax: Int { 256 }
    /// The most cells that a map may have: bounds what a client can ask for.
    package static var cellCountMax: Int { cellsPerLine * lineCountMax }

    package let volume: String
    package let byteCount: UInt64
    package let cellByteCount: UInt64
    package private(set) var cells: [Cell]
    /// Bytes on the wrong tier: `isHotOnDisk` and `isCoolOnFlash`.
    package private(set) var hotOnDiskByteCount: UInt64 = 0
    package private(set) var coolOnFlashByteCount: UInt64 = 0

    /// A map of at most `lineCount` lines; cells are whole chunks.
    package init(volume: String, byteCount: UInt64, lineCount: Int) {
        let wanted = UInt64(max(1, min(lineCount, Self.lineCountMax)) * Self.cellsPerLine)
        let chunk: UInt64 = 64 << 10
        let chunkCount = (byteCount + chunk - 1) / chunk
        self.init(
            volume: volume,
            byteCount: byteCount,
            cellByteCount: max(1, (chunkCount + wanted - 1) / wanted) * chunk
        )
    }

    init(volume: String, byteCount: UInt64, cellByteCount: UInt64) {
        self.volume = volume
        self.byteCount = byteCount
        self.cellByteCount = cellByteCount
        let count = Int((byteCount + cellByteCount - 1) / cellByteCount)
        cells = [Cell](repeating: Cell(), count: count)
    }

    /// At level 5 or above, and on disk only.
    static func isHotOnDisk(_ place: Place, level: UInt8) -> Bool { place == .disk && level >= 5 }

    /// At level 1 or below, and on flash.
    static func isCoolOnFlash(_ place: Place, level: UInt8) -> Bool {
        (place == .flash || place == .both) && level <= 1
    }

    /// Notes that `range` bytes have this place and level of heat.
    package mutating func add(
        offset: UInt64,
        byteCount: UInt64,
        place: Place,
        level: UInt8,
        isPinned: Bool
    ) {
        let level = min(level, UInt8(Self.levelCount - 1))
        if Self.isHotOnDisk(place, level: level) { hotOnDiskByteCount += byteCount }
        if Self.isCoolOnFlash(place, level: level) { coolOnFlashByteCount += byteCount }
        var start = offset
        let end = min(offset + byteCount, self.byteCount)
        while start < end {
            let index = Int(start / cellByteCount)
            let part = min(end, UInt64(index + 1) * cellByteCount) - start
            cells[index].byteCounts[place.rawValue] += part
            if place != .hole {
                cells[index].heatSum += UInt64(level) * part
                cells[index].heatMax = max(cells[index].heatMax, level)
            }
            if isPinned { cells[index].pinnedByteCount += part }
            start += part
        }
    }
}

extension HeatMap {
    /// The one item of the document `heat/1`.  Cells that are all hole are left out.
    package var json: JSONValue {
        let shown = cells.enumerated().filter { $0.element.storedByteCount > 0 }
        return [
            "volume": .text(volume), "byteCount": .count(byteCount),
            "cellByteCount": .count(cellByteCount), "levelCount": .count(Self.levelCount),
            "hotOnDiskByteCount": .count(hotOnDiskByteCount),
            "coolOnFlashByteCount": .count(coolOnFlashByteCount),
            "cells": .list(
                shown.map { index, cell in
                    [
                        "cell": .count(index),
                        "flashByteCount": .count(cell.byteCounts[Place.flash.rawValue]),
                        "diskByteCount": .count(cell.byteCounts[Place.disk.rawValue]),
                        "bothByteCount": .count(cell.byteCounts[Place.both.rawValue]),
                        "pinnedByteCount": .count(cell.pinnedByteCount),
                        "heatSum": .count(cell.heatSum), "heatMax": .count(cell.heatMax),
                    ]
                }
            ),
        ]
    }

    /// Takes an item of the document `heat/1`; nil when a field is missing or out of its bounds.
    package init?(_ json: JSONValue) {
        guard let volume = json["volume"]?.string, let byteCount = json["byteCount"]?.unsigned,
            let cellByteCount = json["cellByteCount"]?.unsigned, cellByteCount > 0,
            byteCount <= 1 << 50, byteCount / cellByteCount <= UInt64(Self.cellCountMax),
            let items = json["cells"]?.items
        else { return nil }
        self.init(volume: volume, byteCount: byteCount, cellByteCount: cellByteCount)
        hotOnDiskByteCount = json["hotOnDiskByteCount"]?.unsigned ?? 0
        coolOnFlashByteCount = json["coolOnFlashByteCount"]?.unsigned ?? 0
        for item in items {
            guard let index = item["cell"]?.unsigned, index < UInt64(cells.count) else {
                return nil
            }
            let cell = Int(index)
            let names: [(Place, String)] = [(.flash, "flash"), (.disk, "disk"), (.both, "both")]
            for (place, name) in names {
                let count = item[name + "ByteCount"]?.unsigned ?? 0
                cells[cell].byteCounts[place.rawValue] = min(count, cellByteCount)
            }
            cells[cell].pinnedByteCount = min(item["pinnedByteCount"]?.unsigned ?? 0, cellByteCount)
            cells[cell].heatSum = min(item["heatSum"]?.unsigned ?? 0, 7 * cellByteCount)
            cells[cell].heatMax = UInt8(min(item["heatMax"]?.unsigned ?? 0, 7))
        }
    }
}
