internal import Units

// Lanes share the free segments of their pool, and no lane sees what another one frees.
//
//      a lane finds no segment  -->  it is starved, and has the others woken: each reclaims what it
//                                    holds, and commits what it has emptied
//      a lane frees a segment   -->  it has the others woken, if any is starved
//
// A lane does not wake anybody itself: it says after a turn that others are to be woken, and
// whoever drives it sees to it.
extension Lane {
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
        defer {
            hasFoundNoSegment = false
            hasReleasedSegment = false
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
