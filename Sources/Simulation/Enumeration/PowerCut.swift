internal import IO
internal import Units

/// One exact power cut: when, and what it leaves of the blocks that no flush has covered.
package struct PowerCut: Sendable, CustomStringConvertible {
    /// Which volatile blocks are new, by their places among those of all devices: completed writes
    /// in the order of completion, then those in flight in the order of submission.
    package enum Kept: Sendable, Hashable {
        case none
        case all
        case only(Int)
        case allBut(Int)
        case first(Int)
        /// Bit k is block k; blocks beyond are old.
        case mask(UInt64)

        func contains(_ place: Int) -> Bool {
            switch self {
            case .none: false
            case .all: true
            case .only(let one): place == one
            case .allBut(let one): place != one
            case .first(let count): place < count
            case .mask(let bits): place < 64 && bits >> UInt64(place) & 1 == 1
            }
        }
    }

    /// Events that are delivered before it, counted from the first operation or, for a later cut,
    /// from the end of recovery.
    package var event: Int
    package var kept: Kept
    /// Commits of the catalogue that were not answered are done all the same.
    package var keepsCommits: Bool
    /// Events are the writes, flushes and commits of the opening behind the cut before; the last of
    /// them is done if it is a flush or a commit and commits are kept.
    package var isInOpening = false

    package var description: String {
        let place = isInOpening ? " of the opening" : ""
        return "event \(event)\(place), \(kept) kept\(keepsCommits ? ", commits too" : "")"
    }

    /// Blocks of which all subsets are tried.
    static var exhaustiveBlockCount: Int { 12 }

    /// What a cut may leave of `blockCount` volatile blocks: every subset of a few; of many, none,
    /// all, each alone, each missing, all prefixes, and some drawn from `random`.
    static func choices(blockCount: Int, random: inout SimulationRandom) -> [Kept] {
        guard blockCount > 0 else { return [.none] }
        guard blockCount > exhaustiveBlockCount else {
            return (0..<(UInt64(1) << UInt64(blockCount))).map { .mask($0) }
        }
        var choices: [Kept] = [.none, .all]
        for place in 0..<blockCount {
            choices.append(.only(place))
            choices.append(.allBut(place))
            if place > 1 { choices.append(.first(place)) }
        }
        for _ in 0..<64 { choices.append(.mask(random.next())) }
        return choices
    }
}

extension SimulatedDevice {
    /// Blocks of writes and discards that are not durable, in flight or completed.
    var volatileBlockCount: Int {
        completed.reduce(0) { $0 + $1.cells.count }
            + inFlight.reduce(0) { $0 + ($1?.cells.count ?? 0) }
    }

    /// Cuts the power: volatile block k of this device is new when place `first + k` is kept.  A
    /// flush in flight has done nothing.
    func cutPower(keeping kept: PowerCut.Kept, from first: Int) {
        let (whole, cut) = takePending()
        var place = first
        for write in whole + cut {
            for (position, cell) in write.cells.enumerated() {
                let block = write.firstBlock + position
                if kept.contains(place) { image.write(cells.region(of: cell), to: block) }
                newest[block] = 0
                place += 1
            }
            cells.release(write.cells)
        }
    }
}
