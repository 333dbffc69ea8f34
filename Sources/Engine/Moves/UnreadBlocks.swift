internal import Format
internal import IO
internal import Units

/// A copy of a block that its device refused to give.
struct UnreadBlock {
    /// Where it is, and what the map says of it.
    var item: MoveItem
    /// The block has another copy, which is to be read.
    var hasOther = false
    /// When the other copy was read last, and was not to be had; nil for never.
    var otherAskedAt: Instant?
    /// Times that it was refused when it was asked for.
    var refusalCount = 0
    /// When it was asked for last.
    var askedAt: Instant
    /// It is not to be asked for any more: it was given, it is taken for lost, or its segment was
    /// emptied and may be another lane's.
    var isForgotten = false
}

/// The asking for unread blocks, one after the other.
struct Asking {
    enum Phase { case idle, companion, block, other }
    var phase = Phase.idle
    /// Of the block that is asked for.
    var index = 0
    /// Of that block, the copy that was not refused.
    var other = Location.nowhere
    /// The segment whose header shows that the device gives something.
    var companion = -1
    /// Since when hosts of the pool wait for a flash segment and none of them got one; nil when
    /// none waits.
    var stuckSince: Instant?
    /// Segments that hosts had got by then.
    var hostSegmentCount = 0
}

// A copy that a device refuses to read may be readable later, so it is left where it is.  What
// becomes of it when the block has another one: see OtherCopies.
//
// The only copy holds a whole segment, and in a full pool enough of them leave no room for any
// write.  When that has come, and hosts have waited for a while, the blocks are asked for again:
//
//      first the segment's header, or that of another segment if it is refused: it shows that the
//      device gives something
//      then the block, twice if it is refused
//
//      given      reclaim may take the segment again
//      refused    for the third time, each a while after the other: it is taken for lost, and
//                 poisoned as a damaged one is
//
// No more are given up than are needed: those of one segment of the pool, and of the next one only
// if hosts still wait then.
extension Lane {
    /// Unread blocks that are kept in mind; more are met again.
    private static var unreadBlockMax: Int { 4096 }
    /// As many are enough for what the scrub alone has met.
    private static var doubtMax: Int { 256 }
    /// For so long hosts wait before unread blocks are asked for, and one is left alone then.
    private static var askPause: UInt64 { 20_000_000_000 }
    /// Refusals after which a block is taken for lost.
    private static var refusalMax: Int { 3 }
    /// Refusals that are so old count no more.
    private static var refusalAgeMax: UInt64 { 300_000_000_000 }

    /// Keeps in mind the only copy of a block, which reclaim did not get.
    func noteUnread(_ item: MoveItem) {
        noteUnreadable(item)
        keepInMind(item, hasOther: false)
    }

    /// Keeps in mind that one of the copies of a block was refused.
    func noteRefusedCopy(_ item: MoveItem) { keepInMind(item, hasOther: true) }

    /// Keeps in mind that the scrub was refused the copy on disk of a block that flash has too.
    /// The one on flash is read, once more if `wasRefused`, when reclaim would do without it.
    func noteDoubt(_ item: MoveItem, wasRefused: Bool) {
        guard unreadBlocks.count < Lane.doubtMax, unreadIndex(of: item.source) == nil else {
            return
        }
        var block = UnreadBlock(item: item, askedAt: now)
        block.item.isOtherBad = true
        if wasRefused { block.otherAskedAt = now }
        unreadBlocks.append(block)
    }

    /// Which of the blocks that are kept in mind is this copy.
    func unreadIndex(of copy: Location) -> Int? {
        unreadBlocks.firstIndex { $0.item.source == copy && !$0.isForgotten }
    }

    /// Whether the other copy of a block was not read, or not lately.
    func mayAskForOther(_ index: Int) -> Bool {
        guard !unreadBlocks[index].hasOther else { return false }
        guard let askedAt = unreadBlocks[index].otherAskedAt else { return true }
        return askedAt.advanced(byNanoseconds: Lane.askPause) <= now
    }

    /// A copy was given, and is right.
    func forgetDoubt(_ copy: Location) {
        guard let index = unreadIndex(of: copy) else { return }
        unreadBlocks[index].isForgotten = true
        if asking.phase == .idle { removeForgotten() }
    }

    func noteUnreadable(_ item: MoveItem) {
        let volume = volumes[Int(item.volume)].identifier
        note("block_unreadable", "volume \(volume) offset \(item.address * 4096): device error")
    }

    /// Leaves a copy's segment alone for a while.
    private func keepInMind(_ item: MoveItem, hasOther: Bool) {
        guard item.purpose != .promote else { return }
        leaveAlone(pool.slot(of: item.source))
        guard !item.isGone else { return }
        if hasOther { hasProgressed = true }
        if unreadIndex(of: item.source) != nil {
            if hasOther { askForOtherAgain(of: item.source) }
        } else if unreadBlocks.count < Lane.unreadBlockMax {
            unreadBlocks.append(UnreadBlock(item: item, hasOther: hasOther, askedAt: now))
        }
    }

    /// Ends a turn: looks whether hosts of the pool wait in vain.
    func noteWaitingHosts() {
        let areThere = !stalledWrites.isEmpty || !waitingSteps.isEmpty
        let goOn = hostsWait && waitedForRecord == host.nextNumber
        let wait = areThere && (hasFoundNoSegment || goOn)
        if wait { waitedForRecord = host.nextNumber }
        if wait != hostsWait {
            hostsWait = wait
            pool.noteWaitingHosts(wait)
            if wait { wakesOthers = true }
        }
        let count = pool.hostSegmentCount
        if !pool.hasWaitingHosts {
            asking.stuckSince = nil
        } else if asking.stuckSince == nil || count != asking.hostSegmentCount {
            asking.stuckSince = now
        }
        asking.hostSegmentCount = count
    }

    /// When the next block is to be asked for; nil when none is.
    var askDeadline: Instant? {
        guard let since = asking.stuckSince, asking.phase == .idle, !shutdown.isQuiet,
            let first = unreadBlocks.filter({ !$0.hasOther }).map(\.askedAt).min()
        else { return nil }
        return max(since, first).advanced(byNanoseconds: Lane.askPause)
    }

    /// Asks for the next block, if it is time.
    func askForUnread() {
        guard !isReadOnly, asking.phase == .idle, operations.spareCount > 0 else { return }
        if !unreadBlocks.isEmpty, !shutdown.isQuiet, asksForOther() { return }
        guard let deadline = askDeadline, deadline <= now, let index = nextAsked() else { return }
        asking.index = index
        asking.phase = .companion
        askForHeader(of: pool.slot(of: unreadBlocks[index].item.source))
    }

    private func askForHeader(of segment: Int) {
        asking.companion = segment
        let address = pool.address(of: segment)
        let header = pool.geometry(of: segment).firstBlock(of: address.index)
        ask(for: Location(device: address.device, block: header), in: segment)
    }

    /// Another sealed segment on a segment's device; nil when there is none.
    private func neighbour(of segment: Int) -> Int? {
        let device = pool.address(of: segment).device
        return (sealedSegments[0] + sealedSegments[1]).first {
            $0 != segment && pool.address(of: $0).device == device
        }
    }

    /// To be called when nothing of a segment is live any more.
    func forgetUnread(in segment: Int) {
        unreadableSegments[segment] = nil
        for index in unreadBlocks.indices
        where pool.slot(of: unreadBlocks[index].item.source) == segment {
            unreadBlocks[index].isForgotten = true
        }
        if asking.phase == .idle { removeForgotten() }
    }

    /// Only while none is asked for: until then each stays where `asking` knows it.
    func removeForgotten() {
        unreadBlocks.removeAll { $0.isForgotten }
    }

    /// Of the blocks whose time has come, one in the segment that is emptied soonest.
    private func nextAsked() -> Int? {
        var best: Int?
        var least = UInt32.max
        for (index, block) in unreadBlocks.enumerated()
        where !block.hasOther
            && block.askedAt.advanced(byNanoseconds: Lane.askPause) <= now
        {
            let live = pool.segments[pool.slot(of: block.item.source)].liveBlockCount
            guard live < least else { continue }
            least = live
            best = index
        }
        return best
    }

    func ask(for place: Location, in segment: Int) {
        beginReading(segment)
        operations.submit(
            .read,
            at: (place.device, place.block),
            blockCount: 1,
            region: askArena.region,
            for: OperationSlot(
                owner: .ask,
                ownerIndex: 0,
                firstBlock: 0,
                blockCount: 1,
                segment: Int32(segment)
            )
        )
    }

    /// The device answered, for a refused block the second time.
    func completeAsk(_ result: OperationResult, isSound: Bool) {
        if asking.phase == .other { return completeOther(result, isSound: isSound) }
        let block = unreadBlocks[asking.index]
        let own = pool.slot(of: block.item.source)
        if asking.phase == .companion && !block.isForgotten {
            if result == .done {
                asking.phase = .block
                return ask(for: block.item.source, in: own)
            }
            if result == .mediaError, asking.companion == own, let other = neighbour(of: own) {
                return askForHeader(of: other)
            }
        }
        let isAnswer = asking.phase == .block && !block.isForgotten && result != .deviceLost
        asking.phase = .idle
        hasProgressed = true
        unreadBlocks[asking.index].askedAt = now
        if isAnswer && result == .done {
            // What it gave, the next move looks at.
            unreadBlocks[asking.index].isForgotten = true
            unreadableSegments[own] = nil
        } else if isAnswer && asking.stuckSince != nil && !pool.hasReadOnlyLanes {
            countRefusal(asking.index, in: own, after: block.askedAt)
        }
        removeForgotten()
    }

    private func countRefusal(_ index: Int, in segment: Int, after askedAt: Instant) {
        if askedAt.advanced(byNanoseconds: Lane.refusalAgeMax) < now {
            unreadBlocks[index].refusalCount = 0
        }
        unreadBlocks[index].refusalCount += 1
        guard unreadBlocks[index].refusalCount >= Lane.refusalMax,
            isShort(pool.geometry(of: segment).role), poisons.count < Lane.poisonMax,
            pool.mayGiveUp(segment, at: now, for: Lane.askPause)
        else { return }
        unreadBlocks[index].isForgotten = true
        var lost = unreadBlocks[index].item
        lost.isTakenForLost = true
        poisons.append(lost)
        unreadableSegments[segment] = nil
    }
}
