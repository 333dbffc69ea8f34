package import Catalogue
internal import Format
internal import Units

/// What is known of a tier's scrub in one lane.
package struct ScrubFigures: Sendable {
    package var row: ScrubRow
    /// Blocks that a full pass looks at, about.
    package var liveBlockCount: UInt64
    /// Of the pass under way, since the pool was opened: blocks, and nanoseconds since the first.
    package var sessionBlockCount: UInt64
    package var sessionNanoseconds: UInt64

    package init(
        row: ScrubRow,
        liveBlockCount: UInt64 = 0,
        sessionBlockCount: UInt64 = 0,
        sessionNanoseconds: UInt64 = 0
    ) {
        self.row = row
        self.liveBlockCount = liveBlockCount
        self.sessionBlockCount = sessionBlockCount
        self.sessionNanoseconds = sessionNanoseconds
    }
}

// When slices are due, what of the scrub is stored, and what administrators may ask of it.
extension Lane {
    /// Of the time that a pass may take, what the scrub aims at, in percent; the rest is for
    /// waiting until hosts are idle.
    private static var aimPercent: UInt64 { 80 }

    var isScrubReading: Bool { scrubs[0].operationCount > 0 || scrubs[1].operationCount > 0 }

    private func hasDevices(_ tier: Int) -> Bool { pool.segmentCount(scrubs[tier].role) > 0 }

    func isScrubbing(_ tier: Int) -> Bool {
        hasDevices(tier) && !scrubs[tier].row.isPaused && !isReadOnly && !shutdown.isBegun
    }

    // MARK: Pace

    /// Takes note of what hosts have asked for since the last turn.
    func noteHosts() {
        guard statistics.requests != scrubSawRequests || unfinishedCount > 0 else { return }
        scrubSawRequests = statistics.requests
        hostsActiveUntil = now.advanced(byNanoseconds: configuration.scrub.hostPause)
    }

    /// When the next slice of a tier may begin; nil when none is to.
    func sliceDue(_ tier: Int) -> Instant? {
        guard scrubs[tier].phase == .idle, isScrubbing(tier) else { return nil }
        let isBusy = now < hostsActiveUntil
        let count = scrubs[tier].sliceCount
        let look = tier == 0 ? mirror.look : nil
        // The mirror is no part of what a pass is spread over: it is read at once.
        if scrubs[tier].row.isAsked || look != nil {
            let block = configuration.scrub.block(scrubs[tier].role, isBusy: isBusy)
            let due = scrubs[tier].sliceEndedAt.advanced(
                byNanoseconds: block * UInt64(max(1, count))
            )
            return look.map { max(due, $0.due) } ?? due
        }
        let due = scrubs[tier].due
        guard isBusy else { return due }
        // It waits for a quiet moment, but not for ever.
        let wait = nanoseconds(forBlocks: count, tier) / 4
        return min(due.advanced(byNanoseconds: wait), max(due, hostsActiveUntil))
    }

    /// When `turn` is needed for the scrub at the latest.
    var scrubDeadline: Instant? {
        switch (sliceDue(0), sliceDue(1)) {
        case (let flash?, let disk?): min(flash, disk)
        case (let flash?, nil): flash
        case (nil, let disk): disk
        }
    }

    /// The share of a pass that blocks take.
    private func nanoseconds(forBlocks count: Int, _ tier: Int) -> UInt64 {
        let aim = configuration.scrub.pass(scrubs[tier].role) / 100 * Lane.aimPercent
        return aim / max(1, scrubs[tier].liveBlockCount) * UInt64(max(1, count))
    }

    /// Counts the live blocks of a tier, now and then: the sum of its segments' counts.
    func countLive(_ tier: Int) {
        if let at = scrubs[tier].countedAt, now.nanoseconds(since: at) < 60_000_000_000 { return }
        var live: UInt64 = 0
        let open = tier == 0 ? [host.segment, mature.segment] : [cold.segment]
        for segment in sealedSegments[tier] + open where segment >= 0 {
            live += UInt64(pool.segments[segment].liveBlockCount)
        }
        scrubs[tier].liveBlockCount = live
        scrubs[tier].countedAt = now
    }

    /// The slice is done with: its place is where a restart goes on.
    func endSlice(_ tier: Int) {
        let count = scrubs[tier].items.count
        if !unreadBlocks.isEmpty {
            for item in scrubs[tier].items where item.outcome == .good {
                forgetDoubt(item.location)
            }
        }
        scrubs[tier].row.tree = scrubs[tier].nextTree
        scrubs[tier].row.leaf = scrubs[tier].nextLeaf
        scrubs[tier].row.block = scrubs[tier].nextBlock
        scrubs[tier].row.counts.verified += UInt64(count)
        scrubs[tier].sessionBlockCount += UInt64(count)
        statistics.blocksScrubbed += UInt64(count)
        scrubs[tier].isChanged = true
        rest(tier, behind: count)
        if now.nanoseconds(since: scrubs[tier].storedAt) >= configuration.scrub.storeInterval {
            checkpoint.isWanted = true
        }
    }

    /// A slice of the mirror was read.
    func endSliceOfMirror() { rest(0, behind: mirror.look?.blockCount ?? 0) }

    private func rest(_ tier: Int, behind count: Int) {
        scrubs[tier].phase = .idle
        scrubs[tier].sliceCount = count
        scrubs[tier].sliceEndedAt = now
        scrubs[tier].due = now.advanced(byNanoseconds: nanoseconds(forBlocks: count, tier))
        hasProgressed = true
    }

    /// Every copy was looked at.  The next pass begins so late that a pool with little in it is not
    /// read again and again.
    func endPass(_ tier: Int) {
        var row = scrubs[tier].row
        row.passCount += 1
        row.endedSeconds = wallSeconds
        row.lastCounts = row.counts
        row.counts = ScrubCounts()
        row.begunSeconds = 0
        row.isAsked = false
        scrubs[tier].row = row
        let aim = configuration.scrub.pass(row.role) / 100 * Lane.aimPercent
        let soonest = scrubs[tier].passBeganAt.advanced(byNanoseconds: aim)
        rewind(tier)
        scrubs[tier].due = max(now.advanced(byNanoseconds: configuration.scrub.delay), soonest)
        // The end of a pass is worth keeping.
        checkpoint.isWanted = true
    }

    /// The next slice is the first one.
    private func rewind(_ tier: Int) {
        scrubs[tier].row.tree = TreeIdentifier(0)
        scrubs[tier].row.leaf = 0
        scrubs[tier].row.block = 0
        goBack(tier)
        // A slice that is being read belongs to the pass that ends here.
        let isIdle = scrubs[tier].phase == .idle || scrubs[tier].phase == .waiting
        scrubs[tier].isDropped = !isIdle
        if isIdle {
            scrubs[tier].items.removeAll(keepingCapacity: true)
            scrubs[tier].sliceCount = 0
        }
        if tier == 0 { mirror.look = nil }
        scrubs[tier].sessionBlockCount = 0
        scrubs[tier].isChanged = true
    }

    private func goBack(_ tier: Int) {
        scrubs[tier].nextTree = scrubs[tier].row.tree
        scrubs[tier].nextLeaf = scrubs[tier].row.leaf
        scrubs[tier].nextBlock = scrubs[tier].row.block
    }

    // MARK: Storing

    /// Goes on where the last checkpoint left the scrubs.
    func openScrubs(_ rows: [ScrubRow]) {
        for tier in 0..<2 {
            let role = scrubs[tier].role
            scrubs[tier].row = ScrubRow(lane: index, role: role)
            if !Mutant.scrubForgetsProgress.isOn,
                let row = rows.first(where: { $0.lane == index && $0.role == role })
            {
                scrubs[tier].row = row
            }
            goBack(tier)
            scrubs[tier].due = now.advanced(byNanoseconds: configuration.scrub.delay)
            scrubs[tier].passBeganAt = now
            scrubs[tier].storedAt = now
        }
    }

    /// What the checkpoint that begins is to store.
    func takeScrubRows() -> [ScrubRow] {
        var rows: [ScrubRow] = []
        for tier in 0..<2 where scrubs[tier].isChanged {
            scrubs[tier].isChanged = false
            scrubs[tier].storedAt = now
            rows.append(scrubs[tier].row)
        }
        return rows
    }

    // MARK: What administrators ask

    /// Goes on with a scrub that was paused; else begins a full pass of both tiers now, faster than
    /// by itself.  One that was asked for already goes on.
    package func startScrub() {
        for tier in 0..<2 {
            let wasPaused = scrubs[tier].row.isPaused
            scrubs[tier].row.isPaused = false
            scrubs[tier].isChanged = true
            if wasPaused || scrubs[tier].row.isAsked { continue }
            scrubs[tier].row.isAsked = true
            scrubs[tier].row.begunSeconds = 0
            scrubs[tier].row.counts = ScrubCounts()
            rewind(tier)
            scrubs[tier].countedAt = nil
        }
        checkpoint.isWanted = true
        hasProgressed = true
    }

    /// Stops the scrub of both tiers, also behind a restart, until it is started.
    package func pauseScrub() {
        for tier in 0..<2 {
            scrubs[tier].row.isPaused = true
            scrubs[tier].isChanged = true
        }
        checkpoint.isWanted = true
        hasProgressed = true
    }

    /// Of flash and of disk.
    package var scrubFigures: [ScrubFigures] {
        for tier in 0..<2 { countLive(tier) }
        return scrubs.map { scrub in
            ScrubFigures(
                row: scrub.row,
                liveBlockCount: scrub.liveBlockCount,
                sessionBlockCount: scrub.sessionBlockCount,
                sessionNanoseconds: scrub.sessionBlockCount == 0
                    ? 0 : now.nanoseconds(since: scrub.passBeganAt)
            )
        }
    }
}
