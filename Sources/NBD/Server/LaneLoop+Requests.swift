internal import Engine
internal import IO
internal import Units

// From received bytes to requests in the lane.
//
//     receive buffer  |..looked at..|  header payload  header  head|......free......|
//                                   ^receivedStart                 ^receivedEnd
//
// A request is taken only when everything that it needs is there: a slot here, a slot and a buffer
// in the lane.  Otherwise its bytes stay where they are, the connection waits, and nothing more is
// received from it: that is the back-pressure which the client's socket passes on.
extension LaneLoop {
    /// Serves what has arrived, then makes room and receives more where that is right.
    func serveReceived(_ slot: Int) {
        if connections[slot].isStalled { return }
        connections[slot].isAtLimit = false
        var hasProgressed = false
        while connections[slot].phase == .serving, serveNext(slot) { hasProgressed = true }
        if connections[slot].phase == .serving {
            let isWaiting = connections[slot].isStalled || connections[slot].isAtLimit
            if connections[slot].hasEnded && !isWaiting {
                // The rest can never become whole.
                finish(slot)
            } else {
                compact(slot)
                noteArrival(slot, isWaiting: isWaiting, hasProgressed: hasProgressed)
                if !isWaiting { receiveMore(slot) }
            }
        }
        if connections[slot].phase == .finishing { finishIfAnswered(slot) }
    }

    /// Takes one step; false when nothing can be done now.
    private func serveNext(_ slot: Int) -> Bool {
        if connections[slot].drainRequest >= 0 { return drain(slot) }
        if connections[slot].payloadRequest >= 0 { return servePiece(slot) }
        guard connections[slot].receivedByteCount >= WireSize.request else { return false }
        let start = connections[slot].receivedStart
        guard let header = RequestHeader(receiveRegion(slot).bytes, at: start) else {
            statistics.wrongMagics += 1
            kill(slot)
            return false
        }
        guard connections[slot].requestCount < limits.requestCountMax else {
            connections[slot].isAtLimit = true
            return false
        }
        switch header.validate(against: connections[slot].terms) {
        case .serve, .serveEmpty:
            if isStopping { return refuse(header, .serverIsStopping, slot) }
            return serveValid(header, slot)
        case .refuse(let refusal): return refuse(header, refusal, slot)
        case .disconnect:
            statistics.disconnects += 1
            finish(slot)
            return false
        case .close:
            statistics.abuses += 1
            kill(slot)
            return false
        }
    }

    /// Serves a request that was judged valid.
    private func serveValid(_ header: RequestHeader, _ slot: Int) -> Bool {
        guard let command = Command(rawValue: header.command), let kind = command.requestKind
        else { return false }
        if header.byteCount == 0 && command != .flush { return serveEmpty(header, command, slot) }
        let isData = command == .read || command == .write
        let need = WireSize.request + Int(header.payloadByteCount)
        let isWhole = connections[slot].receivedByteCount >= need
        var dataByteCount = isData ? Int(header.byteCount) : 0
        if !isWhole { dataByteCount = min(dataByteCount, limits.payloadPieceByteCountMax) }
        let bufferClass = bufferClass(ofByteCount: dataByteCount)
        if isData && !isInsideWindow(bufferClass, slot) {
            connections[slot].isAtLimit = true
            return false
        }
        if !isWhole && header.payloadByteCount <= UInt64(limits.bufferedPayloadByteCountMax) {
            return false
        }
        // The place of the bytes on their way is fixed when a receive begins.
        if !isWhole && connections[slot].isReceiving { return false }
        guard !isData || isInsideShare(bufferClass, slot),
            lane.admits(kind, byteCount: dataByteCount),
            let request = begin(header, command, on: slot)
        else {
            stall(slot)
            return false
        }
        if isData { noteTaken(bufferClass, by: request, slot) }
        if command == .write && !isWhole {
            beginPayload(request, slot)
            return true
        }
        hand(request, slot)
        connections[slot].receivedStart += need
        return true
    }

    /// Hands a request whose payload, if it has one, stands behind its header to the lane.
    private func hand(_ request: Int, _ slot: Int) {
        let taken = requests[request]
        let volume = VolumeSlot(connections[slot].volume)
        let isDurable = taken.flags.contains(.forceUnitAccess)
        let context = enterLane(request, slot)
        switch taken.command {
        case .read:
            lane.read(
                volume,
                offset: taken.offset,
                byteCount: Int(taken.byteCount),
                context: context
            )
        case .write:
            let start = connections[slot].receivedStart + WireSize.request
            let payload = receiveRegion(slot)[start..<(start + Int(taken.byteCount))]
            lane.write(
                volume,
                offset: taken.offset,
                payload: payload,
                isDurable: isDurable,
                context: context
            )
        case .trim:
            lane.trim(
                volume,
                offset: taken.offset,
                byteCount: taken.byteCount,
                isDurable: isDurable,
                context: context
            )
        case .writeZeroes:
            lane.writeZeroes(
                volume,
                offset: taken.offset,
                byteCount: taken.byteCount,
                keepsSpace: taken.flags.contains(.noHole),
                isDurable: isDurable,
                context: context
            )
        case .flush: lane.flush(volume, context: context)
        case .cache:
            lane.promote(
                volume,
                offset: taken.offset,
                byteCount: taken.byteCount,
                context: context
            )
        case .blockStatus:
            let isOnlyOne = taken.flags.contains(.onlyOne)
            lane.extents(
                volume,
                offset: taken.offset,
                byteCount: taken.byteCount,
                countMax: isOnlyOne ? 64 : WireLimit.descriptorCountMax,
                context: context
            )
        case .disconnect: invariantFailed("DISC is no request", file: #fileID, line: #line)
        }
    }

    private func enterLane(_ request: Int, _ slot: Int) -> UInt64 {
        requests[request].phase = .inLane
        requests[request].partCount = 1
        statistics.requests += 1
        return RequestContext.of(request, generation: requests[request].generation)
    }

    /// A request about no bytes is done at once.
    private func serveEmpty(_ header: RequestHeader, _ command: Command, _ slot: Int) -> Bool {
        guard let request = begin(header, command, on: slot) else {
            stall(slot)
            return false
        }
        connections[slot].receivedStart += WireSize.request
        statistics.requests += 1
        enqueueReply(request)
        return true
    }

    /// Answers a request with an error, once its payload is out of the way.
    private func refuse(_ header: RequestHeader, _ refusal: RequestRefusal, _ slot: Int) -> Bool {
        let command = Command(rawValue: header.command) ?? .flush
        guard let request = begin(header, command, on: slot) else {
            stall(slot)
            return false
        }
        requests[request].refusal = refusal
        requests[request].error = refusal.error
        connections[slot].receivedStart += WireSize.request
        connections[slot].drainRequest = Int32(request)
        // At most 64 MiB: a longer payload closed the connection before.
        connections[slot].drainByteCount = Int(header.payloadByteCount)
        requests[request].phase = .arriving
        statistics.refusals += 1
        return true
    }

    /// Throws away what has arrived of a refused payload.
    private func drain(_ slot: Int) -> Bool {
        let thrown = min(connections[slot].drainByteCount, connections[slot].receivedByteCount)
        connections[slot].receivedStart += thrown
        connections[slot].drainByteCount -= thrown
        guard connections[slot].drainByteCount == 0 else { return false }
        let request = Int(connections[slot].drainRequest)
        connections[slot].drainRequest = -1
        enqueueReply(request)
        return true
    }

    // MARK: The receive buffer

    /// Moves what is left to the front when little room is behind it.
    private func compact(_ slot: Int) {
        guard !connections[slot].isReceiving else { return }
        let start = connections[slot].receivedStart
        let count = connections[slot].receivedByteCount
        if count == 0 {
            connections[slot].receivedStart = 0
            connections[slot].receivedEnd = 0
        } else if start > 0
            && limits.receiveByteCount - connections[slot].receivedEnd < start + count
        {
            let buffer = receiveRegion(slot)
            buffer.copy(from: buffer[start..<(start + count)])
            connections[slot].receivedStart = 0
            connections[slot].receivedEnd = count
        }
    }

    /// Sets the deadline of a request that has begun to arrive, and lifts it when none has, or when
    /// it is this side that does not read on.
    private func noteArrival(_ slot: Int, isWaiting: Bool, hasProgressed: Bool) {
        let connection = connections[slot]
        let isArriving =
            connection.receivedByteCount > 0 || connection.payloadRequest >= 0
            || connection.drainRequest >= 0
        if isWaiting || !isArriving {
            connections[slot].deadline = .never
        } else if hasProgressed || connection.deadline == .never {
            let missing = UInt64(connection.pieceByteCount) + UInt64(connection.drainByteCount)
            let seconds = missing / limits.stalledRequestByteCountPerSecond
            connections[slot].deadline = now.advanced(
                byNanoseconds: limits.stalledRequestNanoseconds + seconds * 1_000_000_000
            )
        }
    }
}
