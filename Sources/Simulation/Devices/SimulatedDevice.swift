package import IO
package import Units

// A device made of memory, with a volatile cache, in virtual time.
//
//      submit                 finish                     flush finishes
//   engine ---> in flight  ----------> completed (cells) ----------------> durable image
//                 |                        |                                   |
//                 |                        +------- a read sees the newest ----+
//                 +---- a read that overlaps in time sees any mix of sectors
//
// The bytes of a write are copied when it is submitted and compared when it finishes: an engine
// that changes a buffer in flight is found out.  A flush makes durable exactly what had completed
// before it was submitted, and says nothing of the rest.
//
// Lasting faults have their place in `finish` (what a transfer does) and in `CrashFates` (what a
// power cut leaves).

package final class SimulatedDevice {
    package let index: DeviceIndex
    package let blockCount: Int
    /// Of a segment, in blocks.
    let segmentBlockCount: Int
    package let character: DeviceCharacter
    let image: DurableImage
    let cells: CellStore
    var random: SimulationRandom
    let journal: Journal
    /// Blocks that a power cut made unreadable, until they are written.
    var unreadable: Set<Int> = []
    /// Blocks that a power cut damaged, as they lay beside what was being written, until they are
    /// written.
    var harmed: Set<Int> = []
    /// What goes wrong; nil in a seed without faults.
    var faults: DeviceFaults?

    /// A write or discard that the image does not hold yet.
    struct VolatileWrite {
        var firstBlock: Int
        var cells: [UInt32]
        /// When it was submitted, in the device's own count of events.
        var submitted: UInt32
        /// When it finished.
        var completed: UInt32
        var isDiscard: Bool
    }

    /// An operation that was submitted and has not finished.
    struct InFlight {
        var operation: Operation
        var submitted: UInt32
        var cells: [UInt32]
        /// Of a flush: writes completed up to this event become durable.
        var covers: UInt32
        var fault = PlannedFault.none
        var site: FaultSite?
        var isRepeated = false
    }

    /// By slot; nil for a free one.
    private(set) var inFlight: [InFlight?] = []
    private var freeSlots: [Int] = []
    package private(set) var inFlightCount = 0
    /// In the order in which they completed.
    var completed: [VolatileWrite] = []
    /// For each block, one more than the cell of the newest completed write that is not durable.
    var newest: [UInt32]
    /// For each block, whether a write or discard to it is in flight.
    private var isClaimed: [Bool]
    /// For each block, reads in flight.
    private var readers: [UInt16]
    /// For each block, the event of the last write or discard that finished.
    private var changedAt: [UInt32]
    private var event: UInt32 = 0
    private(set) var flushCount = 0
    /// Where its flushes are lies: what was there before, the oldest first.
    var unflushed: [LiedWrite] = []
    /// A cut has taken what a flush had covered.
    package var hasLostFlushed = false

    package init(
        index: DeviceIndex,
        blockCount: Int,
        segmentBlockCount: Int,
        character: DeviceCharacter,
        seed: UInt64,
        image: DurableImage,
        cells: CellStore,
        journal: Journal
    ) {
        self.index = index
        self.blockCount = blockCount
        self.segmentBlockCount = segmentBlockCount
        self.character = character
        self.image = image
        self.cells = cells
        self.journal = journal
        random = SimulationRandom(seed: seed, stream: .device, index: UInt64(index.rawValue))
        image.reset(blockCount: blockCount, seed: seed ^ UInt64(index.rawValue) << 48)
        newest = [UInt32](repeating: 0, count: blockCount)
        isClaimed = [Bool](repeating: false, count: blockCount)
        readers = [UInt16](repeating: 0, count: blockCount)
        changedAt = [UInt32](repeating: 0, count: blockCount)
    }

    package var byteCount: UInt64 { UInt64(blockCount * Geometry.blockByteCount) }

    /// Completed writes that no flush has made durable.
    package var volatileWriteCount: Int { completed.count }

    package var inFlightWriteCount: Int {
        inFlight.count { $0?.operation.kind == .write }
    }

    package var hasFlushInFlight: Bool {
        inFlight.contains { $0?.operation.kind == .flush }
    }

    /// Whether a block would read the same after any power cut.
    package func isDurable(_ block: Int) -> Bool { newest[block] == 0 && !isClaimed[block] }

    // MARK: Operations

    /// Whether an operation on the block is in flight.
    func isBusy(_ block: Int) -> Bool { isClaimed[block] || readers[block] > 0 }

    /// Takes an operation; it ends with `finish`, after the nanoseconds that come back.
    ///
    /// - Parameters:
    ///   - site: what it is for; without it nothing goes wrong.
    ///   - isRepeated: it was refused before.  A read is not refused by chance once more.
    ///   - now: nanoseconds of the process.
    package func submit(
        _ operation: Operation,
        site: FaultSite? = nil,
        isRepeated: Bool = false,
        now: UInt64 = 0
    ) -> (slot: Int, nanoseconds: UInt64) {
        event += 1
        check(operation)
        let blocks = blocks(of: operation)
        var held = InFlight(operation: operation, submitted: event, cells: [], covers: 0)
        var typical = character.flushNanoseconds
        switch operation.kind {
        case .read:
            for block in blocks { readers[block] += 1 }
            // Nothing may be read out of the buffer before the operation has finished.
            operation.region.spoil()
            typical = character.readNanoseconds
        case .write:
            claim(blocks, for: operation)
            held.cells = cellsHolding(operation.region)
            typical = character.writeNanoseconds
            digest(operation)
        case .discard:
            claim(blocks, for: operation)
            held.cells = cellsOfDiscard(blocks)
        case .flush:
            held.covers = event
        }
        if let faults {
            held.site = site
            held.isRepeated = isRepeated
            held.fault = faults.plan(
                operation.kind,
                site,
                blocks: blocks,
                isRepeated: isRepeated,
                now: now
            )
            if held.fault == .flushError(losesAtOnce: true) { loseVolatile(faults) }
        }
        typical += UInt64(blocks.count) * character.blockNanoseconds
        let slot = freeSlots.popLast() ?? inFlight.count
        if slot == inFlight.count { inFlight.append(held) } else { inFlight[slot] = held }
        inFlightCount += 1
        let duration = random.duration(around: typical, slowOneIn: character.slowOneIn)
        if duration > 2 * typical { journal.met(.slowOperation) }
        return (slot, max(duration, faults?.silence(now: now, site) ?? 0))
    }

    /// Ends an operation and gives the engine's completion for it.
    package func finish(_ slot: Int) -> Completion {
        guard let held = inFlight[slot] else {
            invariantFailed("an operation finishes once", file: #fileID, line: #line)
        }
        event += 1
        inFlight[slot] = nil
        freeSlots.append(slot)
        inFlightCount -= 1
        let operation = held.operation
        var result = OperationResult.done
        switch operation.kind {
        case .read:
            let blocks = blocks(of: operation)
            for (position, block) in blocks.enumerated() {
                readers[block] -= 1
                read(block, into: operation.region.block(position), since: held.submitted)
            }
            if isUnreadable(blocks) {
                operation.region.fill(with: 0xEE)
                result = .mediaError
            } else if let faults {
                result = faults.endRead(held, blocks: blocks)
            }
        case .write:
            compare(held)
            if let faults, held.fault != .none {
                result = settleFaulty(held, faults)
            } else {
                settle(held)
            }
        case .discard: settle(held)
        case .flush:
            if let faults, case .flushError(let losesAtOnce) = held.fault {
                if !losesAtOnce { loseVolatile(faults) }
                faults.noteFailedFlush()
                result = .mediaError
            } else if let faults, held.fault == .absence {
                faults.noteFailedFlush()
                result = faults.absenceResult
            } else {
                faults?.noteLie(held.site)
                makeDurable(through: held.covers)
            }
        }
        return Completion(token: operation.token, result: result)
    }

    /// Reads at once, outside of virtual time, as whoever opens the device does.
    package func readNow(offset: UInt64, into region: BufferRegion) {
        let first = Int(offset) / Geometry.blockByteCount
        for position in 0..<(region.byteCount / Geometry.blockByteCount) {
            readNewest(first + position, into: region.block(position))
        }
    }

    /// Writes and flushes at once, outside of virtual time, as whoever formats the device does.
    package func writeNow(offset: UInt64, from region: BufferRegion) {
        let first = Int(offset) / Geometry.blockByteCount
        for position in 0..<(region.byteCount / Geometry.blockByteCount) {
            invariant(newest[first + position] == 0, "formatting overwrites nothing volatile")
            image.write(region.block(position), to: first + position)
            clear(first + position)
        }
    }

    // MARK: Parts of operations

    func blocks(of operation: Operation) -> Range<Int> {
        guard operation.kind != .flush else { return 0..<0 }
        let bytes =
            operation.kind == .discard ? operation.byteCount : UInt64(operation.region.byteCount)
        let first = Int(operation.offset) / Geometry.blockByteCount
        return first..<(first + Int(bytes) / Geometry.blockByteCount)
    }

    private func check(_ operation: Operation) {
        guard operation.kind != .flush else { return }
        let block = UInt64(Geometry.blockByteCount)
        let bytes =
            operation.kind == .discard ? operation.byteCount : UInt64(operation.region.byteCount)
        if operation.offset % block != 0 || bytes % block != 0 || bytes == 0 {
            journal.report(
                .operationRules,
                "\(describe(operation)) is not made of whole blocks"
            )
        }
        if operation.offset > byteCount || bytes > byteCount - operation.offset {
            journal.report(.operationRules, "\(describe(operation)) leaves the device")
            invariantFailed("an operation stays on its device", file: #fileID, line: #line)
        }
        guard operation.kind != .discard else { return }
        for other in inFlight {
            guard let other, other.operation.kind == .read || operation.kind == .read,
                other.operation.kind != .flush, other.operation.kind != .discard,
                other.operation.region.overlaps(operation.region)
            else { continue }
            journal.report(
                .operationRules,
                "\(describe(operation)) uses memory of \(describe(other.operation)) in flight"
            )
        }
    }

    private func claim(_ blocks: Range<Int>, for operation: Operation) {
        for block in blocks {
            if isClaimed[block] {
                journal.report(
                    .operationRules,
                    "\(describe(operation)) meets a write in flight at \(block)"
                )
            }
            if readers[block] > 0 {
                journal.report(
                    .deviceOrder,
                    "\(describe(operation)) meets a read in flight at block \(block)"
                )
            }
            isClaimed[block] = true
            clear(block)
        }
    }

    /// A write of the block was taken: what lasted until then has ended.
    func clear(_ block: Int) {
        faults?.clear(block)
        if !unreadable.isEmpty { unreadable.remove(block) }
        if !harmed.isEmpty { harmed.remove(block) }
    }

    private func cellsHolding(_ region: BufferRegion) -> [UInt32] {
        var held: [UInt32] = []
        let count = region.byteCount / Geometry.blockByteCount
        held.reserveCapacity(count)
        for position in 0..<count {
            let cell = cells.acquire()
            cells.region(of: cell).copy(from: region.block(position))
            held.append(cell)
        }
        return held
    }

    private func cellsOfDiscard(_ blocks: Range<Int>) -> [UInt32] {
        guard character.discard != .keepsOld else { return [] }
        return blocks.map { block in
            let cell = cells.acquire()
            if character.discard == .zeroes {
                cells.region(of: cell).zero()
            } else {
                cells.region(of: cell).fillRandomly(seed: UInt64(event) << 32 | UInt64(block))
            }
            return cell
        }
    }

    private func digest(_ operation: Operation) {
        guard journal.isDigesting else { return }
        journal.digest(
            operation.offset ^ UInt64(index.rawValue) << 56,
            UInt64(operation.region.checksum(from: 0))
        )
    }

    private func compare(_ held: InFlight) {
        for (position, cell) in held.cells.enumerated()
        where !held.operation.region.block(position).isEqual(to: cells.region(of: cell)) {
            journal.report(
                .operationRules,
                "\(describe(held.operation)): block \(position) of its buffer changed in flight"
            )
            return
        }
    }

    /// Ends a write of which only the first blocks are on the device.
    func settle(_ held: InFlight, doneCount: Int, keepsCells: Bool = false) {
        var part = held
        part.cells = Array(held.cells[..<doneCount])
        if !keepsCells { cells.release(Array(held.cells[doneCount...])) }
        settle(part)
    }

    /// A write or discard is on the device from here on, but not durable.
    private func settle(_ held: InFlight) {
        let range = blocks(of: held.operation)
        for block in range {
            isClaimed[block] = false
            changedAt[block] = event
        }
        guard !held.cells.isEmpty else { return }
        for (position, cell) in held.cells.enumerated() {
            newest[range.lowerBound + position] = cell + 1
        }
        completed.append(
            VolatileWrite(
                firstBlock: range.lowerBound,
                cells: held.cells,
                submitted: held.submitted,
                completed: event,
                isDiscard: held.operation.kind == .discard
            )
        )
    }

    private func readNewest(_ block: Int, into target: BufferRegion) {
        if newest[block] != 0 {
            target.copy(from: cells.region(of: newest[block] - 1))
        } else {
            image.read(block, into: target)
        }
    }

    /// Reads a block, of which every sector is a matter of chance when it changed meanwhile.
    private func read(_ block: Int, into target: BufferRegion, since start: UInt32) {
        readNewest(block, into: target)
        guard isClaimed[block] || changedAt[block] > start else { return }
        let versions = otherVersions(of: block, since: start)
        guard !versions.isEmpty else { return }
        for sector in 0..<8 {
            let choice = random.below(versions.count + 1)
            guard choice < versions.count else { continue }
            let part = (sector * 512)..<((sector + 1) * 512)
            target[part].copy(from: versions[choice][part])
        }
    }

    /// Contents of a block that a transfer may meet beside the newest: what it held at event
    /// `start`, and everything since.
    private func otherVersions(of block: Int, since start: UInt32) -> [BufferRegion] {
        var found: [BufferRegion] = []
        for write in completed {
            let position = block - write.firstBlock
            guard position >= 0, position < write.cells.count else { continue }
            if write.completed <= start { found = [] }
            found.append(cells.region(of: write.cells[position]))
        }
        if found.isEmpty { found.append(image.block(block)) }
        for held in inFlight {
            guard let held, !held.cells.isEmpty else { continue }
            let position = block - blocks(of: held.operation).lowerBound
            guard position >= 0, position < held.cells.count else { continue }
            found.append(cells.region(of: held.cells[position]))
        }
        return found
    }

    // MARK: Durability

    /// Moves what completed up to an event into the image, in order.
    func makeDurable(through event: UInt32) {
        flushCount += 1
        var count = 0
        for write in completed {
            guard write.completed <= event else { break }
            for (position, cell) in write.cells.enumerated() {
                let block = write.firstBlock + position
                keepWhatWas(at: block)
                image.write(cells.region(of: cell), to: block)
                if newest[block] == cell + 1 { newest[block] = 0 }
            }
            cells.release(write.cells)
            count += 1
        }
        completed.removeFirst(count)
    }

    /// Takes all that is not durable, in order, writes in flight last; leaves the device idle.
    func takePending() -> (completed: [VolatileWrite], inFlight: [VolatileWrite]) {
        let held = inFlight.compactMap { $0 }.sorted { $0.submitted < $1.submitted }
        var cut: [VolatileWrite] = []
        for one in held where one.operation.kind == .write || one.operation.kind == .discard {
            cut.append(
                VolatileWrite(
                    firstBlock: blocks(of: one.operation).lowerBound,
                    cells: one.cells,
                    submitted: one.submitted,
                    completed: 0,
                    isDiscard: one.operation.kind == .discard
                )
            )
        }
        let whole = completed
        completed = []
        clearInFlight(held)
        return (whole, cut)
    }

    /// Puts a write among the completed ones, as if it had just finished.
    func restore(_ write: VolatileWrite) {
        event += 1
        var write = write
        write.completed = event
        for (position, cell) in write.cells.enumerated() {
            newest[write.firstBlock + position] = cell + 1
        }
        completed.append(write)
    }

    private func clearInFlight(_ held: [InFlight]) {
        for one in held {
            for block in blocks(of: one.operation) {
                isClaimed[block] = false
                readers[block] = 0
            }
        }
        inFlight = []
        freeSlots = []
        inFlightCount = 0
    }

    package func describe(_ operation: Operation) -> String {
        let range = blocks(of: operation)
        return "\(operation.kind) on device \(index.rawValue) blocks \(range.lowerBound)..<"
            + "\(range.upperBound)"
    }
}
