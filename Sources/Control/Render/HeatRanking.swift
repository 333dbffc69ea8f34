internal import Units

/// The hottest stretches of a volume, and those that lie on the wrong tier.
///
/// Fed with extents in the order of their offsets.  A stretch is chunks side by side that have the
/// same level of heat and lie, by most of their bytes, in the same place.  Only the `countMax` best
/// of each list are kept, so that a volume of any size costs as little.
package struct HeatRanking: Sendable {
    package struct Stretch: Equatable, Sendable {
        package var offset: UInt64
        package var byteCount: UInt64
        package var place: HeatMap.Place
        package var level: UInt8
    }

    /// The longest that each list may become: bounds what a client can ask for.
    package static var countLimit: Int { 256 }

    /// With any heat at all: the hottest first, of equal ones the longest.
    package private(set) var hottest: [Stretch] = []
    /// The hottest first, of equal ones the longest.
    package private(set) var hotOnDisk: [Stretch] = []
    /// The longest first.
    package private(set) var coolOnFlash: [Stretch] = []

    private let countMax: Int
    /// The chunk that is not known to its end, gathered as a cell of a map.
    private var chunk: (index: UInt64, byteCount: UInt64, cell: HeatMap.Cell)?
    /// What the next chunk may prolong.
    private var current: Stretch?

    private static var chunkByteCount: UInt64 { UInt64(Geometry.chunkByteCount) }

    package init(countMax: Int) { self.countMax = max(0, min(countMax, Self.countLimit)) }

    /// Notes that the bytes behind those noted before have this place and level of heat.
    package mutating func add(
        offset: UInt64,
        byteCount: UInt64,
        place: HeatMap.Place,
        level: UInt8
    ) {
        var start = offset
        let end = offset + byteCount
        while start < end {
            let (index, inside) = start.quotientAndRemainder(dividingBy: Self.chunkByteCount)
            let whole = (end - start) / Self.chunkByteCount * Self.chunkByteCount
            let length =
                inside == 0 && whole > 0
                ? whole : min(end - start, Self.chunkByteCount - inside)
            if inside == 0 && whole > 0 {
                finishChunk()
                append(Stretch(offset: start, byteCount: length, place: place, level: level))
            } else {
                if chunk?.index != index { finishChunk() }
                gather(index, length, place, level)
            }
            start += length
        }
    }

    /// Ends the last stretch, when all is noted.
    package mutating func finish() {
        finishChunk()
        finishStretch()
    }

    private mutating func gather(
        _ index: UInt64,
        _ byteCount: UInt64,
        _ place: HeatMap.Place,
        _ level: UInt8
    ) {
        var gathered = chunk ?? (index, 0, HeatMap.Cell())
        gathered.byteCount += byteCount
        gathered.cell.byteCounts[place.rawValue] += byteCount
        gathered.cell.heatMax = max(gathered.cell.heatMax, level)
        chunk = gathered
    }

    private mutating func finishChunk() {
        guard let gathered = chunk else { return }
        chunk = nil
        append(
            Stretch(
                offset: gathered.index * Self.chunkByteCount,
                byteCount: gathered.byteCount,
                place: gathered.cell.place,
                level: gathered.cell.heatMax
            )
        )
    }

    private mutating func append(_ stretch: Stretch) {
        if let last = current, last.place == stretch.place, last.level == stretch.level,
            last.offset + last.byteCount == stretch.offset
        {
            current?.byteCount += stretch.byteCount
        } else {
            finishStretch()
            current = stretch
        }
    }

    private mutating func finishStretch() {
        guard let stretch = current else { return }
        current = nil
        guard stretch.place != .hole else { return }
        if stretch.level > 0 { insert(stretch, into: \.hottest, before: Self.isHotter) }
        if HeatMap.isHotOnDisk(stretch.place, level: stretch.level) {
            insert(stretch, into: \.hotOnDisk, before: Self.isHotter)
        }
        if HeatMap.isCoolOnFlash(stretch.place, level: stretch.level) {
            insert(stretch, into: \.coolOnFlash) { $0.byteCount > $1.byteCount }
        }
    }

    private static func isHotter(_ left: Stretch, _ right: Stretch) -> Bool {
        left.level == right.level ? left.byteCount > right.byteCount : left.level > right.level
    }

    private mutating func insert(
        _ stretch: Stretch,
        into list: WritableKeyPath<HeatRanking, [Stretch]>,
        before isBefore: (Stretch, Stretch) -> Bool
    ) {
        let place = self[keyPath: list].firstIndex { isBefore(stretch, $0) }
        let index = place ?? self[keyPath: list].count
        guard index < countMax else { return }
        self[keyPath: list].insert(stretch, at: index)
        if self[keyPath: list].count > countMax { self[keyPath: list].removeLast() }
    }
}

extension HeatRanking {
    /// The lists as fields of the item of `heat/1`.
    func fields(of volume: String) -> [JSONField] {
        let lists = [
            ("hottest", hottest), ("hotOnDisk", hotOnDisk), ("coolOnFlash", coolOnFlash),
        ]
        return lists.map { name, stretches in
            JSONField(name, .list(stretches.map { Self.json($0, of: volume) }))
        }
    }

    private static func json(_ stretch: Stretch, of volume: String) -> JSONValue {
        [
            "address": .text("\(volume):chunk\(stretch.offset / chunkByteCount)"),
            "offset": .count(stretch.offset), "byteCount": .count(stretch.byteCount),
            "place": .text(stretch.place.name), "heatLevel": .count(stretch.level),
        ]
    }
}

/// The lists of a `HeatRanking` for a terminal, below the map.
package struct HeatRankingText: Sendable {
    package var width: Int?

    package init(width: Int?) { self.width = width }

    private static var columns: [Column] {
        [
            Column("address", "ADDRESS", .text, "the first chunk, as 'explain' takes it"),
            Column("byteCount", "SIZE", .byteCount, "bytes side by side"),
            Column("heatLevel", "HEAT", .count, "0 never touched lately, to 7"),
            Column("place", "TIER", .text, "where most of it lies: flash, disk or both"),
        ]
    }

    package func render(_ item: JSONValue) -> String {
        var text = ""
        for (name, title) in [
            ("hottest", "hottest"), ("hotOnDisk", "hot on disk"), ("coolOnFlash", "cool on flash"),
        ] {
            guard let rows = item[name]?.items else { continue }
            guard !rows.isEmpty else {
                text += " \(title): none\n"
                continue
            }
            text += " \(title):\n" + table(rows)
        }
        return text
    }

    /// An error of the table engine cannot come: its columns are fixed and none is asked for by
    /// name.
    private func table(_ rows: [JSONValue]) -> String {
        var options = TableOptions()
        options.width = width
        do throws(ControlError) {
            return try Table(Self.columns).render(rows, options)
        } catch {
            return error.report.line + "\n"
        }
    }
}
