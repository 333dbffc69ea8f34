internal import Format
internal import GRDB
internal import Units

/// One row as it was found.  Every value is checked for its type and range, because a catalogue can
/// be damaged or made by somebody else; a refused value is named by its table and column.
struct FoundRow {
    let row: Row
    let table: String
    let path: String

    func integer(_ column: Int) throws(CatalogueError) -> Int64 {
        guard case .int64(let value) = value(column).storage else { throw refused(column) }
        return value
    }

    func word(_ column: Int) throws(CatalogueError) -> UInt64 {
        UInt64(bitPattern: try integer(column))
    }

    /// A number that must fit in `Number`.
    func number<Number: FixedWidthInteger>(
        _ column: Int,
        as type: Number.Type = Number.self
    ) throws(CatalogueError) -> Number {
        guard let number = Number(exactly: try integer(column)) else { throw refused(column) }
        return number
    }

    func text(_ column: Int) throws(CatalogueError) -> String {
        guard case .string(let value) = value(column).storage else { throw refused(column) }
        return value
    }

    func identifier(_ column: Int) throws(CatalogueError) -> Identifier {
        guard let identifier = Identifier(try text(column)) else { throw refused(column) }
        return identifier
    }

    /// A number that must be one of an enumeration's.
    func kind<Kind: RawRepresentable<UInt8>>(
        _ column: Int,
        as type: Kind.Type = Kind.self
    ) throws(CatalogueError) -> Kind {
        guard let kind = Kind(rawValue: try number(column)) else { throw refused(column) }
        return kind
    }

    func isAbsent(_ column: Int) -> Bool { value(column).isNull }

    /// Refuses a row whose last column is not the checksum of the others.
    func verify() throws(CatalogueError) {
        let last = row.count - 1
        guard try integer(last) == RowChecksum.of(table, row.databaseValues.dropLast()) else {
            throw refused(last)
        }
    }

    private func value(_ column: Int) -> DatabaseValue { row[column] }

    private func refused(_ column: Int) -> CatalogueError {
        let names = Array(row.columnNames)
        return .value(
            path: path,
            table: table,
            column: column < names.count ? names[column] : "\(column)",
            found: String(value(column).description.prefix(80))
        )
    }
}

/// Reads the tables.
enum CatalogueReading {
    /// All rows of a table that has checksums, each verified, in the order of their keys; columns
    /// are counted as the schema has them.
    static func rows<Value>(
        of table: String,
        in database: Database,
        path: String,
        _ body: (FoundRow) throws(CatalogueError) -> Value
    ) throws -> [Value] {
        var values: [Value] = []
        let cursor = try Row.fetchCursor(
            database,
            sql: "SELECT * FROM \(table) ORDER BY 1, 2"
        )
        while let row = try cursor.next() {
            let found = FoundRow(row: row, table: table, path: path)
            try found.verify()
            values.append(try body(found))
        }
        return values
    }

    static func pool(over connection: CatalogueConnection) throws(CatalogueError) -> PoolRow {
        let path = connection.path
        let pools = try connection.read(.open) { database in
            try rows(of: "pool", in: database, path: path) { row throws(CatalogueError) in
                PoolRow(
                    identifier: try row.identifier(1),
                    name: try row.text(2),
                    laneCount: try row.number(3),
                    createdSeconds: try row.integer(4)
                )
            }
        }
        guard let pool = pools.first, pools.count == 1 else {
            throw .value(path: path, table: "pool", column: "row", found: "\(pools.count) rows")
        }
        return pool
    }

    static func devices(
        over connection: CatalogueConnection
    ) throws(CatalogueError) -> [DeviceRow] {
        let path = connection.path
        return try connection.read(.open) { database in
            try rows(of: "devices", in: database, path: path) { row throws(CatalogueError) in
                DeviceRow(
                    index: DeviceIndex(try row.number(0)),
                    identifier: try row.identifier(1),
                    role: try row.kind(2),
                    path: try row.text(3),
                    byteCount: try row.word(4),
                    segmentByteCount: try row.word(5),
                    segmentCount: try row.number(6),
                    model: row.isAbsent(7) ? nil : try row.text(7)
                )
            }
        }
    }

    static func incarnation(in database: Database, path: String) throws -> UInt32 {
        let found = try rows(of: "pool", in: database, path: path) {
            row throws(CatalogueError) in try row.number(5, as: UInt32.self)
        }
        guard let incarnation = found.first else {
            throw CatalogueError.value(path: path, table: "pool", column: "row", found: "no row")
        }
        guard incarnation < incarnationMax else {
            throw CatalogueError.value(
                path: path,
                table: "pool",
                column: "incarnation",
                found: "\(incarnation)"
            )
        }
        return incarnation
    }

    /// No opening of a pool has this number or a higher one.
    static var incarnationMax: UInt32 { 1 << 24 }

    static func volumes(in database: Database, path: String) throws -> [VolumeRow] {
        try rows(of: "volumes", in: database, path: path) { row throws(CatalogueError) in
            VolumeRow(
                identifier: try row.identifier(0),
                name: try row.text(1),
                byteCount: try row.word(2),
                lane: LaneIndex(try row.number(3)),
                tree: TreeIdentifier(try row.word(4)),
                state: try row.kind(5),
                createdSeconds: try row.integer(6),
                ownedBlockCount: try row.word(7)
            )
        }
    }

    static func trees(in database: Database, path: String) throws -> [TreeRow] {
        try rows(of: "trees", in: database, path: path) {
            row throws(CatalogueError) in
            TreeRow(
                identifier: TreeIdentifier(try row.word(0)),
                parent: row.isAbsent(1) ? nil : TreeIdentifier(try row.word(1)),
                volume: try row.identifier(2)
            )
        }
    }

    static func segments(in database: Database, path: String) throws -> [SegmentRow] {
        try rows(of: "segments", in: database, path: path) { row throws(CatalogueError) in
            SegmentRow(
                address: SegmentAddress(
                    device: DeviceIndex(try row.number(0)),
                    index: SegmentIndex(try row.number(1))
                ),
                lane: LaneIndex(try row.number(2)),
                stream: try row.kind(3),
                sequence: try row.word(4),
                nonce: try row.word(5),
                liveBlockCount: try row.number(6),
                writtenBlockCount: try row.number(7)
            )
        }
    }

    static func positions(
        in database: Database,
        _ ages: [String: [UInt64]],
        path: String
    ) throws -> [LanePosition] {
        try rows(of: "positions", in: database, path: path) { row throws(CatalogueError) in
            var segment: SegmentAddress?
            if !row.isAbsent(1) || !row.isAbsent(2) {
                segment = SegmentAddress(
                    device: DeviceIndex(try row.number(1)),
                    index: SegmentIndex(try row.number(2))
                )
            }
            let lane = LaneIndex(try row.number(0))
            let age = ages[AgeSetting.key(of: lane)]
            return LanePosition(
                lane: lane,
                segment: segment,
                segmentSequence: try row.word(3),
                blockOffset: try row.number(4),
                nextRecord: RecordNumber(try row.word(5)),
                previousChecksum: try row.number(6),
                checkpoint: age?[0] ?? 0,
                witnessed: age?[1] ?? 0,
                mirror: MirrorState(
                    begin: row.isAbsent(7) ? nil : try row.word(7),
                    end: try row.word(8),
                    checksum: try row.number(9)
                )
            )
        }
    }

    static func logEnds(in database: Database, path: String) throws -> [LogEnd] {
        try rows(of: "log_ends", in: database, path: path) { row throws(CatalogueError) in
            LogEnd(
                lane: LaneIndex(try row.number(0)),
                nextRecord: RecordNumber(try row.word(1)),
                segmentSequence: try row.word(2),
                incarnation: try row.number(3)
            )
        }
    }

    /// How far scrubs have come; rows that cannot be read are left out.
    static func scrubs(in database: Database, path: String) throws -> [ScrubRow] {
        try rows(of: "settings", in: database, path: path) {
            row throws(CatalogueError) in
            ScrubRow(key: try row.text(0), text: try row.text(1))
        }.compactMap(\.self)
    }

    /// The value of one setting; nil when there is none.
    static func setting(_ key: String, in database: Database, path: String) throws -> String? {
        let statement = try database.cachedStatement(sql: "SELECT * FROM settings WHERE key = ?")
        guard let row = try Row.fetchOne(statement, arguments: [key]) else { return nil }
        let found = FoundRow(row: row, table: "settings", path: path)
        try found.verify()
        return try found.text(1)
    }

    /// The keys of all leaves in order.  Reads the index of the table alone, no blob.
    static func leafKeys(in database: Database, path: String) throws -> [LeafKey] {
        var keys: [LeafKey] = []
        var isOrdered = true
        let sql = "SELECT tree, leaf FROM leaves ORDER BY tree, leaf"
        let areNumbers = try database.pairs(sql) { tree, leaf in
            let key = LeafKey(
                tree: TreeIdentifier(UInt64(bitPattern: tree)),
                index: UInt64(bitPattern: leaf)
            )
            if let last = keys.last, key < last { isOrdered = false }
            keys.append(key)
        }
        guard areNumbers else {
            throw CatalogueError.value(
                path: path,
                table: "leaves",
                column: "tree or leaf",
                found: "no number"
            )
        }
        try LeafTally.verify(keys, in: database, path: path)
        // SQLite's order is that of signed numbers: another one above 2^63.
        if !isOrdered { keys.sort() }
        return keys
    }
}

extension Catalogue {
    /// Everything that a pool needs to open, as of the last commits, in one look.
    package func contents() throws(CatalogueError) -> CatalogueContents {
        let path = path
        return try connection.read { database in
            let ages = try AgeSetting.read(in: database, path: path)
            return CatalogueContents(
                incarnation: try CatalogueReading.incarnation(in: database, path: path),
                volumes: try CatalogueReading.volumes(in: database, path: path),
                trees: try CatalogueReading.trees(in: database, path: path),
                segments: try CatalogueReading.segments(in: database, path: path),
                positions: try CatalogueReading.positions(in: database, ages, path: path),
                logEnds: try CatalogueReading.logEnds(in: database, path: path),
                leafKeys: try CatalogueReading.leafKeys(in: database, path: path),
                scrubs: try CatalogueReading.scrubs(in: database, path: path),
                witnessedIncarnation: UInt32(clamping: ages[AgeSetting.poolKey]?[0] ?? 0)
            )
        }
    }

    /// A leaf and its heat; empty where there is none.
    package func load(_ key: LeafKey) throws(CatalogueError) -> StoredLeaf {
        try connection.read { database in try Catalogue.load(key, in: database) }
    }

    /// `load` for who is inside a transaction already.
    static func load(_ key: LeafKey, in database: Database) throws -> StoredLeaf {
        let numbers = [stored(key.tree.rawValue), stored(key.index)]
        return StoredLeaf(
            key: key,
            bytes: try database.blob(
                "SELECT bytes FROM leaves WHERE tree = ? AND leaf = ?",
                numbers
            ),
            heat: try database.blob("SELECT bytes FROM heat WHERE tree = ? AND leaf = ?", numbers)
        )
    }
}
