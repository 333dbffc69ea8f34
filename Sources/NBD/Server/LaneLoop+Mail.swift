internal import Catalogue
internal import Engine
internal import IO
internal import Units

// What other threads send to the lane.
extension LaneLoop {
    /// Takes everything that stands in the mailbox.
    func takeMail() {
        while mailbox.takeAll(into: &mail) {
            for message in mail { take(message) }
        }
    }

    private func take(_ message: LaneMessage) {
        switch message {
        case .connection(let descriptor, let negotiation): adopt(descriptor, negotiation)
        case .catalogueAnswer(let answer): lane.answer(answer)
        case .inspect(let look): look(lane, statistics)
        case .control(let begin, let whenFinished):
            beginControl(begin) { _, finished in whenFinished(finished?.status ?? .shuttingDown) }
        case .examine(let begin, let whenFinished): beginControl(begin, whenFinished)
        case .countConnections(let volume, let tell): tell(attached(to: volume).count)
        case .resize(let volume, let byteCount):
            for slot in attached(to: volume) { connections[slot].terms.byteCount = byteCount }
        case .endConnections(let volume):
            for slot in attached(to: volume) { kill(slot) }
        case .stop: beginStopping()
        case .wake: break
        }
    }

    private func attached(to volume: VolumeSlot) -> [Int] {
        (0..<connections.count).filter { slot in
            let phase = connections[slot].phase
            return (phase == .serving || phase == .finishing)
                && connections[slot].volume == volume.rawValue
        }
    }

    // MARK: Requests of the control side

    private func beginControl(
        _ begin: @Sendable (Lane, UInt64) -> Void,
        _ whenFinished: @escaping @Sendable (Lane, Finished?) -> Void
    ) {
        guard !isStopping, lane.admits(.extents, byteCount: 0) else {
            // The control side asks again; it never waits in the lane's way.
            return whenFinished(lane, nil)
        }
        let index = controls.firstIndex { $0 == nil } ?? controls.count
        if index == controls.count { controls.append(nil) }
        controls[index] = whenFinished
        begin(lane, RequestContext.controlBit | UInt64(index))
    }

    func finishControl(_ finished: Finished) {
        defer { lane.release(finished.token) }
        let index = Int(finished.context & ~RequestContext.controlBit)
        if finished.context == RequestContext.shutdown {
            isFinished = true
        } else if index < controls.count, let whenFinished = controls[index] {
            controls[index] = nil
            whenFinished(lane, finished)
        }
    }

    // MARK: Stopping

    /// No more requests: what the lane has is answered, then each connection ends.
    private func beginStopping() {
        guard !isStopping else { return }
        isStopping = true
        stopBegan = now
        for slot in 0..<connections.count {
            switch connections[slot].phase {
            // What arrived is refused, now or when the rest of it comes.
            case .serving: serveReceived(slot)
            case .free, .handshaking, .finishing, .lingering, .dead: break
            }
        }
    }

    /// Ends connections that have nothing in flight, and at the deadline all; then the lane.
    func continueStopping() {
        guard !hasBegunShutdown else { return }
        for slot in 0..<connections.count {
            let connection = connections[slot]
            if connection.phase == .free || connection.phase == .dead { continue }
            let patience =
                connection.phase == .handshaking
                ? limits.stopHandshakeNanoseconds : limits.stopNanoseconds
            if now.nanoseconds(since: stopBegan) >= patience {
                kill(slot)
            } else if connection.phase == .serving && connection.isAnsweredButForArriving {
                finish(slot)
            }
        }
        guard openCount == 0 else { return }
        hasBegunShutdown = true
        lane.beginShutdown(context: RequestContext.shutdown)
    }
}
