package import Units

/// A `DiskModel` that runs in real time beside a real file, and is shared by all lanes that use it.
///
/// The driver submits each operation to the file and to the model at once, and completes it when
/// both have ended: so an operation never ends before the modelled disk would have ended it.  It
/// may end later, by what the file takes longer and by the time until a lane's thread looks again.
///
/// Time is never scaled: that would scale the cost of the engine away.
///
/// Every call may come from any lane's thread and takes the lock for a few microseconds, on a path
/// that a disk of a few hundred operations a second sets the pace of.  Lanes may read the clock in
/// any order; time that is a little behind counts as the latest that was seen.
package final class ModelledDisk: DeviceModel {
    private struct Submitter: Sendable {
        /// Tickets that ended and were not taken, oldest first.
        var ended: [UInt64] = []
        var inFlightCount = 0
    }

    /// An operation in flight; its place in the table is its token in the model.
    private struct Entry: Sendable {
        var client = 0
        var ticket: UInt64 = 0
    }

    private struct State: Sendable {
        var model: DiskModel
        var clients: [Submitter] = []
        var entries: [Entry] = []
        var freeEntries: [Int] = []

        /// Lets time pass, and sorts what has ended by client.
        mutating func advance(to now: Instant) {
            model.advance(to: now)
            while let done = model.nextFinished() {
                let place = Int(done.token)
                clients[entries[place].client].ended.append(entries[place].ticket)
                freeEntries.append(place)
            }
        }
    }

    /// Names the modelled device wherever it is shown: `hdd7200 (modelled)`.
    package let label: String
    private let state: Guarded<State>

    package init(profile: DiskProfile) {
        label = profile.name
        state = Guarded(State(model: DiskModel(profile: profile)))
    }

    /// A number for one more driver; what it submits under it comes back only under it.
    package func join() -> Int {
        state.withLock { state in
            state.clients.append(Submitter())
            return state.clients.count - 1
        }
    }

    /// An operation begins.  `ticket` is the client's and unique among its operations in flight.
    package func submit(
        _ kind: Operation.Kind,
        offset: UInt64,
        byteCount: UInt64,
        ticket: UInt64,
        client: Int,
        now: Instant
    ) {
        state.withLock { state in
            state.advance(to: now)
            let entry = Entry(client: client, ticket: ticket)
            let place: Int
            if let free = state.freeEntries.popLast() {
                place = free
                state.entries[place] = entry
            } else {
                place = state.entries.count
                state.entries.append(entry)
            }
            state.clients[client].inFlightCount += 1
            state.model.submit(
                Self.modelKind(kind),
                offset: offset,
                byteCount: byteCount,
                token: UInt64(place),
                at: now
            )
        }
    }

    /// The ticket of one operation of this client that has ended by `now`; nil when there is none.
    package func nextEnded(client: Int, now: Instant) -> UInt64? {
        state.withLock { state in
            guard state.clients[client].inFlightCount > 0 else { return nil }
            state.advance(to: now)
            guard !state.clients[client].ended.isEmpty else { return nil }
            state.clients[client].inFlightCount -= 1
            return state.clients[client].ended.removeFirst()
        }
    }

    /// When to ask for this client's operations again: none of them ends before.  Nil when none is
    /// in flight.  The operation that ends then may be another client's.
    package func nextDeadline(client: Int) -> Instant? {
        state.withLock { state in
            guard state.clients[client].inFlightCount > 0 else { return nil }
            if !state.clients[client].ended.isEmpty { return Instant(nanoseconds: 0) }
            return state.model.nextEvent
        }
    }

    private static func modelKind(_ kind: Operation.Kind) -> DiskModel.Kind {
        switch kind {
        case .read: .read
        case .write: .write
        case .flush: .flush
        case .discard: .discard
        }
    }
}
