internal import Catalogue
internal import Engine
internal import IO
internal import Units

// A device has lost what it had said to be durable.  No engine can have what was flushed then; but
// it may not say that it has.  The pool is refused, or what it serves are errors and bytes that
// were once written to this very place.  What was flushed since the last checkpoint may be missing
// without a word: see docs/recovery.md.
extension SimulatedWorld {
    var hasLieComeOut: Bool { devices.contains { $0.hasLostFlushed } }

    /// Opens the pool once more, if it can be, reads everything, and ends the seed.
    func endWithLie() {
        journal.met(.flushedLostByLie)
        isOver = true
        isLoaded = false
        crashCountdown = nil
        guard open(isRequired: false) == .opened else {
            journal.met(.lieRefused)
            lanes = []
            pool = nil
            for index in volumes.indices { volumes[index].life = .gone }
            return
        }
        journal.met(.lieServed)
        atlas?.restart()
        needsTurn = Array(repeating: true, count: lanes.count)
        order.restart(catalogue.tables)
        for index in volumes.indices {
            volumes[index].life = .gone
            for lane in lanes {
                guard let slot = lane.slot(of: volumes[index].row.identifier) else { continue }
                volumes[index].life = .live
                volumes[index].slot = slot
            }
        }
        readAll()
    }

    /// Whether what was read was written to this very place.
    func checkOwner(_ finished: Finished, _ request: OutstandingRequest) {
        guard !finished.isHole else { return }
        let model = volumes[request.volume].model
        let first = request.offset / 4096
        for block in first..<(first + request.byteCount / 4096)
        where model.isForeign(finished.data.block(Int(block - first)), block) {
            journal.report(
                .ownBytes,
                "volume \(model.number) block \(block) holds bytes of another place"
            )
        }
    }
}
