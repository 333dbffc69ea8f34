internal import Units

/// What the engine said about a stretch of a volume.
package struct ExtentAnswer: Sendable {
    package var byteCount: UInt64
    package var isHole: Bool
    package var isZero: Bool
    package var isPoisoned: Bool

    package init(byteCount: UInt64, isHole: Bool, isZero: Bool, isPoisoned: Bool) {
        self.byteCount = byteCount
        self.isHole = isHole
        self.isZero = isZero
        self.isPoisoned = isPoisoned
    }
}

extension ReferenceVolume {
    /// Checks extents at the moment when they are answered.  They may end early, not late.
    ///
    /// - Parameter mayBePoisoned: whether a block may be said to be.
    package func check(
        extents: [ExtentAnswer],
        offset: UInt64,
        byteCount: UInt64,
        bound: ReadBound,
        mayBePoisoned: (UInt64) -> Bool = { _ in false }
    ) {
        defer { endRead(bound) }
        var position = offset
        let end = offset + byteCount
        if extents.isEmpty { journal.report(.extents, "volume \(number): no extent at \(offset)") }
        for (index, extent) in extents.enumerated() {
            let stop = position + extent.byteCount
            // The last one may describe more than was asked for.
            if extent.byteCount == 0 || position >= end || stop > end && index + 1 < extents.count {
                journal.report(
                    .extents,
                    "volume \(number): extent \(index) of \(extent.byteCount) bytes at "
                        + "\(position), asked for up to \(end)"
                )
                return
            }
            let last = min(stop, end)
            for block in (position / 4096)..<((last + 4095) / 4096) {
                if extent.isPoisoned && !mayBePoisoned(block) {
                    journal.report(
                        .errorHasReason,
                        "volume \(number): block \(block) is said to be poisoned"
                    )
                }
                guard isTrue(extent, of: block, bound: bound) else {
                    reportClaim(extent, block: block, bound: bound)
                    return
                }
            }
            position = stop
        }
    }

    private func isTrue(_ extent: ExtentAnswer, of block: UInt64, bound: ReadBound) -> Bool {
        let history = history(of: block)
        return (lowEnd(history, bound: bound)...history.patches.count).contains { end in
            switch history.claim(before: end) {
            case .hole: return extent.isHole && extent.isZero
            case .zero: return extent.isZero && !extent.isHole
            case .data: return !extent.isZero && !extent.isHole
            case .unknown:
                guard extent.isZero || extent.isHole else { return true }
                return !choices(history, block, before: end, part: 0..<4096, found: nil).isEmpty
            }
        }
    }

    private func reportClaim(_ extent: ExtentAnswer, block: UInt64, bound: ReadBound) {
        journal.report(
            .extents,
            "volume \(number) block \(block) is said to be hole=\(extent.isHole) "
                + "zero=\(extent.isZero); must show \(lowEnd(history(of: block), bound: bound)) "
                + "of \(describeHistory(of: block))"
        )
    }

    /// Blocks that own space at this moment: at least and at most, by the requests in flight and,
    /// until a crash is settled, by what it may have left of the acknowledged ones.
    package var chargedBlockCount: (least: Int, most: Int) {
        var least = 0
        var most = 0
        let bound = ReadBound(tick: nextTick())
        for page in pages {
            for history in page.blocks where history.isInUse {
                let low = isUnsettled ? 0 : lowEnd(history, bound: bound)
                var isCharged = true
                var mayBeCharged = false
                for end in low...history.patches.count {
                    let claim = history.claim(before: end)
                    if claim == .hole || claim == .unknown { isCharged = false }
                    if claim != .hole { mayBeCharged = true }
                }
                if isCharged { least += 1 }
                if mayBeCharged { most += 1 }
            }
        }
        return (hasUnclearSpace ? 0 : least, most)
    }
}
