internal import Format
package import IO
internal import Units

// Writes, trims and writes of zeros: the requests that append to the host stream.
//
// A request is cut into parts of at most `atomicByteCountMax` bytes; a larger trim or write of
// zeros is cut at its leaves.  Each part is one or more entries of one record, so it is applied
// whole or not at all.  A part is appended when
//
// 1. no earlier request is still to change one of its blocks,
// 2. its leaves are in memory,
// 3. the old contents of blocks that it covers in part were read and verified,
// 4. the pool has space for blocks that were absent,
// 5. the host stream has a record with room.
//
// Until then the request waits, and keeps its place before all that came later.
extension Lane {
    /// Writes bytes; the payload is copied before this returns.
    package func write(
        _ volume: VolumeSlot,
        offset: UInt64,
        payload: BufferRegion,
        isDurable: Bool,
        context: UInt64
    ) {
        let request = begin(
            .write,
            volume,
            offset: offset,
            byteCount: UInt64(payload.byteCount),
            context: context
        )
        requests[request].isDurable = isDurable
        guard isServable(request, changes: true) else { return }
        guard payload.byteCount > 0 else { return finishEmptyChange(request) }
        if stalledWrites.isEmpty && !needsMerge(request)
            && payload.byteCount <= configuration.atomicByteCountMax
        {
            let outcome = appendPart(request, payload: payload, byteCount: payload.byteCount)
            if outcome == .appended { return finishAppending(request) }
            if outcome == .finished { return }
        }
        guard let buffer = buffers.take(blockCount: payload.byteCount / 4096 + 1) else {
            invariantFailed("a write is begun only when it is admitted", file: #fileID, line: #line)
        }
        requests[request].buffer = buffer
        buffers.region(buffer).copy(from: payload)
        attemptChange(request)
    }

    /// A buffer for a payload that has not arrived whole; nil when there is none now.
    package func acquirePayload(byteCount: Int) -> Payload? {
        guard let buffer = buffers.take(blockCount: byteCount / 4096 + 1) else { return nil }
        return Payload(region: buffers.region(buffer)[0..<byteCount], buffer: buffer)
    }

    /// Gives back a payload that will not be written: its connection is gone.
    package func abandon(_ payload: Payload) { buffers.give(payload.buffer) }

    /// Writes a payload that was received into a buffer of the lane.
    package func write(
        _ volume: VolumeSlot,
        offset: UInt64,
        payload: Payload,
        isDurable: Bool,
        context: UInt64
    ) {
        let byteCount = payload.region.byteCount
        let request = begin(
            .write,
            volume,
            offset: offset,
            byteCount: UInt64(byteCount),
            context: context
        )
        requests[request].isDurable = isDurable
        requests[request].buffer = payload.buffer
        guard isServable(request, changes: true) else { return }
        guard byteCount > 0 else { return finishEmptyChange(request) }
        attemptChange(request)
    }

    /// Makes whole blocks of a range absent: they read as zeros and own no space.
    package func trim(
        _ volume: VolumeSlot,
        offset: UInt64,
        byteCount: UInt64,
        isDurable: Bool,
        context: UInt64
    ) {
        let request = begin(.trim, volume, offset: offset, byteCount: byteCount, context: context)
        requests[request].isDurable = isDurable
        guard isServable(request, changes: true) else { return }
        // Blocks covered in part stay as they are.
        let first = (offset + 4095) / 4096 * 4096
        let end = (offset + byteCount) / 4096 * 4096
        if Mutant.trimRoundsOutward.isOn && byteCount > 0 {
            requests[request].offset = offset / 4096 * 4096
            requests[request].byteCount =
                (offset + byteCount + 4095) / 4096 * 4096 - offset / 4096 * 4096
            return attemptChange(request)
        }
        guard first < end else { return finishEmptyChange(request) }
        requests[request].offset = first
        requests[request].byteCount = end - first
        attemptChange(request)
    }

    /// Makes a range read as zeros; `keepsSpace` leaves it owned, so that writing it cannot fail
    /// for want of space.
    package func writeZeroes(
        _ volume: VolumeSlot,
        offset: UInt64,
        byteCount: UInt64,
        keepsSpace: Bool,
        isDurable: Bool,
        context: UInt64
    ) {
        let request = begin(
            .writeZeroes,
            volume,
            offset: offset,
            byteCount: byteCount,
            context: context
        )
        requests[request].isDurable = isDurable
        requests[request].keepsSpace = keepsSpace
        guard isServable(request, changes: true) else { return }
        guard byteCount > 0 else { return finishEmptyChange(request) }
        attemptChange(request)
    }

    /// A change of nothing writes nothing, but what it found may be the work of a change that has
    /// not landed: it is answered with the newest record.
    private func finishEmptyChange(_ request: Int) {
        requests[request].record = lastAppendedRecord
        finishWithRecord(request)
    }

    // MARK: Waiting and going on

    /// Tries a change behind those that wait already.
    func attemptChange(_ request: Int) {
        if stalledWrites.isEmpty {
            append(request, to: &stalledWrites)
            _ = attemptChangeOnce(request)
        } else {
            append(request, to: &stalledWrites)
        }
    }

    /// Goes on with a change whose leaf has just come, while it is there: before those that wait
    /// behind it, as when it began to wait.
    func attemptChangeFirst(_ request: Int) {
        requests[request].next = stalledWrites.first
        stalledWrites.first = Int32(request)
        if stalledWrites.last < 0 { stalledWrites.last = Int32(request) }
        _ = attemptChangeOnce(request)
    }

    /// Works on the first stalled change; false when it must go on waiting at the head.
    func attemptChangeOnce(_ request: Int) -> Bool {
        invariant(stalledWrites.first == Int32(request), "changes are worked on in order")
        if isReadOnly {
            // Nothing that it may wait for will come.
            _ = popFirst(of: &stalledWrites)
            finish(request, .readOnly)
            return true
        }
        while true {
            switch nextPart(request) {
            case .appended:
                let isWhole = requests[request].progress >= requests[request].byteCount
                if isWhole {
                    _ = popFirst(of: &stalledWrites)
                    finishAppending(request)
                    return true
                }
                if operations.freeCount < configuration.recordDataBlockMax { return false }
            case .finished:
                _ = popFirst(of: &stalledWrites)
                return true
            case .stalled:
                return false
            case .leaf(let slot):
                _ = popFirst(of: &stalledWrites)
                wait(request, forLeafIn: slot)
                return true
            case .conflict:
                _ = popFirst(of: &stalledWrites)
                append(request, to: &conflicted)
                return true
            case .merging:
                // It comes back when the old blocks are there.
                _ = popFirst(of: &stalledWrites)
                return true
            case .crowded(let disk):
                _ = popFirst(of: &stalledWrites)
                waitInCrowd(request, of: disk)
                return true
            }
        }
    }

    enum PartOutcome: Equatable {
        case appended
        /// The request ended without being appended.
        case finished
        /// No space, no record or no operation now.
        case stalled
        case leaf(Int)
        case conflict
        case merging
        case crowded(DeviceIndex)
    }

    /// Appends the next part of a change, or says what it waits for.
    private func nextPart(_ request: Int) -> PartOutcome {
        let slot = requests[request]
        let byteCount = currentPart(request).byteCount
        var payload = BufferRegion.empty
        if slot.kind == .write {
            payload =
                buffers.region(slot.buffer)[
                    Int(slot.progress)..<(Int(slot.progress) + byteCount)
                ]
        }
        return appendPart(request, payload: payload, byteCount: byteCount)
    }

    /// The part that a change has come to.
    func currentPart(_ request: Int) -> ChangePart {
        let slot = requests[request]
        let start = slot.offset + slot.progress
        let left = slot.byteCount - slot.progress
        var limit = UInt64(configuration.atomicByteCountMax)
        if slot.kind != .write && slot.byteCount > limit {
            // One leaf at a time: nobody waits behind a trim of 4 GiB.
            limit = UInt64(Geometry.leafByteCount)
            limit -= start % limit
        } else if left > limit {
            // Cut where a block ends.
            limit -= start % 4096
        }
        return ChangePart(
            volume: Int(slot.volume),
            offset: start,
            byteCount: Int(min(left, limit))
        )
    }

    /// Appends one part, of `byteCount` bytes from the request's progress on.
    private func appendPart(_ request: Int, payload: BufferRegion, byteCount: Int) -> PartOutcome {
        let slot = requests[request]
        let part = ChangePart(
            volume: Int(slot.volume),
            offset: slot.offset + slot.progress,
            byteCount: byteCount
        )
        if let status = refusal(of: part) {
            finish(request, status)
            return .finished
        }
        if isBehindAnother(request, part) { return .conflict }
        // Old contents are asked for before that: who waits for a disk waits for nothing else.
        let isToMerge = needsMerge(slot, part)
        if slot.kind != .trim && !isToMerge && !isAdmitted(part) { return .stalled }
        let leafOutcome = findLeaves(of: part, isTrim: slot.kind == .trim)
        switch leafOutcome {
        case .ready(let leaves):
            releaseHeldLeaves(of: Int32(request))
            if leaves.isVacantTrim {
                // That there is nothing may be the work of a change that has not landed.
                requests[request].record =
                    Mutant.vacantTrimAnsweredAtOnce.isOn ? landedThrough : lastAppendedRecord
                requests[request].progress += UInt64(byteCount)
                return .appended
            }
            return appendPart(request, part, in: leaves, payload: payload)
        case .damaged:
            finish(request, .mediaError)
            return .finished
        case .waiting(let outcome):
            holdLeaves(of: part, for: request)
            return outcome
        }
    }

    /// Why a change that waited may not be appended any more.  Behind a record that was lost
    /// nothing is ever replayed, and what a destroyed volume came to own nobody would give back.
    private func refusal(of part: ChangePart) -> RequestStatus? {
        if isReadOnly { return .readOnly }
        return volumes[part.volume].life == .live ? nil : .invalid
    }

    private func appendPart(
        _ request: Int,
        _ part: ChangePart,
        in leaves: PartLeaves,
        payload: BufferRegion
    ) -> PartOutcome {
        let kind = requests[request].kind
        if requests[request].isShrinking && isZeroAtHead(part, in: leaves) {
            requests[request].record = lastAppendedRecord
            requests[request].progress += UInt64(part.byteCount)
            return .appended
        }
        if needsMerge(requests[request], part) {
            let merge = prepareMerge(request, part, in: leaves)
            guard merge == .appended else { return merge }
            guard isAdmitted(part) else { return .stalled }
        }
        let plan = entries(of: part, kind: kind, keepsSpace: requests[request].keepsSpace)
        guard makeRoom(dataCount: plan.dataCount, tableByteCount: plan.tableByteCount) else {
            return .stalled
        }
        if kind != .trim {
            let absent = absentCount(
                of: part,
                in: leaves,
                keepsSpace: requests[request].keepsSpace,
                kind
            )
            guard absent == 0 || pool.charge(absent) else {
                // Parts before this one are in the log and stay: the host is told that the rest
                // found no space.
                statistics.noSpace += 1
                finish(request, .noSpace)
                return .finished
            }
        }
        append(plan, of: part, in: leaves, payload: payload, for: request)
        noteAdmitted(blockCount: plan.dataCount)
        requests[request].progress += UInt64(part.byteCount)
        requests[request].record = records[openHostRecord].number
        requests[request].mergePhase = .none
        return .appended
    }

    /// A request whose every part is in the log waits for its last record to land.
    private func finishAppending(_ request: Int) {
        if requests[request].isShrinking { return goOnShrinking(request) }
        noteLogged(request)
        let slot = requests[request]
        if slot.buffer >= 0 {
            buffers.give(slot.buffer)
            requests[request].buffer = -1
        }
        // A trim of nothing appended nothing.
        if slot.record == RecordNumber(0) { return finishEmptyChange(request) }
        finishWithRecord(request)
    }

    /// Answers a change when the record that it names has landed, or, if asked for, is durable.
    private func finishWithRecord(_ request: Int) {
        let number = requests[request].record
        if number <= landedThrough {
            guard requests[request].isDurable else { return finish(request, .done) }
            requests[request].phase = .logged
            return waitForFlush(request)
        }
        requests[request].phase = .logged
        for record in hostQueue.reversed() where records[record].number == number {
            return append(request, to: &records[record].requests)
        }
        invariantFailed("a record is queued until it has landed", file: #fileID, line: #line)
    }
}
