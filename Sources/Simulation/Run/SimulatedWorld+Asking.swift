internal import Engine
internal import IO
internal import Units

// One request to a lane, and to the model of its volume: whoever decides what is asked for, it is
// asked for here.
extension SimulatedWorld {
    /// Notes a request and gives its context.
    func note(_ kind: OutstandingRequest.Kind, _ volume: Int, _ range: Range<UInt64>) -> UInt64 {
        let context = nextContext
        nextContext += 1
        noteFullness()
        outstanding[context] = OutstandingRequest(
            kind: kind,
            volume: volume,
            lane: volumes[volume].lane,
            offset: range.lowerBound,
            byteCount: range.upperBound - range.lowerBound,
            begunAt: now,
            movedCount: movedCount(volumes[volume].lane),
            nextSequence: lanes[volumes[volume].lane].nextSequence
        )
        volumes[volume].outstandingCount += 1
        needsTurn[volumes[volume].lane] = true
        journal.trace(
            "request \(context): \(kind) volume \(volumes[volume].model.number) bytes \(range)"
        )
        return context
    }

    func admits(_ kind: RequestKind, _ volume: Int, byteCount: Int) -> Bool {
        if lanes[volumes[volume].lane].admits(kind, byteCount: byteCount) { return true }
        journal.met(.requestBackpressure)
        return false
    }

    /// Asks for a write; its bytes name volume, place and order.
    ///
    /// - Parameter payload: the lane's own memory for the bytes; without it the lane takes them
    ///   from memory that is used again at once.
    func write(
        _ range: Range<UInt64>,
        of volume: Int,
        isDurable: Bool,
        through payload: Payload? = nil
    ) {
        let model = volumes[volume].model
        let order = model.beginWrite(
            offset: range.lowerBound,
            byteCount: range.count,
            isDurable: isDurable
        )
        let bytes = fillPayload(range, model, order: order)
        let context = note(.change(order: order), volume, range)
        outstanding[context]?.isDurable = isDurable
        let lane = lanes[volumes[volume].lane]
        guard let payload else {
            lane.write(
                volumes[volume].slot,
                offset: range.lowerBound,
                payload: bytes,
                isDurable: isDurable,
                context: context
            )
            return bytes.fill(with: 0xDD)
        }
        payload.region.copy(from: bytes)
        lane.write(
            volumes[volume].slot,
            offset: range.lowerBound,
            payload: payload,
            isDurable: isDurable,
            context: context
        )
    }

    /// The bytes that request `order` writes to a range, in memory that the next call uses again.
    func fillPayload(
        _ range: Range<UInt64>,
        _ model: ReferenceVolume,
        order: UInt64
    ) -> BufferRegion {
        let first = range.lowerBound / 4096
        for block in first...((range.upperBound - 1) / 4096) {
            let from = max(range.lowerBound, block * 4096) - block * 4096
            let to = min(range.upperBound, (block + 1) * 4096) - block * 4096
            SectorStamp.fill(
                memory.payload.region.block(Int(block - first)),
                range: Int(from)..<Int(to),
                volume: model.number,
                block: block,
                order: order,
                seed: parameters.seed,
                scratch: memory.blocks.region.block(0)
            )
        }
        let lead = Int(range.lowerBound % 4096)
        return memory.payload.region[lead..<(lead + range.count)]
    }

    func flush(_ volume: Int) {
        let context = note(.flush(bound: volumes[volume].model.flushBound), volume, 0..<0)
        lanes[volumes[volume].lane].flush(volumes[volume].slot, context: context)
    }

    func trim(_ range: Range<UInt64>, of volume: Int, isDurable: Bool) {
        let order = volumes[volume].model.beginTrim(
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            isDurable: isDurable
        )
        let context = note(.change(order: order), volume, range)
        outstanding[context]?.isDurable = isDurable
        outstanding[context]?.isTrim = true
        lanes[volumes[volume].lane].trim(
            volumes[volume].slot,
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            isDurable: isDurable,
            context: context
        )
    }

    func zero(_ range: Range<UInt64>, of volume: Int, keepsSpace: Bool, isDurable: Bool) {
        let order = volumes[volume].model.beginZeroes(
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            keepsSpace: keepsSpace,
            isDurable: isDurable
        )
        let context = note(.change(order: order), volume, range)
        outstanding[context]?.isDurable = isDurable
        lanes[volumes[volume].lane].writeZeroes(
            volumes[volume].slot,
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            keepsSpace: keepsSpace,
            isDurable: isDurable,
            context: context
        )
    }

    func promote(_ range: Range<UInt64>, of volume: Int) {
        let context = note(.promote, volume, range)
        lanes[volumes[volume].lane].promote(
            volumes[volume].slot,
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            context: context
        )
    }
}
