internal import Format
internal import IO
internal import Policy
internal import Units

// Looks at the map: where a range lies and how warm it is.  No data is read.
extension Lane {
    /// Blocks of the buffer that holds an answer: 512 extents of 16 bytes.
    static var extentBlockCount: Int { 2 }
    /// Extents of one answer at most.
    package static var extentCountMax: Int { extentBlockCount * 4096 / 16 }

    /// Asks for the extents of a range, from its start.  The answer may end before the range does,
    /// but has at least one extent; neighbours in the same state are one.
    package func extents(
        _ volume: VolumeSlot,
        offset: UInt64,
        byteCount: UInt64,
        countMax: Int,
        context: UInt64
    ) {
        let request = begin(
            .extents,
            volume,
            offset: offset,
            byteCount: byteCount,
            context: context
        )
        guard isServable(request, changes: false) else { return }
        guard byteCount > 0, countMax > 0 else { return finish(request, .invalid) }
        guard let buffer = buffers.take(blockCount: Lane.extentBlockCount) else {
            invariantFailed("a look is begun only when it is admitted", file: #fileID, line: #line)
        }
        requests[request].buffer = buffer
        requests[request].keepsSpace = countMax == 1
        requests[request].record = RecordNumber(
            UInt64(min(countMax, Lane.extentCountMax))
        )
        attemptExtents(request)
    }

    /// One extent of an answer that has not been released.
    package func extent(of token: RequestToken, index: Int) -> Extent {
        let request = request(of: token)
        invariant(index < Int(requests[request].extentCount), "an extent of the answer")
        let bytes = buffers.region(requests[request].buffer).bytes
        return Extent(
            byteCount: bytes.word64(at: index * 16),
            state: ExtentState(rawValue: bytes.word32(at: index * 16 + 8))
        )
    }

    func attemptExtents(_ request: Int) {
        let slot = requests[request]
        let volume = Int(slot.volume)
        let end = slot.offset + slot.byteCount
        let leafBytes = UInt64(Geometry.leafByteCount)
        let limit = Int(slot.record.rawValue)
        while slot.offset + requests[request].progress < end {
            let offset = slot.offset + requests[request].progress
            let leaf = offset / leafBytes
            let stop = min(end, (leaf + 1) * leafBytes)
            switch access(volume, leaf: leaf, isForChange: false) {
            case .absent:
                guard note(request, [.hole, .zero], stop - offset, limit) else {
                    return finish(request, .done)
                }
            case .damaged: return finish(request, .mediaError)
            case .loading(let waiting):
                // What is known already is an answer; else the leaf is waited for.
                if requests[request].extentCount > 0 { return finish(request, .done) }
                return wait(request, forLeafIn: waiting)
            case .noRoom:
                if requests[request].extentCount > 0 { return finish(request, .done) }
                return append(request, to: &stalledReads)
            case .ready(let ready):
                guard noteLeaf(request, ready, offset, stop, limit) else {
                    return finish(request, .done)
                }
            }
        }
        finish(request, .done)
    }

    /// Adds a stretch to the answer; false when the answer is full.
    private func note(
        _ request: Int,
        _ state: ExtentState,
        _ byteCount: UInt64,
        _ limit: Int
    ) -> Bool {
        let region = buffers.region(requests[request].buffer)
        var bytes = region.mutableBytes
        let count = Int(requests[request].extentCount)
        if count > 0, region.bytes.word32(at: (count - 1) * 16 + 8) == state.rawValue {
            let sum = region.bytes.word64(at: (count - 1) * 16) + byteCount
            bytes.storeBytes(of: sum, toByteOffset: (count - 1) * 16, as: UInt64.self)
        } else {
            guard count < limit else { return false }
            bytes.storeBytes(of: byteCount, toByteOffset: count * 16, as: UInt64.self)
            bytes.storeBytes(of: state.rawValue, toByteOffset: count * 16 + 8, as: UInt32.self)
            requests[request].extentCount += 1
        }
        requests[request].progress += byteCount
        return true
    }

    private func noteLeaf(
        _ request: Int,
        _ slot: Int,
        _ start: UInt64,
        _ stop: UInt64,
        _ limit: Int
    ) -> Bool {
        var offset = start
        while offset < stop {
            let next = min(stop, (offset / 4096 + 1) * 4096)
            let block = Int(offset / 4096 % UInt64(Geometry.blocksPerLeaf))
            guard note(request, extentState(slot, block), next - offset, limit) else {
                return false
            }
            offset = next
        }
        return true
    }

    /// Where one block lies, and the heat of its chunk.
    func extentState(_ slot: Int, _ block: Int) -> ExtentState {
        let state = leaves.state(slot, block)
        let chunk = block / Geometry.blocksPerChunk
        var extent: ExtentState = []
        switch state.kind {
        case .absent: extent = [.hole, .zero]
        case .zero: extent = .zero
        case .poisoned, nil: extent = .poisoned
        case .stored:
            if state.flash.isPlace { extent.insert(.flash) }
            if state.disk.isPlace { extent.insert(.disk) } else { extent.insert(.dirty) }
        }
        if leaves.entries[slot].movingChunks >> UInt32(chunk) & 1 == 1 && state.isStored {
            extent.insert(.moving)
        }
        extent.heatBucket = leaves.heat[slot * Geometry.chunksPerLeaf + chunk].heatBucket(
            tick: tick
        )
        return extent
    }
}
