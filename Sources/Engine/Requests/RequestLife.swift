internal import IO
internal import Units

// The life of a request: begun by a connection, worked on until it finishes, fetched, released.
//
//      begin --> active <--> waiting (a leaf, space, another request)
//                  |
//                  |  read: all its operations completed      write: appended to a record
//                  |                                              v
//                  |                                           logged --(durable)--> flush
//                  v                                              |
//               finished  <---------------------------------------+
//                  |
//               release --> free
extension Lane {
    /// Whether a request of this kind and length finds a slot and a buffer now.
    ///
    /// When it is false, the caller reads no more from that connection and asks again after a turn.
    package func admits(_ kind: RequestKind, byteCount: Int) -> Bool {
        guard firstFreeRequest >= 0 else { return false }
        switch kind {
        case .read, .write: return buffers.has(blockCount: byteCount / 4096 + 2)
        case .extents: return buffers.has(blockCount: Lane.extentBlockCount)
        default: return true
        }
    }

    func begin(
        _ kind: RequestKind,
        _ volume: VolumeSlot,
        offset: UInt64,
        byteCount: UInt64,
        context: UInt64
    ) -> Int {
        guard let request = takeFree() else {
            invariantFailed(
                "a request is begun only when one is admitted",
                file: #fileID,
                line: #line
            )
        }
        unfinishedCount += 1
        let generation = requests[request].generation &+ 1
        var slot = RequestSlot()
        slot.mergeMemory = requests[request].mergeMemory
        slot.phase = .active
        slot.kind = kind
        slot.generation = generation
        slot.volume = volume.rawValue
        slot.offset = offset
        slot.byteCount = byteCount
        slot.context = context
        requests[request] = slot
        if kind == .write || kind == .trim || kind == .writeZeroes { noteArrival(request) }
        statistics.requests += 1
        return request
    }

    /// The request changes blocks: what changes the same ones later comes behind it.
    func noteArrival(_ request: Int) {
        arrivals += 1
        requests[request].arrival = arrivals
        unlogged.append(Int32(request))
    }

    /// Whether the request can be worked on at all; finishes it otherwise.
    func isServable(_ request: Int, changes: Bool) -> Bool {
        let slot = requests[request]
        let volume = Int(slot.volume)
        guard volume < volumeCount, volumes[volume].life == .live,
            slot.offset <= servedByteCount(volume),
            slot.byteCount <= servedByteCount(volume) - slot.offset
        else {
            finish(request, .invalid)
            return false
        }
        if shutdown.isBegun {
            finish(request, .shuttingDown)
            return false
        }
        if changes && isReadOnly {
            finish(request, .readOnly)
            return false
        }
        return true
    }

    /// Goes on with a request that waited for a leaf, or of a read for anything else.
    func resume(_ request: Int) {
        switch requests[request].kind {
        case .read: attemptRead(request)
        case .write, .trim, .writeZeroes: attemptChangeFirst(request)
        case .extents: attemptExtents(request)
        case .promote: attemptPromote(request)
        case .flush, .createVolume, .resizeVolume, .destroyVolume, .shutDown: break
        }
    }

    /// Ends a request.  Its buffer stays until it is released.
    func finish(_ request: Int, _ status: RequestStatus) {
        invariant(requests[request].phase != .finished, "a request finishes once")
        if requests[request].isShrinking { endShrinking(request) }
        requests[request].phase = .finished
        requests[request].status = status
        unfinishedCount -= 1
        noteLogged(request)
        releaseHeldLeaves(of: Int32(request))
        if status != .done { statistics.failedRequests += 1 }
        finished.append(request)
    }

    /// The change is in the log, or over: those that touch its blocks may go on.
    func noteLogged(_ request: Int) {
        guard requests[request].arrival > 0 else { return }
        requests[request].arrival = 0
        unlogged.removeAll { $0 == Int32(request) }
        while let waiting = popFirst(of: &conflicted) { append(waiting, to: &stalledWrites) }
    }

    /// Whether an earlier change of one of these blocks is not in the log yet.
    func isBehindAnother(_ request: Int, _ part: ChangePart) -> Bool {
        if Mutant.laterChangeOvertakes.isOn { return false }
        let arrival = requests[request].arrival
        for other in unlogged {
            let slot = requests[Int(other)]
            guard slot.arrival < arrival, slot.volume == requests[request].volume,
                slot.byteCount > 0
            else { continue }
            let first = slot.offset / 4096
            let end = (slot.offset + slot.byteCount - 1) / 4096 + 1
            if first < part.end && part.first < end { return true }
        }
        return false
    }

    /// Ends a request that met bad bytes.
    func fail(_ request: Int, _ status: RequestStatus, at offset: UInt64?) {
        if let offset { requests[request].failedOffset = offset }
        if requests[request].operationCount > 0 {
            // What is in flight still writes to its buffer: it finishes with the last of them.
            if requests[request].status == .done { requests[request].status = status }
            requests[request].progress = requests[request].blockCount
            return
        }
        finish(request, status)
    }

    func describeFinished(_ request: Int) -> Finished {
        let slot = requests[request]
        var data = BufferRegion.empty
        if slot.kind == .read && slot.status == .done && !slot.isHole && slot.buffer >= 0 {
            let lead = Int(slot.offset % 4096)
            data = buffers.region(slot.buffer)[lead..<(lead + Int(slot.byteCount))]
        }
        return Finished(
            token: token(of: request),
            context: slot.context,
            kind: slot.kind,
            status: slot.status,
            data: data,
            isHole: slot.kind == .read && slot.status == .done && slot.isHole,
            failedOffset: slot.failedOffset,
            extentCount: Int(slot.extentCount)
        )
    }

    func token(of request: Int) -> RequestToken {
        RequestToken(UInt64(requests[request].generation) << 32 | UInt64(request))
    }

    func request(of token: RequestToken) -> Int {
        let request = Int(token.rawValue & 0xFFFF_FFFF)
        invariant(
            requests[request].generation == UInt32(token.rawValue >> 32)
                && requests[request].phase == .finished,
            "a token names a finished request"
        )
        return request
    }

    /// Gives back what a finished request holds: its data may not be touched any more.
    package func release(_ token: RequestToken) {
        let request = request(of: token)
        if requests[request].buffer >= 0 { buffers.give(requests[request].buffer) }
        requests[request].buffer = -1
        if requests[request].operationCount > 0 {
            requests[request].phase = .lent
        } else {
            free(request)
        }
    }

    /// Takes a free request; nil when there is none.
    func takeFree() -> Int? {
        guard firstFreeRequest >= 0 else { return nil }
        let request = Int(firstFreeRequest)
        firstFreeRequest = requests[request].next
        requestsInUse += 1
        return request
    }

    func free(_ request: Int) {
        requests[request].phase = .free
        requests[request].next = firstFreeRequest
        firstFreeRequest = Int32(request)
        requestsInUse -= 1
    }

    // MARK: Lists

    func append(_ request: Int, to list: inout RequestList) {
        requests[request].next = -1
        if list.last >= 0 {
            requests[Int(list.last)].next = Int32(request)
        } else {
            list.first = Int32(request)
        }
        list.last = Int32(request)
    }

    func popFirst(of list: inout RequestList) -> Int? {
        guard list.first >= 0 else { return nil }
        let request = Int(list.first)
        list.first = requests[request].next
        if list.first < 0 { list.last = -1 }
        requests[request].next = -1
        return request
    }

    /// Makes a request wait for a leaf that is on its way.
    func wait(_ request: Int, forLeafIn slot: Int) {
        requests[request].next = leaves.entries[slot].firstWaiter
        leaves.entries[slot].firstWaiter = Int32(request)
    }

    /// Tries again what waited for space, for operations or for other requests, oldest first.
    func retryStalled() {
        var reads = stalledReads
        stalledReads = RequestList()
        while let request = popFirst(of: &reads) { resume(request) }
        while stalledWrites.first >= 0 {
            let request = Int(stalledWrites.first)
            guard attemptChangeOnce(request) else { break }
        }
    }
}
