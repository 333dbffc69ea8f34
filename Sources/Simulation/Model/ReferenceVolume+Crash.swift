package import IO

// After a crash the volume stands at one of several points.  Reading a block rules out those that do
// not show these bytes; when every block with more than one possible version was read, one state
// is left, and it is what the volume holds from then on, durably: recovery made it so.

extension ReferenceVolume {
    /// Whether it is not known where the volume stands.
    package var isUnsettled: Bool { !candidates.isEmpty }

    /// The engine is gone.
    ///
    /// - Parameters:
    ///   - isPowerCut: volatile writes are lost too.
    ///   - wasServed: recovery had succeeded since the last crash, so that what it left is durable.
    package func crash(isPowerCut: Bool, wasServed: Bool) {
        let low = isPowerCut ? durable : max(acknowledged, durable)
        if isUnsettled {
            // What reads have ruled out stays so, once it was served.
            guard !wasServed, isPowerCut, let first = candidates.first, first.order > low else {
                return
            }
        }
        lowest = low
        candidates = [Candidate(order: low, isPartial: false)]
        for request in requests where request.order > low {
            if !request.isAtomic {
                candidates.append(Candidate(order: request.order, isPartial: true))
            }
            candidates.append(Candidate(order: request.order, isPartial: false))
        }
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

    /// Takes note of what recovery made of the size.
    package func observe(byteCount found: UInt64) {
        let left = candidates.filter { size(at: $0.order) == found }
        guard !left.isEmpty else {
            journal.report(
                .prefix,
                "volume \(number) has \(found) bytes after a crash, was \(byteCount)"
            )
            return
        }
        candidates = left
        byteCount = found
    }

    private func size(at order: UInt64) -> UInt64 {
        requests.last { $0.order <= order && $0.newByteCount != nil }?.newByteCount ?? byteCount
    }

    /// Takes note of what a block holds after the crash; nil for a hole.
    package func observe(block: UInt64, found: BufferRegion?) {
        let history = history(of: block)
        let matches = (0...history.patches.count).map { end in
            choice(history, block, before: end, part: 0..<4096, found: found) != nil
        }
        let left = candidates.filter { candidate in
            let end = history.end(at: candidate.order)
            if matches[end] { return true }
            return candidate.isPartial && end > 0
                && history.patches[end - 1].order == candidate.order && matches[end - 1]
        }
        guard !left.isEmpty else {
            reportLoss(block, history: history, matches: matches, found: found)
            return
        }
        candidates = left
    }

    private func reportLoss(
        _ block: UInt64,
        history: BlockHistory,
        matches: [Bool],
        found: BufferRegion?
    ) {
        let legal = history.patches.map { "\($0.order)\($0.kind)[\($0.from),\($0.to))" }
        let points = candidates.map { "\($0.order)\($0.isPartial ? "?" : "")" }
        let text =
            "volume \(number) block \(block) after a crash: found "
            + "\(describe(found, part: 0..<4096)); durable \(durable), acknowledged "
            + "\(acknowledged), issued \(issued), points left \(points.joined(separator: " ")); "
            + "base \(history.base.summary), then \(legal.joined(separator: " "))"
        if let end = matches.lastIndex(of: true) {
            let order = end > 0 ? history.patches[end - 1].order : 0
            let isOld = end < history.end(at: lowest)
            if !isOld {
                journal.report(.prefix, text + "; alone it would stand at \(order)")
            } else if lowest > durable {
                journal.report(.killKeeps, text)
            } else {
                journal.report(.flushedSurvives, text)
            }
            return
        }
        let oracle = oracle(for: found, part: 0..<4096, block: block)
        journal.report(oracle == .ownBytes ? .ownBytes : .flushedSurvives, text)
    }

    /// All listed blocks were read: the volume stands at the newest point that is left.
    package func settle() {
        guard let best = candidates.last(where: { !$0.isPartial }) ?? candidates.last else {
            return
        }
        if candidates.count > 1 { journal.met(.prefixWasAmbiguous) }
        if best.isPartial { journal.met(.largeRequestWasCut) }
        if best.order > acknowledged { journal.met(.unacknowledgedWriteSurvived) }
        if best.order < acknowledged { journal.met(.acknowledgedWriteLost) }
        byteCount = size(at: best.order)
        candidates = []
        requests = []
        durable = best.order
        acknowledged = best.order
        observed = best.order
        for block in listed {
            withBlock(block) { history in
                history.patches.removeLast(history.patches.count - history.end(at: best.order))
                if best.isPartial, let last = history.patches.last, last.order == best.order {
                    history.patches[history.patches.count - 1].isDoubtful = true
                }
                foldDurable(&history, block)
                history.isListed = !history.patches.isEmpty
            }
        }
        listed = listed.filter { history(of: $0).isListed }
    }

    /// Blocks of which it is in doubt what a request did that failed or was cut: to be read again.
    package var doubtfulBlocks: [UInt64] {
        listed.filter { block in history(of: block).patches.contains { $0.isDoubtful } }.sorted()
    }
}
