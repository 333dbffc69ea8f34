internal import Engine
internal import IO
internal import Units

// Payloads of WRITEs that are too long to wait for in the receive buffer.
//
// They are received into memory of the lane, in pieces of at most 1 MiB, and each piece goes to the
// lane as soon as it is whole: a request of up to 1 MiB is one piece and so is applied whole or not
// at all, and a client that sends 32 MiB slowly, or never, holds one such piece and not the whole.
// The request is answered when its last piece is.
//
//     acquire a piece --> fill it from the receive buffer --> receive the rest --> hand it over
//            ^                                                                         |
//            +-------------------------- until the payload is whole -------------------+
extension LaneLoop {
    /// Begins to take the payload of `request`, whose header stands at the front.
    func beginPayload(_ request: Int, _ slot: Int) {
        connections[slot].receivedStart += WireSize.request
        connections[slot].payloadRequest = Int32(request)
        connections[slot].payloadByteCount = 0
        requests[request].phase = .arriving
        statistics.requests += 1
    }

    /// Takes one step with the payload; false when nothing can be done now.
    func servePiece(_ slot: Int) -> Bool {
        if connections[slot].isReceiving { return false }
        guard let piece = payloads[slot] else { return acquirePiece(slot) }
        let missing = connections[slot].pieceByteCount - connections[slot].pieceReceived
        if missing == 0 { return handPiece(piece, slot) }
        let arrived = min(missing, connections[slot].receivedByteCount)
        guard arrived > 0 else { return false }
        let start = connections[slot].receivedStart
        let received = connections[slot].pieceReceived
        piece.region[received..<(received + arrived)].copy(
            from: receiveRegion(slot)[start..<(start + arrived)]
        )
        connections[slot].receivedStart += arrived
        connections[slot].pieceReceived += arrived
        return true
    }

    /// Gets memory for the next piece.
    private func acquirePiece(_ slot: Int) -> Bool {
        let request = Int(connections[slot].payloadRequest)
        let rest = Int(requests[request].byteCount) - connections[slot].payloadByteCount
        let byteCount = min(rest, limits.payloadPieceByteCountMax)
        guard lane.admits(.write, byteCount: byteCount),
            let piece = lane.acquirePayload(byteCount: byteCount)
        else {
            stall(slot)
            return false
        }
        payloads[slot] = piece
        connections[slot].pieceByteCount = byteCount
        connections[slot].pieceBeganAt = now
        connections[slot].pieceReceived = 0
        return true
    }

    /// Hands a whole piece to the lane; with the last one the request is in the lane.
    private func handPiece(_ piece: Payload, _ slot: Int) -> Bool {
        // A slot is all that it needs: it has its buffer.
        guard lane.admits(.flush, byteCount: 0) else {
            stall(slot)
            return false
        }
        let request = Int(connections[slot].payloadRequest)
        let handed = connections[slot].payloadByteCount
        payloads[slot] = nil
        connections[slot].payloadByteCount += connections[slot].pieceByteCount
        connections[slot].pieceByteCount = 0
        connections[slot].pieceReceived = 0
        requests[request].partCount += 1
        if connections[slot].payloadByteCount == Int(requests[request].byteCount) {
            requests[request].phase = .inLane
            connections[slot].payloadRequest = -1
        }
        lane.write(
            VolumeSlot(connections[slot].volume),
            offset: requests[request].offset + UInt64(handed),
            payload: piece,
            isDurable: requests[request].flags.contains(.forceUnitAccess),
            context: RequestContext.of(request, generation: requests[request].generation)
        )
        return true
    }

    /// Forgets a request whose payload will never be whole.  Pieces that are in the lane stay done:
    /// what was not answered may have happened.
    func dropArriving(_ slot: Int) {
        if let piece = payloads[slot] {
            lane.abandon(piece)
            payloads[slot] = nil
        }
        for request in [connections[slot].payloadRequest, connections[slot].drainRequest]
        where request >= 0 {
            if requests[Int(request)].partCount > 0 {
                requests[Int(request)].phase = .inLane
                requests[Int(request)].isDropped = true
            } else {
                free(Int(request))
            }
        }
        connections[slot].payloadRequest = -1
        connections[slot].payloadByteCount = 0
        connections[slot].pieceByteCount = 0
        connections[slot].pieceReceived = 0
        connections[slot].drainRequest = -1
        connections[slot].drainByteCount = 0
        connections[slot].receivedStart = 0
        connections[slot].receivedEnd = 0
    }
}
