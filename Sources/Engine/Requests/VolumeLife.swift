package import Catalogue
internal import Format
internal import Units

// The life of volumes.  Each step is an entry in the log before it is anything else, so that the
// log alone can tell which volumes there are; it is answered when it is durable.
/// A step in the life of a volume that waits for room in the log.
struct WaitingStep {
    enum Step {
        case create(VolumeRow)
        case resize(byteCount: UInt64)
        case destroy
    }
    let request: Int
    let step: Step
}

extension Lane {
    /// Makes a volume; the row's lane is this one, its identity and its tree were never used.
    package func createVolume(_ row: VolumeRow, context: UInt64) {
        let request = begin(
            .createVolume,
            VolumeSlot(0),
            offset: 0,
            byteCount: row.byteCount,
            context: context
        )
        guard isChangeable(request) else { return }
        guard row.byteCount <= Geometry.volumeByteCountMax, NameText.isStorable(row.name) else {
            return finish(request, .invalid)
        }
        take(WaitingStep(request: request, step: .create(row)))
    }

    /// Gives a volume another size.  What lies behind a smaller one reads as zeros ever after.
    package func resizeVolume(_ volume: VolumeSlot, byteCount: UInt64, context: UInt64) {
        let request = begin(.resizeVolume, volume, offset: 0, byteCount: 0, context: context)
        guard isChangeable(request) else { return }
        let slot = Int(volume.rawValue)
        guard isLive(volume), byteCount <= Geometry.volumeByteCountMax,
            volumes[slot].admittedByteCount == .max
        else { return finish(request, .invalid) }
        if byteCount < volumes[slot].byteCount { return beginShrinking(request, to: byteCount) }
        take(WaitingStep(request: request, step: .resize(byteCount: byteCount)))
    }

    /// Destroys a volume; its space comes back in the background.  The caller has seen to it that
    /// no request for it is in the lane and none will come.
    package func destroyVolume(_ volume: VolumeSlot, context: UInt64) {
        let request = begin(.destroyVolume, volume, offset: 0, byteCount: 0, context: context)
        guard isChangeable(request) else { return }
        guard isLive(volume) else { return finish(request, .invalid) }
        take(WaitingStep(request: request, step: .destroy))
    }

    private func isLive(_ volume: VolumeSlot) -> Bool {
        Int(volume.rawValue) < volumeCount && volumes[Int(volume.rawValue)].life == .live
    }

    func take(_ step: WaitingStep) {
        waitingSteps.append(step)
        takeWaitingSteps()
    }

    /// Appends the steps that wait, in order, as far as the log has room.  They may use the
    /// segments that hosts leave to reclaim: a full pool can always be changed by those who look
    /// after it.
    func takeWaitingSteps() {
        while let waiting = waitingSteps.first {
            if isReadOnly {
                waitingSteps.removeFirst()
                finish(waiting.request, .readOnly)
                continue
            }
            guard append(waiting) else { return }
            waitingSteps.removeFirst()
        }
    }

    /// Appends one step to the log and does it; false when the log has no room now.
    private func append(_ waiting: WaitingStep) -> Bool {
        let slot = Int(requests[waiting.request].volume)
        switch waiting.step {
        case .create(let row):
            let payload = controlPayload(row)
            guard makeRoomForControl(payload.count) else { return false }
            appendControl(.createVolume, volume: row.identifier, payload: payload)
            let made = adopt(row)
            noteVolumeChanged(made)
            requests[waiting.request].volume = UInt32(made)
        case .resize(let byteCount):
            var row = currentRow(slot)
            row.byteCount = byteCount
            let payload = controlPayload(row)
            guard makeRoomForControl(payload.count) else { return false }
            appendControl(.resizeVolume, volume: row.identifier, payload: payload)
            if requests[waiting.request].isShrinking { endShrinking(waiting.request) }
            volumes[slot].byteCount = byteCount
            noteVolumeChanged(slot)
        case .destroy:
            guard makeRoomForControl(0) else { return false }
            appendControl(.destroyVolume, volume: volumes[slot].identifier, payload: [])
            volumes[slot].life = .destroyed
            volumes[slot].nextLeaf = 0
            noteVolumeChanged(slot)
        }
        finishControl(waiting.request)
        return true
    }

    private func isChangeable(_ request: Int) -> Bool {
        if shutdown.isBegun { finish(request, .shuttingDown) }
        if isReadOnly && requests[request].phase != .finished { finish(request, .readOnly) }
        return requests[request].phase != .finished
    }

    private func finishControl(_ request: Int) {
        requests[request].isDurable = !Mutant.controlAnsweredEarly.isOn
        requests[request].record = records[openHostRecord].number
        requests[request].phase = .logged
        append(request, to: &records[openHostRecord].requests)
        closeHostRecord()
    }

    /// Room for a control entry.
    private func makeRoomForControl(_ payloadByteCount: Int) -> Bool {
        usesReserve = true
        defer { usesReserve = false }
        return makeRoom(
            dataCount: 0,
            tableByteCount: RecordEntry.byteCount(
                .control,
                blockCount: 0,
                payload: payloadByteCount
            )
        )
    }

    private func controlPayload(_ row: VolumeRow) -> [UInt8] {
        let control = VolumeControl(
            tree: row.tree,
            byteCount: row.byteCount,
            lane: row.lane,
            createdSeconds: row.createdSeconds,
            name: row.name
        )
        return control.encode()
    }

    // MARK: Giving back

    /// Leaves of destroyed volumes that one turn gives back.
    private static var leavesGivenPerTurn: Int { 4 }

    /// Goes on with giving back the leaves of destroyed volumes.
    func giveBackDestroyed() {
        guard !isReadOnly, hasDestroyedVolumes else { return }
        for volume in 0..<volumeCount where volumes[volume].life == .destroyed {
            for _ in 0..<Lane.leavesGivenPerTurn {
                guard let leaf = nextLeafToGive(volume) else { break }
                switch access(volume, leaf: leaf, isForChange: false) {
                case .loading, .noRoom: return
                case .absent: break
                case .damaged: volumes[volume].hasDamagedLeaf = true
                case .ready(let slot): giveBack(slot)
                }
                volumes[volume].nextLeaf = leaf + 1
                hasProgressed = true
            }
        }
    }

    var hasDestroyedVolumes: Bool {
        for volume in 0..<volumeCount where volumes[volume].life == .destroyed { return true }
        return false
    }

    /// The next leaf of the volume that is in the catalogue or in memory; nil when all were given.
    func nextLeafToGive(_ volume: Int) -> UInt64? {
        nextLeaf(of: volume, from: volumes[volume].nextLeaf)
    }

    /// The lowest leaf, not below `from`, that is in the catalogue or in memory; nil when there is
    /// none.
    func nextLeaf(of volume: Int, from: UInt64) -> UInt64? {
        var next = presence[volume].next(from: from)
        for slot in 0..<leaves.count {
            let entry = leaves.entries[slot]
            guard entry.state == .ready, entry.volume == UInt32(volume), entry.index >= from,
                !leaves.isVacant(slot)
            else { continue }
            next = min(next ?? .max, entry.index)
        }
        return next
    }

    private func giveBack(_ slot: Int) {
        willChange(slot)
        for block in 0..<Geometry.blocksPerLeaf where leaves.state(slot, block).isCharged {
            replace(slot, block, with: .absent)
        }
    }
}
