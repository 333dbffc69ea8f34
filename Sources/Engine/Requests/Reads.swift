internal import Format
internal import IO
internal import Policy
internal import Units

// Reads.  A request's blocks are looked up leaf by leaf; each comes from zeros, from a record that
// has not landed, from a promotion that just read it, or from a device; neighbours on a device
// become one operation.  Each block that a device gave is checked against the map before any byte
// is handed out.
extension Lane {
    /// Reads bytes of a volume; any alignment, up to 32 MiB.
    package func read(_ volume: VolumeSlot, offset: UInt64, byteCount: Int, context: UInt64) {
        let request = begin(
            .read,
            volume,
            offset: offset,
            byteCount: UInt64(byteCount),
            context: context
        )
        guard isServable(request, changes: false) else { return }
        guard byteCount > 0 else { return finish(request, .done) }
        let last = (offset + UInt64(byteCount) - 1) / 4096
        let blockCount = Int(last - offset / 4096) + 1
        guard let buffer = buffers.take(blockCount: blockCount) else {
            invariantFailed("a read is begun only when it is admitted", file: #fileID, line: #line)
        }
        requests[request].buffer = buffer
        noteScan(request)
        attemptRead(request)
    }

    /// Remembers whether the request goes on where an earlier one ended.
    private func noteScan(_ request: Int) {
        let slot = requests[request]
        requests[request].isSequential = scans[Int(slot.volume)].note(
            offset: slot.offset,
            byteCount: Int(slot.byteCount)
        )
    }

    /// Goes on with a read from where it stands.
    func attemptRead(_ request: Int) {
        let offset = requests[request].offset
        let volume = Int(requests[request].volume)
        let first = offset / 4096
        let end = (offset + requests[request].byteCount - 1) / 4096 + 1
        while requests[request].progress < end - first {
            let block = first + requests[request].progress
            let leaf = block / UInt64(Geometry.blocksPerLeaf)
            var stop = min(end, (leaf + 1) * UInt64(Geometry.blocksPerLeaf))
            guard operations.spareCount >= Int(stop - block) else {
                return append(request, to: &stalledReads)
            }
            switch access(volume, leaf: leaf, isForChange: false) {
            case .absent: zero(request, from: block, to: stop, first: first)
            case .damaged: return fail(request, .mediaError, at: nil)
            case .loading(let slot): return wait(request, forLeafIn: slot)
            case .noRoom: return append(request, to: &stalledReads)
            case .ready(let slot):
                let crowded = crowded(for: request, slot, from: block, to: stop)
                stop = crowded?.block ?? stop
                guard
                    block == stop
                        || readLeaf(request, slot, from: block, to: stop, first: first)
                else { return }
                if let crowded {
                    requests[request].progress = stop - first
                    return waitInCrowd(request, of: crowded.disk)
                }
            }
            requests[request].progress = stop - first
        }
        finishReadIfDone(request)
    }

    private func zero(_ request: Int, from block: UInt64, to stop: UInt64, first: UInt64) {
        let buffer = requests[request].buffer
        for block in block..<stop { buffers.block(buffer, Int(block - first)).zero() }
    }

    /// Counts a read in the heat of a leaf's chunks; false when it waits for one to be promoted.
    private func noteRead(
        _ request: Int,
        _ slot: Int,
        from start: UInt64,
        to stop: UInt64,
        first: UInt64
    ) -> Bool {
        // A chunk in which it had to wait was counted then.
        let chunk = UInt64(Geometry.blocksPerChunk)
        let start = start > first ? (start + chunk - 1) / chunk * chunk : start
        guard start < stop else { return true }
        if let promotion = promotionFor(request, slot, from: start, to: stop) {
            append(request, to: &moves[promotion].waiters)
            return false
        }
        let base = start / UInt64(Geometry.blocksPerLeaf) * UInt64(Geometry.blocksPerLeaf)
        touchHeat(slot, from: Int(start - base), to: Int(stop - base), .read, of: request)
        return true
    }

    /// Reads the blocks of one leaf; false when the request now waits for a promotion, or failed.
    private func readLeaf(
        _ request: Int,
        _ slot: Int,
        from start: UInt64,
        to stop: UInt64,
        first: UInt64
    ) -> Bool {
        let buffer = requests[request].buffer
        let volume = Int(requests[request].volume)
        let seed = volumes[volume].seed
        let base = start / UInt64(Geometry.blocksPerLeaf) * UInt64(Geometry.blocksPerLeaf)
        guard noteRead(request, slot, from: start, to: stop, first: first) else { return false }
        var run = ReadRun()
        for block in start..<stop {
            let state = leaves.state(slot, Int(block - base))
            let target = Int(block - first)
            switch state.kind {
            case .absent, .zero:
                buffers.block(buffer, target).zero()
                if state.kind == .zero { requests[request].isHole = false }
            case .poisoned, nil:
                flushRun(&run, of: request)
                if state.kind == nil { statistics.damagedStates += 1 }
                return failRead(request, at: block)
            case .stored:
                if Mutant.locationNowhereIsHole.isOn && state.flash.isNowhere {
                    buffers.block(buffer, target).zero()
                    continue
                }
                requests[request].isHole = false
                var location = source(of: state, at: block, for: request)
                guard location.isPlace else { return failRead(request, at: block) }
                if let source = bufferedBlock(at: location)
                    ?? movedBlock(at: location, volume, block, state.sequence)
                {
                    buffers.block(buffer, target).copy(from: source)
                    countBuffered(request, from: location)
                    continue
                }
                location = answering(location, of: state, at: block, for: request)
                guard location.isPlace else {
                    flushRun(&run, of: request)
                    return failRead(request, at: block)
                }
                let check = BlockCheck(
                    start: Checksum.blockStart(
                        seed: seed,
                        address: block,
                        sequence: state.sequence
                    ),
                    checksum: state.checksum
                )
                buffers.checks[buffers.firstCheck(buffer) + target] = check
                if !run.extends(to: location, target: target) {
                    flushRun(&run, of: request)
                    run = ReadRun(location: location, target: target)
                } else {
                    run.count += 1
                }
            }
        }
        flushRun(&run, of: request)
        return true
    }

    /// Counts a block that was served from memory.  Who waited until a promotion had read it from
    /// disk was served by the disk.
    private func countBuffered(_ request: Int, from location: Location) {
        let role = pool.devices[Int(location.device.rawValue)].role
        if role == .disk && requests[request].hasPromoted {
            statistics.blocksFromDisk += 1
        } else {
            statistics.blocksFromMemory += 1
        }
    }

    private func failRead(_ request: Int, at block: UInt64) -> Bool {
        fail(request, .mediaError, at: max(block * 4096, requests[request].offset))
        return false
    }

    /// Submits what was gathered as one operation.
    private func flushRun(_ run: inout ReadRun, of request: Int) {
        guard run.count > 0 else { return }
        let buffer = requests[request].buffer
        let start = run.target * Geometry.blockByteCount
        let region = buffers.region(buffer)[
            start..<(start + run.count * Geometry.blockByteCount)
        ]
        let segment = pool.slot(of: run.location)
        beginReading(segment)
        requests[request].operationCount += 1
        if pool.devices[Int(run.location.device.rawValue)].role == .flash {
            statistics.blocksFromFlash += UInt64(run.count)
        } else {
            statistics.blocksFromDisk += UInt64(run.count)
        }
        operations.submit(
            .read,
            at: (run.location.device, run.location.block),
            blockCount: run.count,
            region: region,
            for: OperationSlot(
                owner: .request,
                ownerIndex: Int32(request),
                firstBlock: Int32(run.target),
                blockCount: Int32(run.count),
                segment: Int32(segment)
            )
        )
        run.count = 0
    }

    /// Whether each of these blocks of a read has the checksum that the map holds.
    func hasRightBytes(request: Int, _ blocks: Range<Int>) -> Bool {
        let buffer = requests[request].buffer
        let firstCheck = buffers.firstCheck(buffer)
        for index in blocks {
            let check = buffers.checks[firstCheck + index]
            guard buffers.block(buffer, index).checksum(from: check.start) == check.checksum else {
                return false
            }
        }
        return true
    }

    /// A part of a read is over; if it is not sound, no block of it is.
    func completeRead(
        _ request: Int,
        _ slot: OperationSlot,
        _ result: OperationResult,
        isSound: Bool
    ) {
        let first = Int(slot.firstBlock)
        guard !isSound else {
            giveUpRefused(
                request,
                requests[request].offset / 4096 + UInt64(first),
                count: Int(slot.blockCount),
                at: slot.location
            )
            return finishReadIfDone(request)
        }
        for index in first..<(first + Int(slot.blockCount)) {
            let address = requests[request].offset / 4096 + UInt64(index)
            if Mutant.damageReadAsZeros.isOn && result != .done {
                buffers.block(requests[request].buffer, index).zero()
                continue
            }
            let location = Location(
                device: slot.location.device,
                block: slot.location.block + UInt64(index - first)
            )
            if findsElsewhere(request, address, at: location, result) {
                statistics.badBlocks += 1
                requests[request].isToReadAgain = true
                continue
            }
            noteBadBlock(request, index, result == .done ? "checksum" : "device error")
        }
        finishReadIfDone(request)
    }

    private func noteBadBlock(_ request: Int, _ index: Int, _ cause: String) {
        let slot = requests[request]
        let offset = max((slot.offset / 4096 + UInt64(index)) * 4096, slot.offset)
        statistics.badBlocks += 1
        note(
            "block_unreadable",
            "volume \(volumes[Int(slot.volume)].identifier) offset \(offset): \(cause)"
        )
        if slot.status == .done || offset < slot.failedOffset {
            requests[request].failedOffset = offset
        }
        requests[request].status = .mediaError
    }

    /// Finishes a read whose blocks are all there.
    private func finishReadIfDone(_ request: Int) {
        let slot = requests[request]
        guard slot.phase == .active, slot.operationCount == 0,
            slot.progress == slot.blockCount
        else { return }
        if slot.isToReadAgain && slot.status == .done {
            requests[request].isToReadAgain = false
            requests[request].progress = 0
            return attemptRead(request)
        }
        finish(request, slot.status)
    }
}

/// Neighbouring blocks on a device that one operation reads into neighbouring blocks of a buffer.
private struct ReadRun {
    var location = Location.nowhere
    var target = 0
    var count = 0

    init() {}

    init(location: Location, target: Int) {
        self.location = location
        self.target = target
        count = 1
    }

    @inline(__always)
    func extends(to next: Location, target nextTarget: Int) -> Bool {
        count > 0 && next.rawValue == location.rawValue &+ UInt64(count)
            && nextTarget == target &+ count
    }
}
