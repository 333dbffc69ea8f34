/// What monitoring is told: one line, and an exit status that it knows.
///
///     CRIT: tank READONLY: A flush or the catalogue failed; no change is accepted since
///
/// Made from items of the document `pool.status/1`, whichever program answered with them.
///
///     OK        served, and nothing below is so
///     WARN      operations of a device failed; 90 % of the capacity is owned; a reason is told
///     UNKNOWN   the state could not be asked for, or is none that this program knows
///     CRIT      not served, read-only, or a device is away; blocks are damaged in every copy; 99 %
///               of the capacity is owned
package struct MonitoringVerdict: Equatable, Sendable {
    /// From good to bad: of several pools the worst counts.
    package enum Level: Int, Comparable, Sendable {
        case good, warning, unknown, critical

        package var word: String {
            switch self {
            case .good: "OK"
            case .warning: "WARN"
            case .unknown: "UNKNOWN"
            case .critical: "CRIT"
            }
        }

        /// As monitoring expects it.
        package var exitStatus: Int32 {
            switch self {
            case .good: 0
            case .warning: 1
            case .critical: 2
            case .unknown: 3
            }
        }

        package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    package private(set) var level: Level
    /// Without the level's word.
    package private(set) var text: String

    package var line: String { "\(level.word): \(text)" }

    private static var ownedRatioWarning: Double { 0.9 }
    private static var ownedRatioCritical: Double { 0.99 }

    private init(_ level: Level, _ text: String) {
        self.level = level
        self.text = text
    }

    /// Of what could not be asked.
    package init(_ error: ControlError) { self.init(.unknown, error.report.line) }

    /// Of a pool, by its item.
    package init(pool item: JSONValue) {
        let findings = Self.state(item) + Self.devices(item) + Self.blocks(item) + Self.space(item)
        let mark = item["modelled"]?.isTrue == true ? " (modelled)" : ""
        let head = "\(item["name"]?.string ?? "-")\(mark) \(item["state"]?.string ?? "-")"
        level = findings.map(\.level).max() ?? .good
        text = ([head] + findings.map(\.text)).joined(separator: ": ")
    }

    /// Of several: the worst first.
    package init(joining verdicts: [MonitoringVerdict]) {
        let sorted = verdicts.sorted { $0.level > $1.level }
        level = sorted.first?.level ?? .unknown
        text = verdicts.isEmpty ? "there is no pool" : sorted.map(\.text).joined(separator: "; ")
    }

    // MARK: Findings

    private static func state(_ item: JSONValue) -> [MonitoringVerdict] {
        let reasons = (item["reasons"]?.items ?? []).compactMap { $0["text"]?.string }
            .map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
        switch item["state"]?.string.flatMap(PoolFigures.State.init) {
        case nil: return [MonitoringVerdict(.unknown, "this program does not know that state")]
        case .offline: return [MonitoringVerdict(.critical, "it is not being served")]
        case .readOnly, .unavailable:
            return reasons.isEmpty
                ? [MonitoringVerdict(.critical, "no reason is known")]
                : reasons.map { MonitoringVerdict(.critical, $0) }
        case .online: return reasons.map { MonitoringVerdict(.warning, $0) }
        }
    }

    private static func devices(_ item: JSONValue) -> [MonitoringVerdict] {
        (item["devices"]?.items ?? []).compactMap { device in
            guard let count = device["errorCount"]?.unsigned, count > 0 else { return nil }
            let noun = count == 1 ? "operation" : "operations"
            let name = device["name"]?.string ?? "-"
            return MonitoringVerdict(.warning, "\(count) \(noun) of \(name) failed")
        }
    }

    /// Blocks lost since the pool was opened, in the scrub's pass now or in its last.
    private static func blocks(_ item: JSONValue) -> [MonitoringVerdict] {
        let scrubs = item["scrubs"]?.items ?? []
        let counts =
            [item[path: "counters.poisonedBlockCount"]?.unsigned ?? 0]
            + ["poisonedBlockCount", "last.poisonedBlockCount"].map { path in
                scrubs.reduce(UInt64(0)) { $0 + ($1[path: path]?.unsigned ?? 0) }
            }
        // They may count the same blocks: the largest is the least that is lost.
        guard let count = counts.max(), count > 0 else { return [] }
        let noun = count == 1 ? "block is" : "blocks are"
        return [MonitoringVerdict(.critical, "\(count) \(noun) damaged in every copy")]
    }

    private static func space(_ item: JSONValue) -> [MonitoringVerdict] {
        guard let owned = item[path: "space.ownedByteCount"]?.unsigned,
            let capacity = item[path: "space.capacityByteCount"]?.unsigned, capacity > 0
        else { return [] }
        let ratio = Double(owned) / Double(capacity)
        guard ratio >= ownedRatioWarning else { return [] }
        return [
            MonitoringVerdict(
                ratio >= ownedRatioCritical ? .critical : .warning,
                "\(Column.percent(ratio)) of its space is owned"
            )
        ]
    }
}
