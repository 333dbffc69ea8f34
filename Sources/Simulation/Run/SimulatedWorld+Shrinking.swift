internal import Engine
internal import IO
internal import Units

// A volume gets smaller while requests for it are in flight, and while a slow client is still
// sending a payload for what goes.  Such a write comes too late: what it brings must never show.
extension SimulatedWorld {
    func shrink(_ index: Int, to size: UInt64, _ lane: Lane) {
        let model = volumes[index].model
        let end = model.byteCount
        if volumes[index].outstandingCount > 0 { journal.met(.volumeShrunkUnderWrites) }
        acquireLatePayload(index, size..<end, lane)
        let trim = model.beginTrim(offset: size, byteCount: end - size, isDurable: true)
        let order = model.beginResize(to: size)
        let context = note(.shrink(order: order, trim: trim), index, 0..<size)
        lane.resizeVolume(volumes[index].slot, byteCount: size, context: context)
    }

    /// A client begins to send what it wants to write behind the new end, or across it.
    private func acquireLatePayload(_ index: Int, _ tail: Range<UInt64>, _ lane: Lane) {
        guard workload.isOne(in: 2), !tail.isEmpty else { return }
        let countMax = min(tail.count, 8192)
        let start = tail.lowerBound + workload.below(UInt64(tail.count - countMax + 1)) / 512 * 512
        let range = start..<(start + UInt64(countMax))
        guard lane.admits(.write, byteCount: range.count),
            let payload = lane.acquirePayload(byteCount: range.count)
        else { return }
        volumes[index].latePayload = LatePayload(payload: payload, range: range)
    }

    /// The payload is there at last, if the volume is still getting smaller.
    func progressLatePayload(_ index: Int) {
        guard let late = volumes[index].latePayload else { return }
        let lane = lanes[volumes[index].lane]
        guard volumes[index].isPlanUnderWay else {
            volumes[index].latePayload = nil
            return lane.abandon(late.payload)
        }
        guard workload.isOne(in: 3), lane.admits(.flush, byteCount: 0) else { return }
        volumes[index].latePayload = nil
        let model = volumes[index].model
        let order = model.beginWrite(
            offset: late.range.lowerBound,
            byteCount: late.range.count,
            isDurable: false
        )
        late.payload.region.copy(from: fillPayload(late.range, model, order: order))
        let context = note(.lateWrite(order: order), index, late.range)
        lane.write(
            volumes[index].slot,
            offset: late.range.lowerBound,
            payload: late.payload,
            isDurable: false,
            context: context
        )
    }

    /// A write that came too late did nothing.
    func refusedLate(_ request: OutstandingRequest) {
        guard case .lateWrite(let order) = request.kind else { return }
        volumes[request.volume].model.refuse(order, leavesNothing: true)
        journal.met(.lateWriteRefused)
    }
}
