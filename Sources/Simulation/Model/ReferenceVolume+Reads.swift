package import IO

/// What a read that begins now may not be older than.
package struct ReadBound: Sendable {
    /// The volume's tick when it began.
    package var tick: UInt64
}

extension ReferenceVolume {
    /// To be taken when a read, or a look at extents, is issued; each check ends one.
    package func beginRead() -> ReadBound {
        let tick = nextTick()
        openReads.append(tick)
        return ReadBound(tick: tick)
    }

    func endRead(_ bound: ReadBound) {
        guard let index = openReads.firstIndex(of: bound.tick) else { return }
        openReads.remove(at: index)
        if index == 0 { forgetSettled() }
    }

    /// How many patches of a block a read must show at least.
    ///
    /// That a later request was answered tells that the ones before it can be seen, unless it
    /// failed: then it may never have come so far as to wait for them.
    func lowEnd(_ history: BlockHistory, bound: ReadBound) -> Int {
        var low = history.patches.count
        for index in history.patches.indices.reversed() {
            let patch = history.patches[index]
            if history.shownAt < bound.tick && patch.order <= history.shownOrder { break }
            if request(patch.order).map({ $0.answeredAt < bound.tick }) ?? true {
                if !patch.isDoubtful { break }
            } else {
                low = index
            }
        }
        return low
    }

    /// Checks what a read brought, at the moment when it is answered; nil for a hole.
    package func check(read data: BufferRegion?, offset: UInt64, byteCount: Int, bound: ReadBound) {
        var position = offset
        let end = offset + UInt64(byteCount)
        let now = nextTick()
        defer { endRead(bound) }
        while position < end, journal.isEmpty {
            let block = position / 4096
            let stop = min(end, (block + 1) * 4096)
            let part = Int(position - block * 4096)..<Int(stop - block * 4096)
            let found = data.map { $0[Int(position - offset)..<Int(stop - offset)] }
            checkBlock(block, part: part, found: found, bound: bound, now: now)
            position = stop
        }
    }

    private func checkBlock(
        _ block: UInt64,
        part: Range<Int>,
        found: BufferRegion?,
        bound: ReadBound,
        now: UInt64
    ) {
        let history = history(of: block)
        let low = lowEnd(history, bound: bound)
        for end in low...history.patches.count {
            let choices = choices(history, block, before: end, part: part, found: found)
            guard !choices.isEmpty else { continue }
            if end < history.patches.count { journal.met(.readRacedWrite) }
            if end > low {
                journal.met(.readRacedNewerVersion)
                withBlock(block) { history in
                    history.shownOrder = max(
                        history.shownOrder,
                        history.patches[end - 1].order
                    )
                    history.shownAt = now
                }
            }
            // While requests are in flight the bytes may be those of a later version as well.
            if end == history.patches.count && history.doubtfulCount(before: end) > 0
                && part == 0..<4096
            {
                settleDoubt(block, choices: choices)
            }
            return
        }
        reportMismatch(block, part: part, found: found, bound: bound)
    }

    /// Patches in doubt of one block that are told apart; the ones above are taken to be missing.
    private static var doubtfulCountMax: Int { 6 }

    /// The choices of patches in doubt under which the block holds `found` after its first `end`
    /// patches.
    func choices(
        _ history: BlockHistory,
        _ block: UInt64,
        before end: Int,
        part: Range<Int>,
        found: BufferRegion?
    ) -> [Int] {
        if end == 0, history.base.isZeros { return found?.isZero ?? true ? [0] : [] }
        let doubtful = min(history.doubtfulCount(before: end), Self.doubtfulCountMax)
        return (0..<(1 << doubtful)).filter { choice in
            if history.showsLost(before: end, choice: choice) { return false }
            history.materialise(
                before: end,
                choice: choice,
                volume: number,
                block: block,
                seed: seed,
                into: scratch[0],
                scratch: scratch[1]
            )
            let expected = scratch[0][part]
            return found.map { expected.isEqual(to: $0) } ?? expected.isZero
        }
    }

    /// A read of the newest version has shown which patches in doubt are there: from here on it
    /// stays so.  It says nothing of one that lies wholly under others.
    func settleDoubt(_ block: UInt64, choices: [Int]) {
        withBlock(block) { history in
            var rank = 0
            var kept: [Patch] = []
            for (index, patch) in history.patches.enumerated() {
                var patch = patch
                if patch.isDoubtful && rank < Self.doubtfulCountMax {
                    let isIn = choices.contains { $0 >> rank & 1 == 1 }
                    let isOut = choices.contains { $0 >> rank & 1 == 0 }
                    rank += 1
                    guard isIn else { continue }
                    if !isOut {
                        patch.isDoubtful = false
                    } else if patch.kind != .data && index + 1 == history.patches.count {
                        // With or without it there are zeros.
                        patch.isDoubtful = false
                        patch.kind = .unclearZero
                    }
                }
                kept.append(patch)
            }
            history.patches = kept
        }
    }

    /// Says what is wrong with a block, and whose the bytes are.
    private func reportMismatch(
        _ block: UInt64,
        part: Range<Int>,
        found: BufferRegion?,
        bound: ReadBound
    ) {
        let low = lowEnd(history(of: block), bound: bound)
        journal.report(
            oracle(for: found, part: part, block: block),
            "volume \(number) block \(block) bytes \(part): found \(describe(found, part: part)); "
                + "must show \(low) of \(describeHistory(of: block))"
        )
    }

    /// The versions of a block in words.
    func describeHistory(of block: UInt64) -> String {
        let history = history(of: block)
        let patches = history.patches.map { patch in
            let known = request(patch.order)
            let state =
                known.map { $0.isDurable ? "durable" : $0.isAcknowledged ? "done" : "open" }
                ?? "durable"
            return "\(patch.order) \(patch.kind)[\(patch.from),\(patch.to)) \(state)"
        }
        return "base \(history.base.summary), then \(patches.joined(separator: ", "))"
    }

    /// Which promise the bytes break: foreign ones O6, others O7.
    func oracle(for found: BufferRegion?, part: Range<Int>, block: UInt64) -> Oracle {
        guard let found, part.lowerBound % 512 == 0, found.byteCount >= 512 else {
            return .rightBytes
        }
        guard let stamp = SectorStamp(reading: found.bytes, at: 0, seed: seed) else {
            return found.isZero ? .rightBytes : .ownBytes
        }
        let sector = block * 8 + UInt64(part.lowerBound / 512)
        return stamp.volume == number && stamp.sector == sector ? .rightBytes : .ownBytes
    }

    /// Bytes in words: whose they are, sector by sector.
    func describe(_ found: BufferRegion?, part: Range<Int>) -> String {
        guard let found else { return "a hole" }
        guard part.lowerBound % 512 == 0 else { return "\(found.byteCount) bytes" }
        var words: [String] = []
        for offset in stride(from: 0, to: found.byteCount - 511, by: 512) {
            let sector = found[offset..<(offset + 512)]
            var word = sector.isZero ? "zeros" : "unknown"
            if let stamp = SectorStamp(reading: sector.bytes, at: 0, seed: seed) {
                word = "v\(stamp.volume)s\(stamp.sector)@\(stamp.order)"
            }
            words.append(word)
        }
        return words.joined(separator: ",")
    }
}

extension BlockBase {
    /// In words, without the bytes.
    var summary: String {
        switch self {
        case .hole: "hole"
        case .zero: "zero"
        case .unclearZero: "zeros"
        case .written(let order): "written@\(order)"
        case .mixed: "mixed"
        case .lost: "lost"
        }
    }
}
