package import Units

/// A lane that stops: no new requests, what is in it is finished, a checkpoint is committed.
struct ShutdownState {
    var isBegun = false
    var request = -1
    /// Nothing is in flight any more, and a checkpoint is to cover all of it.
    var needsCheckpoint = false
    /// Checkpoints ended when the last one was asked for.
    var checkpointsBefore: UInt64 = 0
}

extension Lane {
    /// Begins to stop.  The request finishes when all is durable and the catalogue says so.
    package func beginShutdown(context: UInt64) {
        let request = begin(.shutDown, VolumeSlot(0), offset: 0, byteCount: 0, context: context)
        shutdown.isBegun = true
        shutdown.request = request
        while let change = popFirst(of: &conflicted) { append(change, to: &stalledWrites) }
        dropQueuedMoves()
    }

    /// Forgets moves that have not begun.
    private func dropQueuedMoves() {
        for move in 0..<moves.count where moves[move].phase == .ready {
            endMove(move)
            hasProgressed = true
        }
        for candidate in promotions + keeps + demotions + relocations {
            endMoving(candidate.volume, candidate.leaf, candidate.chunk)
        }
        promotions.removeAll()
        keeps.removeAll()
        demotions.removeAll()
        relocations.removeAll()
    }

    func runShutdown() {
        guard shutdown.isBegun, shutdown.request >= 0 else { return }
        let request = shutdown.request
        if isReadOnly {
            guard operations.inFlightCount == 0, catalogueAwaited.isEmpty else { return }
            shutdown.request = -1
            return finish(request, .readOnly)
        }
        if openHostRecord >= 0 && records[openHostRecord].entryCount == 0 { closeHostRecord() }
        if requestsInUse > 1 + finished.count || !stalledWrites.isEmpty || flushWaiters.first >= 0
            || !hostQueue.isEmpty
            || hasMovesInFlight || flashReclaim.isReading || diskReclaim.isReading
        {
            dropQueuedMoves()
            return
        }
        if !shutdown.needsCheckpoint {
            guard checkpoint.phase == .idle else { return }
            shutdown.needsCheckpoint = true
            shutdown.checkpointsBefore = statistics.checkpoints
            runCheckpoint()
            return
        }
        guard checkpoint.phase == .idle, statistics.checkpoints > shutdown.checkpointsBefore,
            catalogueAwaited.isEmpty
        else { return }
        shutdown.needsCheckpoint = false
        shutdown.request = -1
        finish(request, .done)
    }

    /// When `turn` is to be called again at the latest; nil when only an event can change anything.
    package var nextDeadline: Instant? {
        if hasProgressed { return now }
        var soonest: Instant?
        func consider(_ deadline: Instant?) {
            guard let deadline else { return }
            soonest = soonest.map { min($0, deadline) } ?? deadline
        }
        consider(markDeadline)
        consider(checkpointDeadline)
        if !stalledWrites.isEmpty && admissionGate > now { consider(admissionGate) }
        return soonest
    }
}
