internal import Catalogue
internal import Engine
internal import IO
internal import Units

// What clients and the administrator ask for, drawn at random.
extension SimulatedWorld {
    /// Whether `issueLoad` would issue a request when its time comes.
    var hasLoadToIssue: Bool {
        isLoaded && !isGivenUp && outstanding.count < parameters.depth
            && volumes.contains { $0.isUsable }
    }

    func issueLoad() {
        guard isLoaded, !isGivenUp else { return }
        if !volumes.contains(where: { $0.life == .live || $0.life == .creating }) { createVolume() }
        var budget = 64
        while outstanding.count < parameters.depth, nextArrival <= now, budget > 0 {
            if parameters.scrubOneIn > 0, workload.isOne(in: parameters.scrubOneIn) { orderScrub() }
            issueOne()
            budget -= 1
            let think = parameters.thinkNanoseconds
            nextArrival = now + (think == 0 ? 0 : workload.below(2 * think))
        }
        if nextArrival <= now { nextArrival = now + 10_000 }
        // What a device that hangs has is refused in no time, again and again.
        if atlas?.isAnySilent(now: now) ?? false {
            nextArrival = max(nextArrival, now + 100_000_000)
        }
    }

    /// Writes all that the workload will touch, one record after the other.
    func fillVolumes() {
        let blockCount = parameters.atomicByteCount / 4096
        for index in volumes.indices {
            for island in volumes[index].pattern.islands {
                for first in stride(from: island.lowerBound, to: island.upperBound, by: blockCount)
                {
                    let end = min(first + UInt64(blockCount), island.upperBound)
                    let byteCount = Int(end - first) * 4096
                    converge("there is room to fill volumes") {
                        self.outstanding.count < 8
                            && self.admits(.write, index, byteCount: byteCount)
                    }
                    guard journal.isEmpty else { return }
                    write((first * 4096)..<(end * 4096), of: index, isDurable: false)
                }
            }
        }
        converge("the volumes are filled") { self.isQuiet }
    }

    private func issueOne() {
        let usable = volumes.indices.filter { volumes[$0].isUsable }
        guard !usable.isEmpty else { return }
        let volume = workload.pick(usable)
        switch workload.weightedIndex(parameters.mix.weights) {
        case 0: issueRead(volume)
        case 1: issueWrite(volume, alignment: 4096)
        case 2: issueWrite(volume, alignment: 512)
        case 3: issueWrite(volume, alignment: 1)
        case 4: issueLargeWrite(volume)
        case 5: issueFlush(volume)
        case 6: issueTrim(volume)
        case 7: issueZeroes(volume)
        case 8: issuePromote(volume)
        case 9: issueExtents(volume)
        case 10: planResize(volume)
        default: planLife(volume)
        }
    }

    /// Whether a request that changes a range may be issued beside those in flight: some seeds
    /// never let two that touch the same block meet.
    private func mayChange(_ range: Range<UInt64>, _ volume: Int) -> Bool {
        guard parameters.keepsChangesApart, !range.isEmpty else { return true }
        let blocks = (range.lowerBound / 4096)...((range.upperBound - 1) / 4096)
        for request in outstanding.values where request.volume == volume {
            guard case .change = request.kind, request.byteCount > 0 else { continue }
            let last = (request.offset + request.byteCount - 1) / 4096
            if blocks.overlaps((request.offset / 4096)...last) { return false }
        }
        return true
    }

    /// A range of bytes whose ends are multiples of `alignment`, in one island.
    private func drawRange(_ volume: Int, byteCountMax: Int, alignment: Int) -> Range<UInt64> {
        let size = volumes[volume].model.byteCount
        // The tail behind the pattern's last island exists in volumes that grew.
        if size > volumes[volume].pattern.byteCount, workload.isOne(in: 12) {
            let start = workload.below(size / 4096 - 1) * 4096
            return start..<min(start + 8192, size)
        }
        let (block, count) = volumes[volume].pattern.next(
            countMax: max(byteCountMax / 4096, 1),
            random: &workload
        )
        var start = block * 4096
        var end = start + UInt64(count) * 4096
        if alignment < 4096 {
            let steps = 4096 / alignment
            start += UInt64(workload.below(steps) * alignment)
            end -= UInt64(workload.below(steps) * alignment)
            if end <= start { end = start + UInt64(alignment) }
        }
        return start..<min(end, size)
    }

    private func drawDurable() -> Bool {
        parameters.durableOneIn > 0 && workload.isOne(in: parameters.durableOneIn)
    }

    private func issueRead(_ volume: Int) {
        let alignment = workload.pick([4096, 4096, 4096, 512, 1])
        let range = drawRange(
            volume,
            byteCountMax: parameters.requestByteCountMax,
            alignment: alignment
        )
        read(range, of: volume)
    }

    /// Reads a range, if there is room for the request.
    func read(_ range: Range<UInt64>, of volume: Int) {
        let byteCount = range.count
        guard admits(.read, volume, byteCount: byteCount) else { return }
        let context = note(.read(volumes[volume].model.beginRead()), volume, range)
        lanes[volumes[volume].lane].read(
            volumes[volume].slot,
            offset: range.lowerBound,
            byteCount: byteCount,
            context: context
        )
    }

    private func issueWrite(_ volume: Int, alignment: Int) {
        // Most writes are small.
        let most = min(workload.pick([4096, 16384, 65536]), parameters.atomicByteCount)
        drawWrite(drawRange(volume, byteCountMax: most, alignment: alignment), of: volume)
        if alignment == 512 { journal.met(.unalignedWrite) }
        if alignment == 1 { journal.met(.oddByteWrite) }
    }

    private func issueLargeWrite(_ volume: Int) {
        let alignment = workload.pick([4096, 4096, 512])
        drawWrite(
            drawRange(
                volume,
                byteCountMax: parameters.requestByteCountMax,
                alignment: alignment
            ),
            of: volume
        )
    }

    /// Writes to a range, if it may be changed now, in one of the ways in which clients do.
    func drawWrite(_ range: Range<UInt64>, of volume: Int) {
        guard !range.isEmpty, mayChange(range, volume),
            admits(.write, volume, byteCount: range.count)
        else { return }
        let isDurable = drawDurable()
        let lane = lanes[volumes[volume].lane]
        if workload.isOne(in: 4), let payload = lane.acquirePayload(byteCount: range.count) {
            // A client may hang up before its payload has arrived whole.
            if workload.isOne(in: 16) { return lane.abandon(payload) }
            return write(range, of: volume, isDurable: isDurable, through: payload)
        }
        write(range, of: volume, isDurable: isDurable)
    }

    private func issueFlush(_ volume: Int) {
        guard admits(.flush, volume, byteCount: 0) else { return }
        flush(volume)
    }

    private func issueTrim(_ volume: Int) {
        guard admits(.trim, volume, byteCount: 0) else { return }
        var range = drawRange(
            volume,
            byteCountMax: 4 * parameters.requestByteCountMax,
            alignment: workload.pick([4096, 512, 1])
        )
        let size = volumes[volume].model.byteCount
        if workload.isOne(in: 8) {
            range = range.lowerBound..<min(range.upperBound + (3 << 20), size)
        }
        guard mayChange(range, volume) else { return }
        trim(range, of: volume, isDurable: drawDurable())
    }

    private func issueZeroes(_ volume: Int) {
        guard admits(.writeZeroes, volume, byteCount: 0) else { return }
        let range = drawRange(
            volume,
            byteCountMax: 2 * parameters.requestByteCountMax,
            alignment: workload.pick([4096, 512, 1])
        )
        guard mayChange(range, volume) else { return }
        let isDurable = drawDurable()
        zero(range, of: volume, keepsSpace: workload.isOne(in: 2), isDurable: isDurable)
    }

    private func issuePromote(_ volume: Int) {
        guard admits(.promote, volume, byteCount: 0) else { return }
        let range = drawRange(volume, byteCountMax: 256 << 10, alignment: 4096)
        journal.met(.promotionAsked)
        promote(range, of: volume)
    }

    private func issueExtents(_ volume: Int) {
        guard admits(.extents, volume, byteCount: 0) else { return }
        let range = drawRange(
            volume,
            byteCountMax: 1 << 20,
            alignment: workload.pick([4096, 512, 1])
        )
        let context = note(.extents(volumes[volume].model.beginRead()), volume, range)
        lanes[volumes[volume].lane].extents(
            volumes[volume].slot,
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            countMax: workload.pick([1, 4, 64]),
            context: context
        )
    }
}
