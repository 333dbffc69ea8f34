package import IO

// After a crash each request is there or not, and every block that is read says something about
// some requests: those whose effect it shows, or that lie under what it shows, are in; those that
// would lie over it are out.  When all blocks with more than one version were read, every request
// is known, and the order of requests is checked as a whole.  From then on the volume is what was
// read, durably: recovery made it so.

extension ReferenceVolume {
    /// The engine is gone.
    ///
    /// - Parameters:
    ///   - isPowerCut: volatile writes are lost too.
    ///   - wasFenced: a lane had stopped changing anything, and left requests without an answer of
    ///     which zeros do not tell whether they were done.
    ///   - wasServed: recovery had succeeded since the last crash, so that what it left is durable.
    package func crash(isPowerCut: Bool, wasServed: Bool, wasFenced: Bool = false) {
        if wasFenced { hasUnclearSpace = true }
        if !isUnsettled {
            keepsAcknowledged = !isPowerCut
        } else if isPowerCut && !wasServed {
            keepsAcknowledged = false
        }
        isUnsettled = true
        openReads = []
    }

    /// Blocks that must be read to settle the volume, in order of address.
    package var unsettledBlocks: [UInt64] { listed.sorted() }

    /// Blocks in which anything was ever written, in order of address.
    package var knownBlocks: [UInt64] {
        var known: [UInt64] = []
        for page in pages {
            for position in 0..<512 where page.blocks[position].isInUse {
                known.append(page.leaf * 512 + UInt64(position))
            }
        }
        return known.sorted()
    }

    /// Whether the request must be there after the crash.
    private func isOwed(_ order: UInt64) -> Bool {
        guard let known = request(order) else { return true }
        return known.isDurable || keepsAcknowledged && known.isAcknowledged
    }

    /// Takes note of what recovery made of the size.
    package func observe(byteCount found: UInt64) {
        let resizes = openRequests.filter { $0.newByteCount != nil && !$0.isRefused }
        let sizes = [byteCount] + resizes.compactMap(\.newByteCount)
        let owed = (resizes.lastIndex { isOwed($0.order) }).map { $0 + 1 } ?? 0
        // Several may have given it the same size.
        let matching = sizes.indices.filter { $0 >= owed && sizes[$0] == found }
        guard let least = matching.first, let most = matching.last else {
            journal.report(
                .prefix,
                "volume \(number) has \(found) bytes after a crash, not \(sizes[owed])"
            )
            return
        }
        for (index, known) in resizes.enumerated() {
            withRequest(known.order) { request in
                if index < least { request.isSeenIn = true }
                if index >= most { request.isSeenOut = true }
            }
        }
        byteCount = found
    }

    /// Takes note of what a block holds after the crash; nil for a hole.
    package func observe(block: UInt64, found: BufferRegion?) {
        let history = history(of: block)
        let matching = (0...history.patches.count).filter { end in
            !choices(history, block, before: end, part: 0..<4096, found: found).isEmpty
        }
        let owed = (history.patches.lastIndex { isOwed($0.order) }).map { $0 + 1 } ?? 0
        if matching.isEmpty, history.base == .lost, !isForeign(found, block) {
            return takeBack(block, found: found)
        }
        guard let least = matching.first, let most = matching.last, most >= owed else {
            return reportLoss(block, owed: owed, matching: matching, found: found)
        }
        for (index, patch) in history.patches.enumerated() {
            withRequest(patch.order) { request in
                if index < least { request.isSeenIn = true }
                if index >= most { request.isSeenOut = true }
            }
        }
        let claim = history.claim(before: most)
        let isAmbiguous =
            least < most
            && (claim == .unknown || matching.contains { history.claim(before: $0) != claim })
        if isAmbiguous { journal.met(.crashLeftEqualVersions) }
        withBlock(block) { history in
            history.patches.removeLast(history.patches.count - most)
            if isAmbiguous && found?.isZero ?? true { history.isUnclear = true }
        }
    }

    /// Takes note that no copy of a block can be read after the crash: which version it is stays
    /// unknown until it is written anew.
    package func observeLost(block: UInt64) {
        let isNew = withBlock(block) { history -> Bool in
            history.patches = []
            history.base = .lost
            history.isUnclear = false
            defer { history.isListed = true }
            return !history.isListed
        }
        if isNew { listed.append(block) }
    }

    /// Whether a sector has the stamp of another place.
    func isForeign(_ found: BufferRegion?, _ block: UInt64) -> Bool {
        guard let found else { return false }
        return (0..<8).contains { sector in
            let stamp = SectorStamp(reading: found.bytes, at: sector * 512, seed: seed)
            return stamp.map { $0.volume != number || $0.sector != block * 8 + UInt64(sector) }
                ?? false
        }
    }

    /// A block that could not be read after a crash can be after another: a copy that was made of
    /// it meanwhile was damaged, and the crash has brought the map back to the one before.
    private func takeBack(_ block: UInt64, found: BufferRegion?) {
        withBlock(block) { history in
            history.patches = []
            history.base = found.map { .mixed($0.byteArray) } ?? .unclearZero
        }
    }

    private func reportLoss(
        _ block: UInt64,
        owed: Int,
        matching: [Int],
        found: BufferRegion?
    ) {
        let text =
            "volume \(number) block \(block) after a crash: found "
            + "\(describe(found, part: 0..<4096)); owed \(owed) of \(describeHistory(of: block))"
        guard matching.isEmpty else {
            let history = history(of: block)
            let lost = request(history.patches[owed - 1].order)
            let isFlushed = lost?.isDurable ?? true
            let asked = lost?.asksDurability ?? false
            journal.report(
                isFlushed ? asked ? .durableWriteSurvives : .flushedSurvives : .killKeeps,
                text
            )
            return
        }
        let oracle = oracle(for: found, part: 0..<4096, block: block)
        journal.report(oracle == .ownBytes ? .ownBytes : .flushedSurvives, text)
    }

    /// All listed blocks were read: checks that what is left is a prefix of the write order, and
    /// takes it for the volume's state.
    package func settle() {
        let known = openRequests.filter { !$0.isRefused }
        checkWholeness(known)
        checkOrder(known)
        countProbes(known)
        let cut = known.filter { $0.isSeenIn && $0.isSeenOut }.map(\.order)
        isUnsettled = false
        keepsAcknowledged = false
        forgetRequests()
        for block in listed {
            withBlock(block) { history in
                for index in history.patches.indices
                where cut.contains(history.patches[index].order) {
                    // Cut by the crash: what it did to this block was just read.
                    history.patches[index].isDoubtful = false
                }
                // Before a patch becomes the base, and where none is left.
                if history.isUnclear { history.forgetWhichZeros() }
                foldDurable(&history, block)
                if history.isUnclear { history.forgetWhichZeros() }
                history.isUnclear = false
                // What is lost is read again after every crash: one may bring it back.
                history.isListed = !history.patches.isEmpty || history.base == .lost
                history.shownOrder = 0
            }
        }
        listed = listed.filter { history(of: $0).isListed }
    }

    private func checkWholeness(_ known: [IssuedRequest]) {
        for request in known where request.isAtomic && request.isSeenIn && request.isSeenOut {
            journal.report(
                .prefix,
                "volume \(number): request \(request.order) is there in part"
            )
        }
    }

    /// No request is missing that comes before one that is there.
    private func checkOrder(_ known: [IssuedRequest]) {
        var newest: IssuedRequest?
        var newestAcknowledged: IssuedRequest?
        for request in known where request.isSeenIn {
            if request.issuedAt > newest?.issuedAt ?? 0 { newest = request }
            // A larger request may be there in part long before its end, which was acknowledged.
            if request.isAcknowledged && !request.asksDurability && request.isAtomic
                && request.answeredAt > newestAcknowledged?.answeredAt ?? 0
            {
                newestAcknowledged = request
            }
        }
        for request in known where request.isSeenOut && request.isAcknowledged {
            if let newest, request.answeredAt < newest.issuedAt {
                journal.report(
                    .prefix,
                    "volume \(number): request \(newest.order) is there, and \(request.order), "
                        + "acknowledged before it was issued, is not"
                )
            }
            if let newestAcknowledged, !request.asksDurability,
                request.answeredAt < newestAcknowledged.answeredAt
            {
                journal.report(
                    .prefix,
                    "volume \(number): request \(newestAcknowledged.order) is there, and "
                        + "\(request.order), acknowledged before it, is not"
                )
            }
        }
    }

    private func countProbes(_ known: [IssuedRequest]) {
        if known.contains(where: { $0.isSeenIn && !$0.isAcknowledged }) {
            journal.met(.unacknowledgedWriteSurvived)
        }
        if known.contains(where: { $0.isSeenOut && $0.isAcknowledged }) {
            journal.met(.acknowledgedWriteLost)
        }
        if known.contains(where: { $0.isSeenIn && $0.isSeenOut }) {
            journal.met(.largeRequestWasCut)
        }
    }

    /// Blocks of which it is in doubt what a request did that failed: to be read again.
    package var doubtfulBlocks: [UInt64] {
        listed.filter { block in history(of: block).patches.contains { $0.isDoubtful } }.sorted()
    }
}
