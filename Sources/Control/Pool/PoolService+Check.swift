internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

// A recount of an open pool, beside its hosts: each lane counts by itself.
extension PoolService {
    /// Milliseconds between two looks at lanes that count.
    private static var pauseMilliseconds: Int { 20 }
    /// Looks at the ledger until no host writes between two of them.
    private static var ledgerLookCountMax: Int { 20 }

    /// Begins a recount, or looks at the one that was begun: an item, with figures when it has
    /// ended, else with how many leaves are counted so far.
    func check(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        switch try request.text("action") {
        case "begin":
            for lane in lanes { try inquiry.look(at: lane) { lane, _ in lane.beginRecount() } }
            return ["isRunning": .boolean(true), "leafCount": .count(0)]
        case "look": return try lookAtCheck()
        default: throw .protocolViolation(fact: "checks are begun or looked at")
        }
    }

    private var lanes: [LaneIndex] {
        (0..<pool.engine.laneCount).map { LaneIndex(UInt16($0)) }
    }

    private func lookAtCheck() throws(ControlError) -> JSONValue {
        var whole = Recount()
        var leafCount = 0
        var isRunning = false
        for lane in lanes {
            switch try inquiry.look(at: lane, { lane, _ in lane.recountState }) {
            case .none: throw .shuttingDown(pool: directory.name)
            case .running(let count):
                isRunning = true
                leafCount += count
            case .ended(let recount):
                leafCount += recount.leafCount
                whole.add(recount)
            }
        }
        if isRunning { return ["isRunning": .boolean(true), "leafCount": .count(leafCount)] }
        let charged = try compareLedger(&whole)
        return CheckReport(
            pool: directory.name,
            isOpen: true,
            isModelled: isModelled,
            recount: whole,
            chargedBlockCount: charged
        ).json
    }

    /// Compares the ledger, which all lanes share, with what their volumes own.  Lanes cannot be
    /// asked at one moment: the comparison counts only when nothing changed meanwhile.
    ///
    /// - Returns: blocks that the ledger has; nil when hosts changed it all the time.
    private func compareLedger(_ whole: inout Recount) throws(ControlError) -> Int? {
        var before = try ledger()
        for _ in 0..<Self.ledgerLookCountMax {
            let after = try ledger()
            if before == after {
                if after.charged != after.owned {
                    whole.add("volumes own \(after.owned) blocks, \(after.charged) are charged")
                }
                return after.charged
            }
            before = after
            Clock.pause(milliseconds: Self.pauseMilliseconds)
        }
        return nil
    }

    private func ledger() throws(ControlError) -> (charged: Int, owned: Int) {
        let charged = pool.engine.chargedBlocks
        var owned = 0
        for lane in lanes { owned += try inquiry.look(at: lane) { lane, _ in lane.ownedBlocks } }
        return (charged, owned)
    }
}
