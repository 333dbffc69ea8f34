internal import GRDB

/// The bounded tables for people: events and history.
enum EventTable {
    /// UTF-8 bytes that are kept of one text.
    static var textByteCountMax: Int { 4096 }

    /// Appends, then lets the oldest go.  A row's number is one above the newest row's, which is
    /// never deleted, so no number is used twice.
    static func append(_ events: [EventRow], to database: Database) throws {
        guard !events.isEmpty else { return }
        let statement = try database.cachedStatement(
            sql: "INSERT INTO events (seconds, type, text) VALUES (?, ?, ?)"
        )
        for event in events.suffix(Catalogue.eventCountMax) {
            statement.setUncheckedArguments([event.seconds, cut(event.type), cut(event.text)])
            try statement.execute()
        }
        try trim("events", to: Catalogue.eventCountMax, in: database)
    }

    static func append(_ row: HistoryRow, to database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO history (seconds, user, process, command_line, result)
                VALUES (?, ?, ?, ?, ?)
                """,
            arguments: [
                row.seconds, cut(row.user), Int64(row.processIdentifier), cut(row.commandLine),
                cut(row.result),
            ]
        )
        try trim("history", to: Catalogue.historyCountMax, in: database)
    }

    private static func trim(_ table: String, to countMax: Int, in database: Database) throws {
        try database.execute(
            sql: "DELETE FROM \(table) WHERE number <= (SELECT max(number) FROM \(table)) - ?",
            arguments: [countMax]
        )
    }

    /// The longest beginning of `text` that fits.
    private static func cut(_ text: String) -> String {
        guard text.utf8.count > textByteCountMax else { return text }
        var room = textByteCountMax
        let end = text.unicodeScalars.firstIndex { scalar in
            room -= scalar.utf8.count
            return room < 0
        }
        return String(text.unicodeScalars[..<(end ?? text.endIndex)])
    }
}

extension Catalogue {
    /// Events that are kept, the newest.
    package static var eventCountMax: Int { 10_000 }
    /// Commands that are kept, the newest.
    package static var historyCountMax: Int { 100_000 }
    /// UTF-8 bytes of a setting's key.
    package static var settingKeyByteCountMax: Int { 256 }
    /// UTF-8 bytes of a setting's value.
    package static var settingValueByteCountMax: Int { 64 << 10 }

    /// Appends findings outside of a checkpoint, oldest first; durable on return.
    package func append(_ events: [EventRow]) throws(CatalogueError) {
        try connection.change { database in try EventTable.append(events, to: database) }
    }

    /// Up to `countMax` events with numbers above `number`, oldest first.
    package func events(
        after number: UInt64 = 0,
        countMax: Int
    ) throws(CatalogueError) -> [Numbered<EventRow>] {
        try records("events", "seconds, type, text", after: number, countMax: countMax) {
            row throws(CatalogueError) in
            EventRow(seconds: try row.integer(1), type: try row.text(2), text: try row.text(3))
        }
    }

    /// The number of the newest event; zero when there was none.
    package func newestEventNumber() throws(CatalogueError) -> UInt64 {
        let newest = try connection.read { database in
            try Int64.fetchOne(database, sql: "SELECT max(number) FROM events")
        }
        return UInt64(bitPattern: newest ?? 0)
    }

    /// Appends a command to the history; durable on return.
    package func append(_ row: HistoryRow) throws(CatalogueError) {
        try connection.change { database in try EventTable.append(row, to: database) }
    }

    /// Up to `countMax` commands with numbers above `number`, oldest first.
    package func history(
        after number: UInt64 = 0,
        countMax: Int
    ) throws(CatalogueError) -> [Numbered<HistoryRow>] {
        try records(
            "history",
            "seconds, user, process, command_line, result",
            after: number,
            countMax: countMax
        ) { row throws(CatalogueError) in
            HistoryRow(
                seconds: try row.integer(1),
                user: try row.text(2),
                processIdentifier: try row.number(3),
                commandLine: try row.text(4),
                result: try row.text(5)
            )
        }
    }

    /// The value kept under `key`; nil when there is none.
    package func setting(_ key: String) throws(CatalogueError) -> String? {
        let path = path
        return try connection.read { database in
            try CatalogueReading.setting(key, in: database, path: path)
        }
    }

    /// All settings whose key begins with `prefix`, in the order of their keys.
    package func settings(
        withPrefix prefix: String = ""
    ) throws(CatalogueError) -> [(key: String, value: String)] {
        let path = path
        return try connection.read { database in
            try CatalogueReading.rows(of: "settings", in: database, path: path) {
                row throws(CatalogueError) in
                (key: try row.text(0), value: try row.text(1))
            }
        }.filter { $0.key.hasPrefix(prefix) }
    }

    /// Keeps `value` under `key`, or removes what is kept there when it is nil; durable on return.
    package func set(_ key: String, _ value: String?) throws(CatalogueError) {
        try refuse(key, key.utf8.count, above: Catalogue.settingKeyByteCountMax)
        try refuse(key, value?.utf8.count ?? 0, above: Catalogue.settingValueByteCountMax)
        try connection.change { database in
            guard let value else {
                return try database.execute(
                    sql: "DELETE FROM settings WHERE key = ?",
                    arguments: [key]
                )
            }
            try database.put("settings", [key, value])
        }
    }

    /// What SQLite finds wrong with the whole file, at most `countMax` findings; empty when it is
    /// sound.  Reads every page of the file, and nothing else is served meanwhile.
    package func findings(countMax: Int = 20) throws(CatalogueError) -> [String] {
        let found = try connection.read { database in
            try String.fetchAll(database, sql: "PRAGMA quick_check(\(max(1, countMax)))")
        }
        return found == ["ok"] ? [] : found
    }

    /// Writes a consistent copy to `target`, which must not exist, for people and tools to query.
    /// Reads every page of the file, and nothing else is served meanwhile.
    package func copy(to target: String) throws(CatalogueError) {
        try connection.read(.copy) { database in
            try database.execute(sql: "VACUUM INTO ?", arguments: [target])
        }
    }

    private func refuse(
        _ key: String,
        _ byteCount: Int,
        above byteCountMax: Int
    ) throws(CatalogueError) {
        guard byteCount <= byteCountMax else {
            throw .settingTooLarge(
                path: path,
                key: key,
                byteCount: byteCount,
                byteCountMax: byteCountMax
            )
        }
    }

    private func records<Value>(
        _ table: String,
        _ columns: String,
        after number: UInt64,
        countMax: Int,
        _ body: (FoundRow) throws(CatalogueError) -> Value
    ) throws(CatalogueError) -> [Numbered<Value>] {
        let path = path
        return try connection.read { database in
            let statement = try database.cachedStatement(
                sql: "SELECT number, \(columns) FROM \(table) WHERE number > ? ORDER BY 1 LIMIT ?"
            )
            return try Row.fetchAll(statement, arguments: [Int64(clamping: number), countMax]).map {
                row in
                let found = FoundRow(row: row, table: table, path: path)
                return Numbered(number: try found.word(0), row: try body(found))
            }
        }
    }
}
