internal import Units

/// What waits for the catalogue's thread, and the rule by which the next is chosen.
///
/// A lane's requests are carried out in the order in which they came.  Beyond that loads go first,
/// since a client may wait for one, and everything else goes in order of arrival.  What stands at
/// the front is passed over by at most `passesMax` loads, so that it cannot starve.
struct CatalogueQueue {
    typealias ControlWork = @Sendable (Catalogue) -> Void

    enum Work {
        case load(LaneIndex, LeafKey)
        case commit(LaneIndex, CheckpointImage)
        case control(ControlWork)
        /// Move the log into the database.
        case moveLog
        /// Close the catalogue and end the thread.
        case stop
    }

    /// Loads that may overtake what stands at the front.
    static var passesMax: Int { 64 }

    private var waiting: [Work] = []
    private var passCount = 0
    /// Set by `stop`; nothing is taken afterwards.
    private(set) var isStopping = false

    /// Puts `work` at the end; false when the queue is stopping and does not take it.
    mutating func append(_ work: Work) -> Bool {
        guard !isStopping else { return false }
        if case .stop = work { isStopping = true }
        waiting.append(work)
        return true
    }

    /// Puts the care for the log before everything else but loads, once.
    mutating func insertMoveLog() {
        if case .moveLog? = waiting.first { return }
        waiting.insert(.moveLog, at: 0)
        passCount = 0
    }

    /// Takes what is to be done next; nil when nothing waits.
    mutating func next() -> Work? {
        if waiting.isEmpty { return nil }
        if passCount < CatalogueQueue.passesMax, let place = placeOfLoad(busy: nil) {
            if place > 0 { passCount += 1 }
            return waiting.remove(at: place)
        }
        passCount = 0
        return waiting.removeFirst()
    }

    /// Takes a load that may be carried out while a commit of `lane` is under way.
    mutating func nextLoad(besideCommitOf lane: LaneIndex) -> (lane: LaneIndex, key: LeafKey)? {
        guard let place = placeOfLoad(busy: lane), case .load(let lane, let key) = waiting[place]
        else { return nil }
        waiting.remove(at: place)
        return (lane, key)
    }

    /// Puts a load back that was taken and not carried out.
    mutating func putBack(_ key: LeafKey, of lane: LaneIndex) {
        waiting.insert(.load(lane, key), at: 0)
    }

    /// The place of the oldest load before which no request of its own lane stands.
    private func placeOfLoad(busy: LaneIndex?) -> Int? {
        var busyLanes: Set<LaneIndex> = []
        if let busy { busyLanes.insert(busy) }
        for (place, work) in waiting.enumerated() {
            switch work {
            case .load(let lane, _): if !busyLanes.contains(lane) { return place }
            case .commit(let lane, _): busyLanes.insert(lane)
            case .control, .moveLog, .stop: continue
            }
        }
        return nil
    }
}
