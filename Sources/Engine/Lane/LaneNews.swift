package import Catalogue

/// Events on their way to the daemon's log, beside the catalogue: a catalogue that fails can keep
/// none.  Of many in one second the first are told, and then how many there were.
struct LaneNews {
    private static var perSecondMax: Int { 16 }

    private(set) var rows: [EventRow] = []
    private var second: Int64 = 0
    private var countInSecond = 0
    private var leftOut = 0

    mutating func add(_ row: EventRow) {
        if row.seconds != second {
            tellLeftOut(at: row.seconds)
            second = row.seconds
            countInSecond = 0
        }
        countInSecond += 1
        guard countInSecond <= Self.perSecondMax else {
            leftOut += 1
            return
        }
        rows.append(row)
    }

    private mutating func tellLeftOut(at seconds: Int64) {
        guard leftOut > 0 else { return }
        let text = "\(leftOut) events of one second are not shown"
        rows.append(EventRow(seconds: seconds, type: "events_left_out", text: text))
        leftOut = 0
    }

    mutating func take() -> [EventRow] {
        defer { rows.removeAll(keepingCapacity: true) }
        return rows
    }
}

extension Lane {
    /// Events that wait in memory for the next checkpoint at most; a lane that makes none any more
    /// would gather them without end.
    private static var eventCountMax: Int { 4096 }

    /// Something for admins to read.
    func note(_ type: String, _ text: String) {
        let row = EventRow(seconds: wallSeconds, type: type, text: text)
        news.add(row)
        guard events.count < Self.eventCountMax else { return }
        events.append(row)
    }

    /// Events that no checkpoint has handed to the catalogue yet, oldest first.
    package var uncommittedEvents: [EventRow] { (checkpoint.image?.events ?? []) + events }

    package var hasNews: Bool { !news.rows.isEmpty }

    /// Events since the last call, for the log.
    package func takeNews() -> [EventRow] { news.take() }
}
