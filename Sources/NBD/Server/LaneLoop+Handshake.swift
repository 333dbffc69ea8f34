internal import Engine
internal import IO
internal import Units

// Connections before they have chosen an export, all on the lane that accepts.
extension LaneLoop {
    /// Makes a connection of an accepted socket.
    func open(_ descriptor: Int32) {
        statistics.accepted += 1
        guard shared.admitConnection(max: limits.connectionCountMax) else {
            statistics.refusedConnections += 1
            ConnectionSocket.close(descriptor)
            return
        }
        if halfOpenCount >= limits.halfOpenCountMax { killOldestHalfOpen() }
        guard let slot = takeConnection(descriptor) else {
            shared.endConnection()
            ConnectionSocket.close(descriptor)
            return
        }
        connections[slot].phase = .handshaking
        connections[slot].openedAt = now
        halfOpenCount += 1
        let handshake = Handshake(at: now)
        connections[slot].deadline = handshake.deadline
        handshakes[slot] = handshake
        queueToSend(slot)
        receiveMore(slot)
    }

    /// Gives what arrived to the handshake and acts on what comes of it.
    func continueHandshake(_ slot: Int) {
        guard var handshake = handshakes[slot] else { return }
        // Out of the array while it changes, so that its buffers are not copied.
        handshakes[slot] = nil
        let start = connections[slot].receivedStart
        let end = connections[slot].receivedEnd
        connections[slot].receivedStart = 0
        connections[slot].receivedEnd = 0
        let arrived = receiveRegion(slot)[start..<end]
        let outcome = handshake.receive(arrived.bytes, at: now, from: shared.exports)
        act(on: outcome, slot)
        connections[slot].deadline = handshake.deadline
        let isOver = connections[slot].exit != .none
        if handshake.hasOutput || isOver { queueToSend(slot) }
        let isHeldBack = handshake.isHeldBack
        handshakes[slot] = handshake
        if !isOver && !isHeldBack { receiveMore(slot) }
    }

    private func act(on outcome: HandshakeOutcome, _ slot: Int) {
        switch outcome {
        case .ongoing: break
        case .closed(let end):
            statistics.count(end)
            connections[slot].exit = .close
        case .transmission(let negotiation):
            negotiations[slot] = negotiation
            connections[slot].exit = .serve
        }
    }

    /// Sends what the handshake has to say; leaves it when all is said.
    func sendHandshake(_ slot: Int) {
        guard !connections[slot].isSending, handshakes[slot] != nil else { return }
        let area = sendRegion(slot)
        let output = handshakes[slot]?.takeOutput(byteCountMax: area.byteCount) ?? []
        if output.isEmpty { return leaveHandshake(slot) }
        area.store(output)
        let list = gatherList(slot)
        list.append(area[0..<output.count])
        startSending(slot, list)
    }

    /// Goes on after a send: with more output, with options that were held back, or away.
    func endHandshakeSend(_ slot: Int) {
        guard let handshake = handshakes[slot] else { return }
        if handshake.hasOutput || connections[slot].exit != .none {
            queueToSend(slot)
        } else if !connections[slot].isReceiving {
            continueHandshake(slot)
        }
    }

    private func leaveHandshake(_ slot: Int) {
        switch connections[slot].exit {
        case .none: break
        case .close: linger(slot)
        case .serve:
            // What arrives is read by the lane that serves.
            guard !connections[slot].isReceiving, let negotiation = negotiations[slot] else {
                return
            }
            handshakes[slot] = nil
            negotiations[slot] = nil
            halfOpenCount -= 1
            statistics.negotiated += 1
            if negotiation.export.lane == lane.index {
                serve(slot, negotiation)
            } else {
                let message = LaneMessage.connection(connections[slot].descriptor, negotiation)
                guard shared.send(message, to: negotiation.export.lane) else {
                    statistics.refusedConnections += 1
                    halfOpenCount += 1
                    return kill(slot)
                }
                vacate(slot)
            }
        }
    }

    /// Takes over a connection that another lane negotiated.
    func adopt(_ descriptor: Int32, _ negotiation: Negotiation) {
        guard let slot = takeConnection(descriptor) else {
            shared.endConnection()
            ConnectionSocket.close(descriptor)
            return
        }
        connections[slot].openedAt = now
        serve(slot, negotiation)
    }

    /// Begins to serve, with what came behind the last option.
    private func serve(_ slot: Int, _ negotiation: Negotiation) {
        dropHungUp(onVolume: negotiation.export.volumeSlot)
        let leftover = negotiation.leftover
        let region = receiveRegion(slot)
        guard leftover.count <= region.byteCount else { return kill(slot) }
        region.store(leftover)
        connections[slot].receivedStart = 0
        connections[slot].receivedEnd = leftover.count
        connections[slot].phase = .serving
        connections[slot].exit = .none
        connections[slot].deadline = .never
        connections[slot].terms = ConnectionTerms(negotiation)
        connections[slot].volume = negotiation.export.volumeSlot
        serveReceived(slot)
    }

    /// Before a client's new socket is served, its old one must not bring anything more: what is
    /// left unread on a socket whose peer is gone would be an old write on top of a newer one.
    private func dropHungUp(onVolume volume: UInt32) {
        for slot in 0..<connections.count
        where connections[slot].phase == .serving && connections[slot].volume == volume {
            if ConnectionSocket.isHungUp(connections[slot].descriptor) {
                statistics.hangUps += 1
                kill(slot)
            }
        }
    }

    private func killOldestHalfOpen() {
        var oldest = -1
        for slot in 0..<connections.count where connections[slot].phase == .handshaking {
            if oldest < 0 || connections[slot].openedAt < connections[oldest].openedAt {
                oldest = slot
            }
        }
        guard oldest >= 0 else { return }
        statistics.evictedHandshakes += 1
        kill(oldest)
    }
}

extension BufferRegion {
    /// Copies `bytes`, which fit, to the start.
    fileprivate func store(_ bytes: [UInt8]) {
        var target = mutableBytes
        for index in 0..<bytes.count {
            target.storeBytes(of: bytes[index], toByteOffset: index, as: UInt8.self)
        }
    }
}
