package import Units

/// A lane that stops: no new requests, what is in it is finished, a checkpoint is committed.
struct ShutdownState {
    enum Stage: Int { case serving, finishing, quiescing, checkpointing, ended }
    var stage = Stage.serving
    var request = -1
    /// Checkpoints begun when the last one was asked for.
    var checkpointsBefore: UInt64 = 0

    /// The pool knows that this lane's hosts wait for nothing.
    var isNoted = false

    var isBegun: Bool { stage != .serving }
    /// No host waits for anything: background work comes to an end.
    var isQuiet: Bool { stage.rawValue >= Stage.quiescing.rawValue }
}

extension Lane {
    /// Begins to stop.  The request finishes when all is durable and the catalogue says so.
    package func beginShutdown(context: UInt64) {
        let request = begin(.shutDown, VolumeSlot(0), offset: 0, byteCount: 0, context: context)
        shutdown.stage = .finishing
        shutdown.request = request
        hasProgressed = true
    }

    /// Goes on with stopping.  Reclaim and checkpoints run as ever until the last request of a host
    /// of any lane is finished: a write may wait for the segments that they free.
    func runShutdown() {
        guard shutdown.isBegun, shutdown.request >= 0 else { return }
        if isReadOnly { return endReadOnly() }
        switch shutdown.stage {
        case .serving, .ended: return
        case .finishing:
            guard unfinishedCount == 1 else { return }
            noteQuietLane()
            guard pool.areAllLanesQuiet else { return }
            shutdown.stage = .quiescing
            hasProgressed = true
        case .quiescing:
            dropQueuedMoves()
            if openHostRecord >= 0 { closeHostRecord() }
            guard hostQueue.isEmpty, !hasMovesInFlight, !flashReclaim.isReading,
                !diskReclaim.isReading, !isScrubReading, checkpoint.phase == .idle
            else { return }
            shutdown.stage = .checkpointing
            shutdown.checkpointsBefore = statistics.checkpoints
            hasProgressed = true
        case .checkpointing:
            // What a device owes goes to memory that ends with the lane.
            guard checkpoint.phase == .idle, statistics.checkpoints > shutdown.checkpointsBefore,
                catalogueAwaited.isEmpty, operations.inFlightCount == 0
            else { return }
            shutdown.stage = .ended
            finish(shutdown.request, .done)
            shutdown.request = -1
        }
    }

    /// Tells the pool, once, that no host of this lane waits for anything.
    private func noteQuietLane() {
        guard !shutdown.isNoted else { return }
        shutdown.isNoted = true
        pool.noteQuiet()
        if pool.areAllLanesQuiet { wakesOthers = true }
    }

    /// The lane will never run: those that stop do not wait for it.
    package func noteNeverRun() { noteQuietLane() }

    /// A lane that changes nothing any more has nothing to commit.
    private func endReadOnly() {
        noteQuietLane()
        guard operations.inFlightCount == 0, catalogueAwaited.isEmpty else { return }
        shutdown.stage = .ended
        finish(shutdown.request, .readOnly)
        shutdown.request = -1
    }

    /// Forgets moves that are not on their way to a device: their sources stay.
    private func dropQueuedMoves() {
        for move in 0..<moves.count where moves[move].phase == .ready { endMove(move) }
        for candidate in promotions + keeps + demotions + relocations {
            endMoving(candidate.volume, candidate.leaf, candidate.chunk)
        }
        promotions.removeAll()
        keeps.removeAll()
        demotions.removeAll()
        relocations.removeAll()
    }

    /// What rests after a device refused something, and may go on later.
    private func considerRests(_ consider: (Instant) -> Void) {
        for tier in 0..<2 where movesRestUntil[tier] > now { consider(movesRestUntil[tier]) }
        if let deadline = askDeadline { consider(deadline) }
        if let deadline = searchDeadline { consider(deadline) }
        guard !unreadableSegments.isEmpty, isShort(.flash) || isShort(.disk) else { return }
        if let deadline = unreadableDeadline { consider(deadline) }
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
        consider(silenceDeadline)
        if !isReadOnly { considerRests(consider) }
        if let end = log.waitsUntil, end > now { consider(end) }
        if let end = refusalDeadline, end > now { consider(end) }
        consider(checkpointDeadline)
        consider(scrubDeadline)
        if !stalledWrites.isEmpty && admissionGate > now { consider(admissionGate) }
        return soonest
    }
}
