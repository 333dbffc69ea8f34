internal import GRDB
internal import Units

/// What makes a file a catalogue: its header, its schema and its first rows.
enum CatalogueFile {
    // The first bytes of an SQLite database, as its file format defines them.  Big-endian.
    //
    //     offset  size  field
    //          0    16  "SQLite format 3\0"
    //         60     4  user_version           our version
    //         68     4  application_id         our application identifier
    private static var headerByteCount: Int { 100 }
    private static var magic: [UInt8] { Array("SQLite format 3".utf8) + [0] }

    /// Looks at the file before SQLite does, because opening a database that is not ours would
    /// already change it: SQLite would replay its log.  Both fields are written once, before the
    /// file gets its name, so a log that is still to be replayed cannot hold other values.
    static func validateHeader(at path: String) throws(CatalogueError) {
        guard let bytes = try FilePlace.firstBytes(of: path, countMax: headerByteCount) else {
            throw .missing(path: path)
        }
        guard bytes.prefix(magic.count).elementsEqual(magic.prefix(bytes.count)) else {
            throw .notDatabase(path: path)
        }
        guard bytes.count == headerByteCount else {
            throw .truncated(path: path, byteCount: bytes.count)
        }
        let application = bigEndianWord(in: bytes, at: 68)
        guard application == CatalogueSchema.applicationIdentifier else {
            throw .foreign(path: path, applicationIdentifier: application)
        }
        let version = bigEndianWord(in: bytes, at: 60)
        guard version == CatalogueSchema.version else {
            throw .unknownVersion(
                path: path,
                found: version,
                newestKnown: CatalogueSchema.version
            )
        }
    }

    private static func bigEndianWord(in bytes: [UInt8], at offset: Int) -> UInt32 {
        bytes[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }

    static func writeSchema(to database: Database) throws {
        let identifier = CatalogueSchema.applicationIdentifier
        try database.execute(sql: "PRAGMA application_id = \(identifier)")
        try database.execute(sql: "PRAGMA user_version = \(CatalogueSchema.version)")
        for (_, definition) in CatalogueSchema.tables {
            try database.execute(sql: definition)
        }
    }

    static func write(_ pool: PoolRow, _ devices: [DeviceRow], to database: Database) throws {
        try write(pool, incarnation: 0, to: database)
        for device in devices {
            try database.put(
                "devices",
                [
                    Int64(device.index.rawValue), device.identifier.description,
                    Int64(device.role.rawValue), device.path, stored(device.byteCount),
                    stored(device.segmentByteCount), Int64(device.segmentCount), device.model,
                ]
            )
        }
    }

    static func write(_ pool: PoolRow, incarnation: UInt32, to database: Database) throws {
        try database.put(
            "pool",
            [
                1, pool.identifier.description, pool.name, Int64(pool.laneCount),
                pool.createdSeconds, Int64(incarnation),
            ]
        )
    }

    /// Refuses every table, index, view and trigger that this version does not make, and each that
    /// is made differently: a catalogue from elsewhere may hold triggers that act on our writes.
    static func validateSchema(over connection: CatalogueConnection) throws(CatalogueError) {
        let path = connection.path
        let found = try connection.read(.open) { database in
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL LIMIT 100"
            )
            return rows.map { row in
                (
                    name: String.fromDatabaseValue(row[0]) ?? "an object without a name",
                    definition: String.fromDatabaseValue(row[1]) ?? ""
                )
            }
        }
        let expected = CatalogueSchema.tables
        for (name, definition) in found
        where !expected.contains(where: { $0.name == name && $0.definition == definition }) {
            throw .schema(path: path, object: name)
        }
        for (name, _) in expected where !found.contains(where: { $0.name == name }) {
            throw .schema(path: path, object: name)
        }
    }

    /// Refuses a file that ends before its last page does, once nothing is left in the log that
    /// could complete it.  SQLite alone would take the rest of that page for zeros.
    static func validateLength(over connection: CatalogueConnection) throws(CatalogueError) {
        let needed = try connection.read(.open) { database in
            let pageCount = try UInt64.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            let pageByteCount = try UInt64.fetchOne(database, sql: "PRAGMA page_size") ?? 0
            return pageCount * pageByteCount
        }
        let found = FilePlace.byteCount(of: connection.path) ?? 0
        guard found >= needed else {
            throw .truncated(path: connection.path, byteCount: Int(found))
        }
    }

    /// SQLite's own check of the tables that are read whole; their size bounds its time.
    static func validateSmallTables(over connection: CatalogueConnection) throws(CatalogueError) {
        for table in CatalogueSchema.smallTables {
            let finding = try connection.read(.open) { database in
                try String.fetchOne(database, sql: "PRAGMA quick_check('\(table)')")
            }
            guard finding == "ok" else {
                throw .damaged(path: connection.path, finding: "\(table): \(finding ?? "nothing")")
            }
        }
    }
}

/// A 64-bit word as SQLite stores it: the signed number with the same bits.
func stored(_ word: UInt64) -> Int64 { Int64(bitPattern: word) }
