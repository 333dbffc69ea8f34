internal import IO
internal import Units

/// A segment that a device refuses to read, as a whole or in part.
struct UnreadableSegment {
    /// When it last did.
    var refusedAt: Instant
    /// How often moves were refused blocks that have no other copy, by their place on the device.
    var refusals: [UInt64: Refusals] = [:]

    struct Refusals {
        var count = 0
        /// When the last of them was counted.
        var countedAt = Instant(nanoseconds: 0)
    }
}

// The only copy of a block that a device refuses to read may be readable later, so it is left where
// it is.  But it holds a whole segment, and in a full pool enough of them would leave no room for
// any write.  Where segments are short such a block is therefore taken for lost in the end, as a
// damaged one is, when it was refused again and again over a while, each time twice in a row, and
// the device gave other blocks meanwhile: it is this place that is bad, and not the device that is
// away.
//
//      refused ... refused ... refused, and segments are short  -->  poisoned
//      |   10 s    |    10 s   |
//
// A block that was given at any time is moved like any other.
extension Lane {
    /// For so long a segment that a device refused to read is no victim of reclaim.
    private static var pause: UInt64 { 60_000_000_000 }
    /// The same when segments are short; and refusals that follow sooner count as one.
    private static var shortPause: UInt64 { 10_000_000_000 }
    /// Refusals after which a block is taken for lost.
    private static var refusalMax: Int { 3 }
    /// A refusal counts when the device gave something so shortly before.
    private static var giftAge: UInt64 { 1_000_000_000 }

    /// To be called when a device gave what reclaim or a move wanted to read.
    func noteGiven(by device: DeviceIndex) { devicesGaveAt[Int(device.rawValue)] = now }

    /// Until when reclaim leaves a segment alone; nil when it need not.
    func unreadablePause(of segment: Int) -> Instant? {
        guard let one = unreadableSegments[segment] else { return nil }
        let isShort = isShort(pool.geometry(of: segment).role)
        let end = one.refusedAt.advanced(byNanoseconds: isShort ? Lane.shortPause : Lane.pause)
        return end > now ? end : nil
    }

    /// Leaves a segment that a device refused to read alone for a while.
    func leaveAlone(_ segment: Int) {
        unreadableSegments[segment, default: UnreadableSegment(refusedAt: now)].refusedAt = now
    }

    /// Leaves a block where it is, and its segment alone for a while.
    func noteUnread(_ item: MoveItem) {
        let volume = volumes[Int(item.volume)].identifier
        note("block_unreadable", "volume \(volume) offset \(item.address * 4096): device error")
        let segment = pool.slot(of: item.source)
        leaveAlone(segment)
        if !item.isGone { countRefusal(of: item.source, in: segment) }
    }

    private func countRefusal(of place: Location, in segment: Int) {
        guard let gaveAt = devicesGaveAt[Int(place.device.rawValue)],
            gaveAt.advanced(byNanoseconds: Lane.giftAge) >= now
        else { return }
        var refusals = unreadableSegments[segment]?.refusals[place.block] ?? .init()
        guard
            refusals.count == 0
                || refusals.countedAt.advanced(byNanoseconds: Lane.shortPause) <= now
        else { return }
        refusals.count += 1
        refusals.countedAt = now
        unreadableSegments[segment]?.refusals[place.block] = refusals
    }

    /// Whether a block that was refused again is taken for lost.
    func isTakenForLost(_ place: Location) -> Bool {
        let segment = pool.slot(of: place)
        let count = unreadableSegments[segment]?.refusals[place.block]?.count ?? 0
        return count >= Lane.refusalMax && isShort(pool.geometry(of: segment).role)
    }

    /// When the first of the segments that are left alone may be a victim again; nil when none is.
    var unreadableDeadline: Instant? {
        var soonest: Instant?
        for segment in unreadableSegments.keys {
            guard let end = unreadablePause(of: segment) else { continue }
            soonest = soonest.map { min($0, end) } ?? end
        }
        return soonest
    }
}
