internal import Catalogue
internal import Engine
internal import Format
internal import Units

// The atlas knows which blocks of volumes may rightly be an error (oracle O8): those of which no
// copy that the map names is as it was written.  It looks at the map after everything that a lane
// did, and so sees as well when a good copy is given up, or a block is poisoned that had one.
//
//      damage at a place --> who has a copy there? --> watched from then on
//
// What the engine may give up: a damaged copy; and, as reclaim does with what is also on disk, a
// good one on flash beside a damaged one on disk, unless the engine has read that and found it bad.

/// A block of a volume of which a copy was damaged at some time.
struct WatchedBlock {
    var volume: Int
    var block: UInt64
    var state: BlockState
    /// A copy is as it was written, or there is nothing to be copied.
    var isGood: Bool
    /// When it last had no good copy, in nanoseconds of the process; nil for never.
    var lastBadAt: UInt64?
    /// When it last had none that its device would give.
    var lastRefusedAt: UInt64?
}

final class FaultAtlas {
    let faults: [DeviceFaults]
    private let journal: Journal
    private(set) var watched: [WatchedBlock] = []
    /// Blocks that had no good copy at some time: only they may be poisoned, also after a restart.
    private var wereBad: Set<BlockName> = []
    /// Lanes that stopped changing anything since the engine was started, and whether they had to.
    private var fences: [Bool?] = []

    private struct BlockName: Hashable {
        var volume: Int
        var block: UInt64
    }
    /// Of each lane: clean copies that reclaim had dropped when it was looked at last, and those of
    /// them that had to go though the other one was in doubt.
    private var droppedCounts: [(all: UInt64, inDoubt: UInt64)] = []

    init(faults: [DeviceFaults], journal: Journal) {
        self.faults = faults
        self.journal = journal
    }

    /// New faults come from here on, or come no more.
    func arm(_ isArmed: Bool, now: UInt64) {
        for device in faults {
            device.isArmed = isArmed
            if !isArmed { device.comeBack(now: now) }
        }
    }

    /// Whether an error may be the doing of a device that was away at some moment from `since` on.
    /// Where a block was then nobody knows any more: it may have been moved since.
    func wereAway(since: UInt64) -> Bool {
        faults.contains { $0.wasAway(since: since) || $0.wasSilent(since: since) }
    }

    /// Whether a device hangs for so long that the engine notices.
    func isAnySilent(now: UInt64) -> Bool { faults.contains { $0.wasSilent(since: now) } }

    func isFlashSilent(since: UInt64) -> Bool {
        faults.contains { $0.isOfFlash && $0.wasSilent(since: since) }
    }

    /// Whether no copy of a block is good and on a device that was there all the time since, and
    /// does not refuse it: what was refused for a moment is to be asked for again.
    func wasAway(_ state: BlockState, since: UInt64, now: UInt64) -> Bool {
        let lately = now - min(now, 200_000_000)
        return [state.flash, state.disk].allSatisfy {
            !$0.isPlace || isDamaged($0)
                || faults[Int($0.device.rawValue)].isRefused(Int($0.block), now: lately)
                || faults[Int($0.device.rawValue)].wasAway(since: since)
                || faults[Int($0.device.rawValue)].wasSilent(since: since)
        }
    }

    var damagedCount: Int { faults.reduce(0) { $0 + $1.damagedCount } }

    /// A device has lost what it had said to be done.
    var hasLost: Bool { faults.contains { $0.hasLost } }

    private func isDamaged(_ location: Location) -> Bool {
        faults[Int(location.device.rawValue)].isDamaged(Int(location.block))
    }

    private func hasDamage(_ state: BlockState) -> Bool {
        state.flash.isPlace && isDamaged(state.flash) || state.disk.isPlace && isDamaged(state.disk)
    }

    private func isGood(_ state: BlockState) -> Bool {
        switch state.kind {
        case .absent, .zero: true
        case .poisoned, nil: false
        case .stored:
            state.flash.isPlace && !isDamaged(state.flash)
                || state.disk.isPlace && !isDamaged(state.disk)
        }
    }

    /// Whether a block has a copy that is as it was written, and that its device gives.
    private func isReadable(_ state: BlockState, now: UInt64) -> Bool {
        guard state.isStored else { return true }
        return [state.flash, state.disk].contains {
            $0.isPlace && !isDamaged($0)
                && !faults[Int($0.device.rawValue)].isRefused(Int($0.block), now: now)
        }
    }

    // MARK: Watching

    /// Forgets what the engine knew: it starts anew.
    func restart() {
        for device in faults { device.restart() }
        watched = []
        droppedCounts = []
        fences = []
    }

    func watch(_ volume: Int, _ block: UInt64, _ state: BlockState, now: UInt64) {
        let known = watched.firstIndex { $0.volume == volume && $0.block == block }
        if let known {
            if !isReadable(state, now: now) { watched[known].lastRefusedAt = now }
            return
        }
        let isGood = isGood(state)
        if !isGood { wereBad.insert(BlockName(volume: volume, block: block)) }
        watched.append(
            WatchedBlock(
                volume: volume,
                block: block,
                state: state,
                isGood: isGood,
                lastBadAt: isGood ? nil : now,
                lastRefusedAt: isReadable(state, now: now) ? nil : now
            )
        )
    }

    /// Watches a block of which a copy is damaged, or that was poisoned in an earlier life.
    func watchIfDamaged(_ volume: Int, _ block: UInt64, _ state: BlockState, now: UInt64) {
        if state.kind == .poisoned {
            guard wereBad.contains(BlockName(volume: volume, block: block)) else {
                return journal.report(
                    .errorHasReason,
                    "block \(block) of volume index \(volume) is poisoned, and was never damaged"
                )
            }
        } else if !hasDamage(state) {
            return
        }
        watch(volume, block, state, now: now)
    }

    /// Something is damaged, or was and may have been poisoned.
    var isNeeded: Bool { !wereBad.isEmpty || !faults.allSatisfy(\.isClean) }

    /// Takes note of lanes that stopped changing anything.
    func noteFences(_ lanes: [Lane], freeFlashSegmentCount: Int, hasCatalogueFailed: Bool) {
        if fences.count != lanes.count { fences = lanes.map { _ in nil } }
        for lane in lanes.indices where lanes[lane].isReadOnly && fences[lane] == nil {
            // Every segment that refuses a write is lost to the log until a checkpoint, and those
            // of reclaim stay.
            let wereRefused = faults.contains { $0.failedWriteCount > 0 }
            fences[lane] =
                hasCatalogueFailed
                || faults.contains {
                    $0.isOfFlash && ($0.failedFlushCount > 0 || $0.wasAway(since: 0))
                }
                || wereRefused && lanes[lane].hasAbandonedLog
                    && freeFlashSegmentCount <= lanes.count
        }
    }

    /// Whether it is right that a lane changes nothing any more.
    func mayBeFenced(_ lane: Int) -> Bool { lane < fences.count && fences[lane] == true }

    /// Looks at all watched blocks again; `look` gives a block's state, nil when it is not in
    /// memory: then it has not changed.
    func refresh(
        _ lanes: [Lane],
        now: UInt64,
        laneOf: (Int) -> Int,
        look: (WatchedBlock) -> BlockState?
    ) {
        if droppedCounts.count != lanes.count { droppedCounts = lanes.map { _ in (0, 0) } }
        for index in watched.indices {
            let old = watched[index]
            let state = look(old) ?? old.state
            let isGood = isGood(state)
            let lane = laneOf(old.volume)
            if old.isGood && !isGood {
                let (dropped, before) = (droppedCount(lanes[lane]), droppedCounts[lane])
                judge(
                    old,
                    state,
                    hasDropped: dropped.all != before.all,
                    hadTo: dropped.inDoubt != before.inDoubt
                )
            }
            watched[index].state = state
            watched[index].isGood = isGood
            if !isReadable(state, now: now) || !isReadable(old.state, now: now) {
                watched[index].lastRefusedAt = now
            }
            // One that has become good was bad until a moment ago.
            if !isGood || !old.isGood { watched[index].lastBadAt = now }
            if !isGood {
                wereBad.insert(BlockName(volume: old.volume, block: old.block))
            }
        }
        noteDropped(lanes)
    }

    /// To be called after everything that a lane did, also when nothing is watched.
    func noteDropped(_ lanes: [Lane]) { droppedCounts = lanes.map(droppedCount) }

    private func droppedCount(_ lane: Lane) -> (all: UInt64, inDoubt: UInt64) {
        (lane.statistics.blocksDropped, lane.statistics.blocksDroppedInDoubt)
    }

    /// Whether the engine has read a damaged copy and so knows; not where a device hung, as nobody
    /// looks at what it brings later.
    private func isKnownBad(_ place: Location) -> Bool {
        let device = faults[Int(place.device.rawValue)]
        return device.knownBad.contains(Int(place.block)) && !device.wasSilent(since: 0)
    }

    /// A block has no good copy any more: was that the fault's doing, or the engine's?
    private func judge(
        _ old: WatchedBlock,
        _ state: BlockState,
        hasDropped: Bool,
        hadTo: Bool
    ) {
        let before = old.state
        // The copies that it had may just have been damaged.
        guard before.isStored, isGood(before) else { return }
        guard state.isStored else { return report(old, state, "was poisoned") }
        guard state.sequence == before.sequence else { return }
        if state.disk == before.disk, state.flash.isNowhere, before.flash.isPlace {
            // A clean copy was dropped, which reclaim counts, and it was the only good one.
            if hasDropped, hadTo || !isKnownBad(state.disk) {
                return journal.met(.goodCopyDroppedUnknowing)
            }
        } else if state.flash.isPlace && state.flash != before.flash
            || state.disk.isPlace && state.disk != before.disk
        {
            // It was moved, and what was written there is not there.
            return
        }
        report(old, state, "was given up")
    }

    private func report(_ old: WatchedBlock, _ state: BlockState, _ what: String) {
        journal.report(
            .errorHasReason,
            "block \(old.block) of volume index \(old.volume) \(what) while a good copy was there: "
                + "before \(old.state), after \(state)"
        )
    }

    /// Whether a request that began at `since` may be told that the block cannot be read: devices
    /// refused its good copies at some moment since.
    func wasRefused(_ volume: Int, _ block: UInt64, since: UInt64) -> Bool {
        watched.contains { one in
            guard one.volume == volume, one.block == block else { return false }
            return one.lastRefusedAt.map { $0 >= since } ?? false
        }
    }

    /// Whether a request that began at `since` may be told that the block cannot be read, or is
    /// poisoned: it may have been so at any moment since.
    func excuses(_ volume: Int, _ block: UInt64, since: UInt64) -> Bool {
        watched.contains { one in
            guard one.volume == volume, one.block == block else { return false }
            return one.lastBadAt.map { $0 >= since } ?? false
        }
    }
}
