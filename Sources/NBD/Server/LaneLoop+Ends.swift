internal import IO
internal import Units

// How connections end.  A slot is used again only when the kernel and the lane hold nothing of the
// connection any more, so no late completion and no late answer can reach another client.
extension LaneLoop {
    /// A free slot for a socket; nil when there is none.
    func takeConnection(_ descriptor: Int32) -> Int? {
        guard firstFreeConnection >= 0 else { return nil }
        let slot = Int(firstFreeConnection)
        firstFreeConnection = connections[slot].nextToSend
        let generation = connections[slot].generation &+ 1
        connections[slot] = ConnectionSlot()
        connections[slot].generation = generation
        connections[slot].descriptor = descriptor
        connections[slot].window = limits.windowByteCountMin
        openCount += 1
        return slot
    }

    /// Gives the slot back without closing its socket.
    func vacate(_ slot: Int) {
        connections[slot].phase = .free
        connections[slot].descriptor = -1
        connections[slot].nextToSend = firstFreeConnection
        firstFreeConnection = Int32(slot)
        openCount -= 1
    }

    /// Reads no further; what was taken is answered, then the connection ends.
    func finish(_ slot: Int) {
        guard connections[slot].phase == .serving else { return }
        connections[slot].phase = .finishing
        connections[slot].deadline = .never
        if connections[slot].isReceiving && connections[slot].payloadRequest >= 0 {
            // The lane's memory is the kernel's until the receive has ended.
            ConnectionSocket.endReceiving(connections[slot].descriptor)
        } else {
            dropArriving(slot)
        }
        finishIfAnswered(slot)
    }

    func finishIfAnswered(_ slot: Int) {
        guard connections[slot].phase == .finishing, connections[slot].isAnswered else { return }
        linger(slot)
    }

    /// Says that nothing more comes, and lets the client close first: to close over bytes that
    /// nobody read would take the last replies out of the client's hands.
    func linger(_ slot: Int) {
        if connections[slot].phase == .handshaking {
            halfOpenCount -= 1
            handshakes[slot] = nil
            negotiations[slot] = nil
        }
        if connections[slot].hasEnded { return kill(slot) }
        connections[slot].phase = .lingering
        connections[slot].deadline = now.advanced(byNanoseconds: limits.lingerNanoseconds)
        ConnectionSocket.endSending(connections[slot].descriptor)
        connections[slot].receivedStart = 0
        connections[slot].receivedEnd = 0
        receiveMore(slot)
    }

    /// Ends a connection at once.  Its requests in the lane go on; their replies are dropped.
    func kill(_ slot: Int) {
        let phase = connections[slot].phase
        guard phase != .dead && phase != .free else { return }
        if phase == .handshaking {
            halfOpenCount -= 1
            handshakes[slot] = nil
            negotiations[slot] = nil
        }
        connections[slot].phase = .dead
        connections[slot].deadline = .never
        ConnectionSocket.shutDown(connections[slot].descriptor)
        dropReplies(of: slot)
        if !connections[slot].isReceiving { dropArriving(slot) }
        settleIfDead(slot)
    }

    /// Closes the socket of a dead connection once nothing refers to it.
    func settleIfDead(_ slot: Int) {
        guard connections[slot].phase == .dead, connections[slot].isSettled else { return }
        ConnectionSocket.close(connections[slot].descriptor)
        shared.endConnection()
        vacate(slot)
    }

    // MARK: Deadlines

    /// Ends what has taken too long.
    func sweep() {
        for slot in 0..<connections.count {
            let connection = connections[slot]
            switch connection.phase {
            case .free, .dead: continue
            case .handshaking, .serving, .finishing, .lingering: break
            }
            if connection.deadline <= now {
                if connection.phase == .handshaking { statistics.count(.deadlinePassed) }
                if connection.phase == .serving { statistics.stalledRequests += 1 }
                kill(slot)
            } else if !stalled.isEmpty && isHoarding(connection) {
                statistics.hoarders += 1
                kill(slot)
            }
        }
    }

    /// Whether a client holds what others wait for by taking no replies, or by sending a piece of
    /// its payload too slowly.
    private func isHoarding(_ connection: ConnectionSlot) -> Bool {
        let hoard = limits.hoardNanoseconds
        if connection.isSending && now.nanoseconds(since: connection.sendMovedAt) >= hoard {
            return true
        }
        return connection.pieceByteCount > 0 && !connection.isStalled
            && now.nanoseconds(since: connection.pieceBeganAt) >= hoard
    }
}
