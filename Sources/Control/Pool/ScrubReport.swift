internal import Catalogue
internal import Engine
internal import Units

/// The items of `pool.scrub/1`: a tier each, summed over the lanes.
struct ScrubReport {
    /// What the lanes know; of a pool that is not open, what their checkpoints know.
    var lanes: [ScrubFigures]
    /// The pool is open, so that its scrubs run.
    var isOpen: Bool
    var pool: String
    var isModelled: Bool
    /// The tiers that the pool has.
    var roles: [DeviceRole]

    var items: [JSONValue] { roles.map(item) }

    private func item(_ role: DeviceRole) -> JSONValue {
        let lanes = lanes.filter { $0.row.role == role }
        let rows = lanes.map(\.row)
        let isAsked = rows.contains(where: \.isAsked)
        let counts = rows.reduce(ScrubCounts()) { $0 + $1.counts }
        let last = rows.reduce(ScrubCounts()) { $0 + $1.lastCounts }
        let passCount = rows.map(\.passCount).min() ?? 0
        let ended = passCount == 0 ? 0 : rows.map(\.endedSeconds).min() ?? 0
        let begun = rows.map(\.begunSeconds).filter { $0 > 0 }.min() ?? 0
        let live = lanes.reduce(UInt64(0)) { $0 + $1.liveBlockCount }
        // A lane that has ended the pass that was asked for has looked at all of its blocks.
        let done = lanes.reduce(UInt64(0)) { sum, lane in
            let isThrough = isAsked && !lane.row.isAsked
            return sum + (isThrough ? lane.liveBlockCount : lane.row.counts.verified)
        }
        return [
            "pool": .text(pool), "tier": .text("\(role)"), "state": .text(state(rows)),
            "progressRatio": ratio(done, of: live), "verifiedByteCount": bytes(counts.verified),
            "liveByteCount": isOpen ? bytes(live) : .null,
            "byteCountPerSecond": isOpen ? bytes(rate(lanes)) : .null,
            "damagedBlockCount": .count(counts.damaged),
            "unreadableBlockCount": .count(counts.unreadable),
            "repairedBlockCount": .count(counts.repaired),
            "poisonedBlockCount": .count(counts.poisoned), "begun": time(begun),
            "passCount": .count(passCount), "lastCompleted": time(ended),
            "last": [
                "verifiedByteCount": bytes(last.verified),
                "damagedBlockCount": .count(last.damaged),
                "unreadableBlockCount": .count(last.unreadable),
                "repairedBlockCount": .count(last.repaired),
                "poisonedBlockCount": .count(last.poisoned),
            ], "modelled": .boolean(isModelled),
        ]
    }

    /// `paused`; `asked`, by an administrator; `continuous`; or `offline` when nobody scrubs.
    private func state(_ rows: [ScrubRow]) -> String {
        if rows.contains(where: \.isPaused) { return "paused" }
        if !isOpen { return "offline" }
        return rows.contains(where: \.isAsked) ? "asked" : "continuous"
    }

    /// Blocks a second of the pass, since the pool was opened.
    private func rate(_ lanes: [ScrubFigures]) -> UInt64 {
        lanes.reduce(UInt64(0)) { sum, lane in
            let milliseconds = lane.sessionNanoseconds / 1_000_000
            return sum + (milliseconds == 0 ? 0 : lane.sessionBlockCount * 1000 / milliseconds)
        }
    }

    private func ratio(_ done: UInt64, of live: UInt64) -> JSONValue {
        guard isOpen, live > 0 else { return .null }
        return .real(min(1, Double(done) / Double(live)))
    }

    private func bytes(_ blockCount: UInt64) -> JSONValue {
        .count(blockCount * UInt64(Geometry.blockByteCount))
    }

    private func time(_ seconds: Int64) -> JSONValue {
        seconds > 0 ? .text(TimeText.utc(seconds: seconds)) : .null
    }
}

extension ScrubReport {
    static var columns: [Column] {
        [
            Column("pool", "POOL", .text, "the pool's name", yields: 2),
            Column("tier", "TIER", .text, "flash or disk"),
            Column(
                "state",
                "STATE",
                .text,
                "continuous; asked, a pass that somebody started; paused; offline"
            ),
            Column("progressRatio", "DONE", .ratio, "how much of the pass is done, about"),
            Column("liveByteCount", "LIVE", .byteCount, "bytes that a pass reads", yields: 4),
            Column(
                "byteCountPerSecond",
                "RATE",
                .byteCount,
                "bytes a second of this pass, since the pool was opened",
                yields: 5
            ),
            Column("damagedBlockCount", "DAMAGED", .count, "copies with wrong bytes, this pass"),
            Column(
                "unreadableBlockCount",
                "UNREAD",
                .count,
                "copies that the device refused to read, this pass"
            ),
            Column(
                "repairedBlockCount",
                "REPAIRED",
                .count,
                "bad copies that were given up for a good one, this pass"
            ),
            Column("poisonedBlockCount", "LOST", .count, "blocks without a good copy, this pass"),
            Column("lastCompleted", "LAST PASS", .text, "when all was read last, UTC", yields: 1),
            Column("begun", "BEGUN", .text, "when this pass began, UTC", isShown: false),
            Column("passCount", "PASSES", .count, "full passes so far", isShown: false),
            Column(
                "last.damagedBlockCount",
                "LAST DAMAGED",
                .count,
                "copies with wrong bytes in the last full pass",
                isShown: false
            ),
            Column(
                "last.poisonedBlockCount",
                "LAST LOST",
                .count,
                "blocks without a good copy in the last full pass",
                isShown: false
            ),
            Column(
                "modelled",
                "MODELLED",
                .text,
                "whether a device of the pool is modelled",
                isShown: false
            ),
        ]
    }
}
