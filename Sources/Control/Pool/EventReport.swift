internal import Catalogue
internal import Engine
internal import Format
internal import Units

/// The items of `events/1`: findings about a pool, oldest first.
struct EventReport {
    /// Events that one request gets, at most.
    static var countMax: Int { 1000 }

    var pool: String
    /// What the catalogue has.
    var kept: [Numbered<EventRow>]
    /// What no checkpoint has committed yet, of all lanes.
    var fresh: [EventRow] = []

    /// How many events a request wants.
    static func count(of request: ControlRequest) throws(ControlError) -> Int {
        guard let count = Int(exactly: try request.unsigned("count")), count > 0, count <= countMax
        else { throw .protocolViolation(fact: "1 to 1000 events can be asked for") }
        return count
    }

    /// The newest `countMax` of them.  An event has no number before it is in the catalogue.
    func items(countMax: Int) -> [JSONValue] {
        let recent = fresh.sorted { $0.seconds < $1.seconds }
        let all =
            kept.map { item($0.row, number: $0.number) } + recent.map { item($0, number: nil) }
        return Array(all.suffix(countMax))
    }

    private func item(_ row: EventRow, number: UInt64?) -> JSONValue {
        [
            "pool": .text(pool), "number": .count(orNull: number),
            "time": .text(TimeText.utc(seconds: row.seconds)), "type": .text(row.type),
            "text": .text(row.text),
        ]
    }

    static var columns: [Column] {
        [
            Column("pool", "POOL", .text, "the pool's name", yields: 2),
            Column(
                "number",
                "NUMBER",
                .count,
                "counts the pool's events; none before it is in the catalogue",
                yields: 1
            ),
            Column("time", "TIME", .text, "when it was found, UTC"),
            Column("type", "TYPE", .text, "a stable name for what was found"),
            Column("text", "EVENT", .text, "what was found"),
        ]
    }
}

extension Catalogue {
    /// The newest events, oldest first, `countMax` at most.
    func newestEvents(countMax: Int) throws(CatalogueError) -> [Numbered<EventRow>] {
        let newest = try newestEventNumber()
        let before = newest - min(newest, UInt64(countMax))
        return try events(after: before, countMax: countMax)
    }
}

extension PoolService {
    /// The newest events: those of the catalogue, and those that wait for a checkpoint.
    ///
    /// Lanes are asked first: what one commits meanwhile is found in the catalogue behind the
    /// number that was its newest before, and is not told twice.
    func events(_ request: ControlRequest) throws(ControlError) -> [JSONValue] {
        let count = try EventReport.count(of: request)
        let known = try ask { catalogue throws(CatalogueError) in try catalogue.newestEventNumber()
        }
        var fresh: [EventRow] = []
        for index in 0..<pool.engine.laneCount {
            fresh += try inquiry.look(at: LaneIndex(UInt16(index))) { lane, _ in
                lane.uncommittedEvents
            }
        }
        let kept = try ask { catalogue throws(CatalogueError) in
            try catalogue.newestEvents(countMax: count)
        }
        for event in kept where event.number > known {
            if let place = fresh.firstIndex(of: event.row) { fresh.remove(at: place) }
        }
        return EventReport(pool: directory.name, kept: kept, fresh: fresh).items(countMax: count)
    }

    private func ask<Value: Sendable>(
        _ work: @escaping @Sendable (Catalogue) throws(CatalogueError) -> Value
    ) throws(ControlError) -> Value {
        try ControlError.converting { () throws(CatalogueError) in
            try pool.catalogue.perform(work)
        }
    }
}
