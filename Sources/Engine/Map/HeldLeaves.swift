internal import Units

// A change needs its leaves in memory at one moment, two of them when it crosses from one to the
// next.  Where many wait and few leaves fit, each could evict what another has just been given, for
// ever.  So the oldest change that is not in the log keeps those that it has: it goes on, and then
// another one is the oldest.

/// The leaves that the oldest change keeps in memory, by their keys: a leaf that turns out damaged
/// goes all the same.
struct HeldLeaves {
    /// -1 when none are held.
    var request: Int32 = -1
    var volume: UInt32 = 0
    var first: UInt64 = 0
    var last: UInt64 = 0
}

extension Lane {
    /// Keeps the leaves of a part that are in memory or on their way, if its request is the oldest.
    func holdLeaves(of part: ChangePart, for request: Int) {
        guard unlogged.first == Int32(request) else { return }
        releaseHeldLeaves(of: held.request)
        held = HeldLeaves(
            request: Int32(request),
            volume: UInt32(part.volume),
            first: part.first / UInt64(Geometry.blocksPerLeaf),
            last: (part.end - 1) / UInt64(Geometry.blocksPerLeaf)
        )
        for leaf in held.first...held.last {
            if let slot = leaves.find(volume: held.volume, index: leaf) {
                leaves.entries[slot].isHeld = true
            }
        }
    }

    /// Lets the leaves of a request go, if it holds any.
    func releaseHeldLeaves(of request: Int32) {
        guard request >= 0, held.request == request else { return }
        held.request = -1
        for leaf in held.first...held.last {
            if let slot = leaves.find(volume: held.volume, index: leaf) {
                leaves.entries[slot].isHeld = false
            }
        }
    }
}
