internal import Units

// Lanes share the free segments of their pool, and no lane sees what another one frees.
//
//      a lane finds no segment  -->  it is starved, and has the others woken: each reclaims what it
//                                    holds, and commits what it has emptied
//      a lane frees a segment   -->  it has the others woken, if any is starved
//
// A lane does not wake anybody itself: it says after a turn that others are to be woken, and
// whoever drives it sees to it.
//
// A lane that has become read-only frees nothing any more.  Beside it others may wait for ever:
// after a while they refuse what waits for a segment, until there is one.
extension Lane {
    /// Nanoseconds that changes wait in vain beside a read-only lane.
    private static var patienceBesideReadOnly: UInt64 { 30_000_000_000 }

    /// When what waits for a segment is refused; nil when it is not.
    var refusalDeadline: Instant? {
        guard hostsWait, !isReadOnly, pool.hasReadOnlyLanes, let since = asking.stuckSince else {
            return nil
        }
        if refusedAtCount == pool.hostSegmentCount { return now }
        return since.advanced(byNanoseconds: Lane.patienceBesideReadOnly)
    }

    /// Refuses what waits for a segment in vain.
    private func refuseVainWaits() {
        guard let deadline = refusalDeadline, deadline <= now,
            hostLacksSegment || stepLacksSegment
        else { return }
        if refusedAtCount != pool.hostSegmentCount {
            note(
                "changes_refused",
                "lane \(index.rawValue): no flash segment comes free while another lane is "
                    + "read-only; restart when its cause is mended"
            )
        }
        refusedAtCount = pool.hostSegmentCount
        hasProgressed = true
        if hostLacksSegment {
            while let request = popFirst(of: &stalledWrites) { finish(request, .readOnly) }
        }
        guard stepLacksSegment else { return }
        for step in waitingSteps { finish(step.request, .readOnly) }
        waitingSteps.removeAll()
    }

    /// Whether the other lanes of the pool are to take a turn soon.  To be asked after each turn.
    package func takeWake() -> Bool {
        defer { wakesOthers = false }
        return wakesOthers && !Mutant.lanesNotWoken.isOn
    }

    /// To be called when something that was to be done found no segment.
    func noteNoSegment() { hasFoundNoSegment = true }

    /// Gives a segment back to the pool.
    func releaseSegment(_ segment: Int) {
        pool.releaseSegment(segment)
        hasReleasedSegment = true
    }

    /// Ends a turn: compares what it found with what the one before did.
    func noteStarvation() {
        noteWaitingHosts()
        refuseVainWaits()
        defer {
            hasFoundNoSegment = false
            hasReleasedSegment = false
            hostLacksSegment = false
            stepLacksSegment = false
        }
        guard pool.laneCount > 1 else { return }
        if hasFoundNoSegment != isStarved {
            isStarved = hasFoundNoSegment
            pool.noteStarved(isStarved)
            if isStarved {
                wakesOthers = true
                // A segment that came free before the pool knew of this lane woke nobody.
                hasProgressed = true
            }
        }
        if hasReleasedSegment && pool.hasStarvedLanes { wakesOthers = true }
    }
}
