internal import Engine
internal import IO
internal import Units

// What the loop asks of the ring, and what comes back.
//
// User data of a connection's operations: the tag, 32 bits of generation, 24 bits of slot.
extension LaneLoop {
    private enum Tag {
        static var accept: RingTag { RingTag.firstFree }
        static var receive: RingTag { RingTag(RingTag.firstFree.rawValue + 1) }
        static var send: RingTag { RingTag(RingTag.firstFree.rawValue + 2) }
        static var mail: RingTag { RingTag(RingTag.firstFree.rawValue + 3) }
    }

    @inline(__always)
    private func userData(_ tag: RingTag, _ slot: Int) -> UInt64 {
        tag.userData(UInt64(connections[slot].generation) << 24 | UInt64(slot))
    }

    /// Acts on one completion of the ring.
    func take(_ completion: RingCompletion) {
        switch completion.tag {
        case .device: driver.take(completion)
        case Tag.receive: endReceive(connection(of: completion), completion)
        case Tag.send: endSend(connection(of: completion), completion)
        case Tag.accept: endAccept(completion)
        case Tag.mail:
            isMailboxArmed = false
            takeMail()
            if !isFinished { armMailbox() }
        default: break
        }
    }

    @inline(__always)
    private func connection(of completion: RingCompletion) -> Int {
        let payload = RingTag.payload(of: completion.userData)
        let slot = Int(payload & 0xFF_FFFF)
        invariant(
            connections[slot].phase != .free
                && connections[slot].generation == UInt32(truncatingIfNeeded: payload >> 24),
            "a slot is not given to another before its operations have ended"
        )
        return slot
    }

    // MARK: Accepting

    func armMailbox() {
        isMailboxArmed = true
        mailbox.arm(on: ring, userData: Tag.mail.userData(0))
    }

    func armListener(_ index: Int) {
        ring.accept(
            RingFile(descriptor: listeners[index].descriptor),
            userData: Tag.accept.userData(UInt64(index))
        )
    }

    private func endAccept(_ completion: RingCompletion) {
        let index = Int(RingTag.payload(of: completion.userData))
        if completion.result >= 0 {
            if isStopping {
                ConnectionSocket.close(completion.result)
            } else {
                ConnectionSocket.prepare(completion.result)
                open(completion.result)
            }
        }
        if completion.hasMore || isStopping { return }
        if completion.result >= 0 || completion.isTransient { return armListener(index) }
        // Most likely no descriptor is left.  To try at once would be to spin.
        statistics.failedAccepts += 1
        pausedListeners.append(index)
        acceptPauseEnd = now.advanced(byNanoseconds: limits.acceptPauseNanoseconds)
    }

    func resumeListeners() {
        guard !pausedListeners.isEmpty, now >= acceptPauseEnd else { return }
        for index in pausedListeners { armListener(index) }
        pausedListeners.removeAll()
    }

    // MARK: Receiving

    /// Receives more, unless that is under way or not wanted now.
    func receiveMore(_ slot: Int) {
        guard !connections[slot].isReceiving, !connections[slot].hasEnded else { return }
        let buffer = receiveRegion(slot)
        let target: BufferRegion
        switch connections[slot].phase {
        case .handshaking, .lingering: target = buffer[0..<limits.handshakeReceiveByteCount]
        case .serving:
            if connections[slot].payloadRequest >= 0, let payload = payloads[slot] {
                let received = connections[slot].pieceReceived
                target = payload.region[received..<payload.region.byteCount]
            } else {
                target = buffer[connections[slot].receivedEnd..<buffer.byteCount]
            }
        case .free, .finishing, .dead: return
        }
        invariant(target.byteCount > 0, "there is room for what is received")
        connections[slot].isReceiving = true
        ring.receive(
            RingFile(descriptor: connections[slot].descriptor),
            into: target,
            userData: userData(Tag.receive, slot)
        )
    }

    private func endReceive(_ slot: Int, _ completion: RingCompletion) {
        connections[slot].isReceiving = false
        if completion.isTransient && connections[slot].phase != .dead {
            return connections[slot].phase == .finishing
                ? finishIfAnswered(slot) : receiveMore(slot)
        }
        let count = Int(completion.result)
        switch connections[slot].phase {
        case .handshaking:
            guard count > 0 else { return lose(slot) }
            connections[slot].receivedEnd = count
            continueHandshake(slot)
        case .serving:
            guard count >= 0 else { return lose(slot) }
            if count == 0 {
                statistics.lostSockets += 1
                connections[slot].hasEnded = true
            } else if connections[slot].payloadRequest >= 0 {
                connections[slot].pieceReceived += count
            } else {
                connections[slot].receivedEnd += count
            }
            serveReceived(slot)
        case .finishing:
            if count <= 0 { connections[slot].hasEnded = true }
            dropArriving(slot)
            finishIfAnswered(slot)
        case .lingering:
            if count > 0 { receiveMore(slot) } else { kill(slot) }
        case .dead:
            dropArriving(slot)
            settleIfDead(slot)
        case .free: break
        }
    }

    private func lose(_ slot: Int) {
        statistics.lostSockets += 1
        kill(slot)
    }

    // MARK: Sending

    /// The list of a connection's next send, empty.
    func gatherList(_ slot: Int) -> RegionList {
        if let list = gathers[slot] {
            list.removeAll()
            return list
        }
        let list = RegionList(capacity: limits.sendPartCountMax)
        gathers[slot] = list
        return list
    }

    func startSending(_ slot: Int, _ list: RegionList) {
        connections[slot].isSending = true
        connections[slot].sendMovedAt = now
        connections[slot].sendTurn = turnCount
        ring.send(
            RingFile(descriptor: connections[slot].descriptor),
            from: list,
            userData: userData(Tag.send, slot)
        )
    }

    private func endSend(_ slot: Int, _ completion: RingCompletion) {
        connections[slot].isSending = false
        guard let list = gathers[slot] else {
            invariantFailed("a send has its list", file: #fileID, line: #line)
        }
        if connections[slot].phase == .dead {
            endReplies(of: slot)
            return settleIfDead(slot)
        }
        if completion.isTransient { return startSending(slot, list) }
        guard completion.result > 0 else {
            endReplies(of: slot)
            return lose(slot)
        }
        list.advance(byByteCount: Int(completion.result))
        connections[slot].isPrompt = connections[slot].sendTurn &+ 1 == turnCount
        if list.byteCount > 0 { return startSending(slot, list) }
        endReplies(of: slot)
        if connections[slot].firstReply >= 0 { queueToSend(slot) }
        switch connections[slot].phase {
        case .handshaking: endHandshakeSend(slot)
        case .serving: if connections[slot].isAtLimit { serveReceived(slot) }
        case .finishing: finishIfAnswered(slot)
        case .free, .lingering, .dead: break
        }
    }
}
