internal import IO
internal import Units

// What a device does wrong when an operation ends.  `DeviceFaults` decides; here it is done.
extension SimulatedDevice {
    /// Ends a write for which something else was planned than that it succeeds.
    func settleFaulty(_ held: InFlight, _ faults: DeviceFaults) -> OperationResult {
        let range = blocks(of: held.operation)
        faults.noteFailedWrite()
        switch held.fault {
        case .writeError(let doneCount):
            settle(held, doneCount: doneCount)
            return .mediaError
        case .absence:
            settle(held, doneCount: 0)
            return faults.absenceResult
        case .misdirectedWrite(let distance):
            settle(held, doneCount: 0, keepsCells: true)
            overwrite(held, at: range.lowerBound + distance, faults)
            cells.release(held.cells)
            for block in range { faults.markWrong(block) }
            return .done
        default:
            settle(held, doneCount: 0)
            for block in range { faults.markWrong(block) }
            return .done
        }
    }

    /// Puts a write where it does not belong: over what is there, be it durable or not.
    private func overwrite(_ held: InFlight, at first: Int, _ faults: DeviceFaults) {
        for (position, cell) in held.cells.enumerated() where !isBusy(first + position) {
            let block = first + position
            changeNewest(block) { $0.copy(from: cells.region(of: cell)) }
            faults.markWrong(block)
        }
    }

    /// Changes what a block holds, wherever that is.
    private func changeNewest(_ block: Int, _ change: (BufferRegion) -> Void) {
        if newest[block] != 0 {
            change(cells.region(of: newest[block] - 1))
        } else {
            change(image.block(block))
        }
    }

    /// Lets a durable block rot; false when it is not at rest.
    func rot(_ block: Int) -> Bool {
        guard let faults, isDurable(block), !isBusy(block) else { return false }
        journal.trace("block \(block) of device \(index.rawValue) rots")
        DeviceFaults.damage(image.block(block), random: &faults.random)
        faults.markWrong(block)
        return true
    }

    /// Makes a durable block unreadable until it is written; false when it is not at rest.
    func makeUnreadable(_ block: Int) -> Bool {
        guard let faults, isDurable(block), !isBusy(block) else { return false }
        journal.trace("block \(block) of device \(index.rawValue) cannot be read any more")
        faults.markLatent(block)
        return true
    }

    /// A flush fails: of what it was to make durable, all, some or nothing is gone.  What is gone
    /// of a disk the engine has not named yet: it is no excuse for an error.
    func loseVolatile(_ faults: DeviceFaults) {
        let share = faults.random.pick([0, 500, 1000, 1000])
        var kept: [VolatileWrite] = []
        var gone: [VolatileWrite] = []
        for write in completed {
            if faults.random.chance(permille: share) {
                gone.append(write)
            } else {
                kept.append(write)
            }
        }
        guard !gone.isEmpty else { return }
        completed = kept
        for write in gone {
            for position in write.cells.indices {
                let block = write.firstBlock + position
                faults.noteLost(block)
                newest[block] = 0
            }
            cells.release(write.cells)
        }
        for write in kept {
            for (position, cell) in write.cells.enumerated() {
                newest[write.firstBlock + position] = cell + 1
            }
        }
    }
}
