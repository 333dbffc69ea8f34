internal import Engine
internal import Units

// The intrusive lists of a lane: connections with something to send, connections that wait for the
// lane, free request slots, replies.  Integers in slabs; nothing is allocated.
extension LaneLoop {
    // MARK: Connections with replies

    /// Notes that a connection has something to send at the end of this turn.
    func queueToSend(_ slot: Int) {
        guard !connections[slot].isQueuedToSend else { return }
        connections[slot].isQueuedToSend = true
        connections[slot].nextToSend = -1
        if sending.last >= 0 {
            connections[Int(sending.last)].nextToSend = Int32(slot)
        } else {
            sending.first = Int32(slot)
        }
        sending.last = Int32(slot)
    }

    func nextToSend() -> Int? {
        guard sending.first >= 0 else { return nil }
        let slot = Int(sending.first)
        sending.first = connections[slot].nextToSend
        if sending.first < 0 { sending.last = -1 }
        connections[slot].isQueuedToSend = false
        return slot
    }

    // MARK: Connections that wait for the lane

    /// Puts a connection behind those that wait already; it is tried again each turn.
    func stall(_ slot: Int) {
        guard !connections[slot].isStalled else { return }
        if !isRetrying { statistics.stalls += 1 }
        connections[slot].isStalled = true
        connections[slot].nextStalled = -1
        if stalled.last >= 0 {
            connections[Int(stalled.last)].nextStalled = Int32(slot)
        } else {
            stalled.first = Int32(slot)
        }
        stalled.last = Int32(slot)
    }

    /// Tries again those that waited, in the order in which they came.  Who still cannot go on
    /// keeps its place: it is queued again before anybody who comes later.
    func retryStalled() {
        var waiting = stalled
        stalled = ConnectionQueue()
        hasReleased = false
        isRetrying = true
        defer { isRetrying = false }
        while waiting.first >= 0 {
            let slot = Int(waiting.first)
            waiting.first = connections[slot].nextStalled
            connections[slot].isStalled = false
            serveReceived(slot)
            settleIfDead(slot)
        }
    }

    // MARK: Requests

    /// Takes a request slot for `header`; nil when all are in use.
    func begin(_ header: RequestHeader, _ command: Command, on slot: Int) -> Int? {
        guard firstFreeRequest >= 0 else { return nil }
        let request = Int(firstFreeRequest)
        firstFreeRequest = requests[request].next
        var taken = ClientRequest()
        taken.generation = requests[request].generation &+ 1
        taken.command = command
        taken.flags = header.flags
        taken.connection = Int32(slot)
        taken.cookie = header.cookie
        taken.offset = header.offset
        taken.byteCount = header.byteCount
        requests[request] = taken
        connections[slot].requestCount += 1
        return request
    }

    /// Gives a slot back; what the lane holds for it was released before.
    func free(_ request: Int) {
        let slot = Int(requests[request].connection)
        invariant(
            !requests[request].isHeld,
            "a request is freed when the lane holds nothing for it"
        )
        noteGivenBack(by: request)
        connections[slot].requestCount -= 1
        requests[request].phase = .free
        requests[request].next = firstFreeRequest
        firstFreeRequest = Int32(request)
        hasReleased = true
    }

    /// Lets the lane have back what it holds for an answer.
    func release(_ request: Int) {
        guard requests[request].isHeld else { return }
        lane.release(requests[request].token)
        requests[request].isHeld = false
        hasReleased = true
    }

    /// Puts a finished request behind the replies of its connection.
    func enqueueReply(_ request: Int) {
        let slot = Int(requests[request].connection)
        requests[request].phase = .finished
        requests[request].next = -1
        if connections[slot].lastReply >= 0 {
            requests[Int(connections[slot].lastReply)].next = Int32(request)
        } else {
            connections[slot].firstReply = Int32(request)
        }
        connections[slot].lastReply = Int32(request)
        queueToSend(slot)
    }
}
