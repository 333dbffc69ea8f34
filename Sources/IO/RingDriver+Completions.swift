internal import CLinux
internal import Glibc
internal import Units

/// What becomes of the ring's completions: the end of an operation, or its next part.
extension RingDriver {
    /// Submissions of one operation that may carry nothing, one after the other, before the device
    /// counts as lost.
    private static var repeatMax: UInt16 { 1000 }

    /// Takes one of the ring's completions with `RingTag.device`.
    package func take(_ completion: RingCompletion) {
        let data = completion.userData
        let index = Int(data & 0xFFFF)
        invariant(index < RingDriver.inFlightMax, "a completion names a slot")
        invariant(
            slots[index].generation == UInt32(truncatingIfNeeded: data >> 16)
                && slots[index].isOnRing,
            "a completion belongs to the operation in its slot"
        )
        let kind = slots[index].operation.kind
        if completion.result < 0 {
            takeError(completion, index, kind)
        } else if kind == .read || kind == .write {
            takePart(Int(completion.result), index, kind)
        } else {
            end(index, .done)
        }
    }

    /// Fills the ring's entry for what is left of an operation.
    func start(_ index: Int) {
        let operation = slots[index].operation
        let file = targets[Int(operation.device.rawValue)].file
        let data = RingTag.device.userData(UInt64(slots[index].generation) << 16 | UInt64(index))
        slots[index].isOnRing = true
        switch operation.kind {
        case .read:
            let part = rest(index)
            ring.read(file, into: part.region, at: part.offset, userData: data)
        case .write:
            let part = rest(index)
            ring.write(file, from: part.region, at: part.offset, userData: data)
        case .flush:
            ring.flush(file, userData: data)
        case .discard:
            ring.discard(
                file,
                at: operation.offset,
                byteCount: operation.byteCount,
                userData: data
            )
        }
    }

    /// Adds a completed operation to its device's figures.
    func count(_ index: Int, _ operation: Operation, now: Instant) {
        let place = Int(operation.device.rawValue)
        let byteCount = UInt64(operation.region.byteCount)
        let time = now.nanoseconds(since: slots[index].submitted)
        counters[place].inFlightCount -= 1
        if slots[index].result != .done { counters[place].failedCount += 1 }
        switch operation.kind {
        case .read:
            counters[place].readCount += 1
            counters[place].readByteCount += byteCount
            counters[place].readNanoseconds += time
        case .write:
            counters[place].writeCount += 1
            counters[place].writeByteCount += byteCount
            counters[place].writeNanoseconds += time
        case .flush:
            counters[place].flushCount += 1
            counters[place].flushNanoseconds += time
        case .discard:
            counters[place].discardCount += 1
            counters[place].discardByteCount += operation.byteCount
        }
    }

    private func rest(_ index: Int) -> (region: BufferRegion, offset: UInt64) {
        let operation = slots[index].operation
        let done = slots[index].doneByteCount
        let end = min(operation.region.byteCount, done + transferByteCountMax)
        return (operation.region[done..<end], operation.offset + UInt64(done))
    }

    /// A transfer has carried `byteCount` bytes, perhaps not all.
    private func takePart(_ byteCount: Int, _ index: Int, _ kind: Operation.Kind) {
        let done = slots[index].doneByteCount + byteCount
        if _fastPath(done >= slots[index].operation.region.byteCount) {
            end(index, .done)
            return
        }
        // A direct transfer goes on only at a block; what was carried of a torn block is repeated.
        let whole = done / Geometry.blockByteCount * Geometry.blockByteCount
        let place = Int(slots[index].operation.device.rawValue)
        if whole > slots[index].doneByteCount {
            slots[index].doneByteCount = whole
            slots[index].repeatCount = 0
            counters[place].continuedCount += 1
            start(index)
        } else if kind == .read {
            // Less than a block: the file became shorter than the device was when it was attached.
            counters[place].lastErrorNumber = 0
            end(index, .mediaError)
        } else {
            startAgain(index)
        }
    }

    private func takeError(_ completion: RingCompletion, _ index: Int, _ kind: Operation.Kind) {
        if completion.isTransient {
            startAgain(index)
            return
        }
        let place = Int(slots[index].operation.device.rawValue)
        let number = -completion.result
        if kind == .discard && (number == EOPNOTSUPP || number == ENOSYS) {
            counters[place].refusedDiscardCount += 1
            end(index, .done)
            return
        }
        counters[place].lastErrorNumber = number
        end(index, RingDriver.result(ofErrorNumber: number))
    }

    /// Repeats a submission that carried nothing.  The ring hands it over in the next turn, so that
    /// other work goes on between two tries.
    private func startAgain(_ index: Int) {
        let place = Int(slots[index].operation.device.rawValue)
        slots[index].repeatCount += 1
        counters[place].repeatedCount += 1
        guard slots[index].repeatCount <= RingDriver.repeatMax else {
            counters[place].lastErrorNumber = EAGAIN
            end(index, .deviceLost)
            return
        }
        start(index)
    }

    private func end(_ index: Int, _ result: OperationResult) {
        slots[index].isOnRing = false
        slots[index].result = result
        if !slots[index].isHeld { finish(index) }
    }

    /// The one place where the system's errors become the engine's.  A failed flush is never
    /// repeated here: the second may succeed with the data gone.
    package static func result(ofErrorNumber number: Int32) -> OperationResult {
        switch number {
        case ENOSPC, EDQUOT, EFBIG: .noSpace
        case ENODEV, ENXIO, ESHUTDOWN, EBADF, ENOTCONN: .deviceLost
        default: .mediaError
        }
    }
}
