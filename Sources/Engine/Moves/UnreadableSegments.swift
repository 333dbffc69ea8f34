internal import Units

// Segments of which a device refused to read something are no victims of reclaim for a while: what
// was refused may be readable later, and others can be emptied meanwhile.
extension Lane {
    private static var unreadablePause: UInt64 { 60_000_000_000 }
    /// The same when hosts wait.
    private static var shortPause: UInt64 { 10_000_000_000 }

    func leaveAlone(_ segment: Int) {
        let state = pool.segments[segment]
        guard state.lane == index, state.use == .sealed else { return }
        unreadableSegments[segment] = now
    }

    /// Until when reclaim leaves a segment alone; nil when it need not.
    func unreadablePause(of segment: Int) -> Instant? {
        guard let refusedAt = unreadableSegments[segment] else { return nil }
        let pause = asking.stuckSince == nil ? Lane.unreadablePause : Lane.shortPause
        let end = refusedAt.advanced(byNanoseconds: pause)
        return end > now ? end : nil
    }

    /// When the first of the segments that are left alone may be a victim again; nil when none is.
    var unreadableDeadline: Instant? {
        // The least of them, whichever comes first out of the dictionary.
        var soonest: Instant?
        for segment in unreadableSegments.keys {
            guard let end = unreadablePause(of: segment) else { continue }
            soonest = soonest.map { min($0, end) } ?? end
        }
        return soonest
    }
}
