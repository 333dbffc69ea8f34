// The tables of the catalogue.  A change of any line is a new version.
//
// Integers of SQLite are signed, so 64-bit words are stored as the signed number with the same
// bits: a word above 2^63 - 1 shows as a negative number.  Identifiers are text in the form
// 8-4-4-4-12, so that a copy can be read with the sqlite3 command.
//
// `leaves` is an ordinary table with a unique index and not a WITHOUT ROWID table, whose blobs lie
// in the inner nodes of the tree too and make it deep.  The index is narrow and holds all that the
// list of keys needs, so that listing reads no blob.  With 200,000 leaves of 0.5 to 8 KiB, in five
// runs on a busy machine with 2 cores, to replace 1,000 random ones by 6 KiB took 34 to 53 ms
// against 63 to 173 ms, a load 8 to 10 us against 37 to 45 us (two runs), and the file was a sixth
// smaller.  Pages of 8 and 16 KiB make the same commit write 18 and 33 MB to the log, 4 KiB 11 MB.
//
//     ISOTHERM_MEASURE=1 swift test -c release -Xswiftc -enable-testing --filter LayoutMeasurements
enum CatalogueSchema {
    /// "ISOT": tells a catalogue from any other SQLite database.
    static var applicationIdentifier: UInt32 { 0x4953_4F54 }
    static var version: UInt32 { 7 }
    static var pageByteCount: Int { 4096 }

    /// Name and definition of each table, in the order in which they are made.
    static var tables: [(name: String, definition: String)] {
        [
            ("pool", pool), ("devices", devices), ("volumes", volumes), ("trees", trees),
            ("segments", segments), ("positions", positions), ("log_ends", logEnds),
            ("leaves", leaves), ("heat", heat), ("events", events), ("history", history),
            ("settings", settings),
        ]
    }

    /// The tables that are read whole when a pool opens: few rows, checked each time, each with its
    /// checksum in the last column (`RowChecksum`).
    static var smallTables: [String] {
        ["pool", "devices", "volumes", "trees", "segments", "positions", "log_ends", "settings"]
    }

    private static var pool: String {
        """
        CREATE TABLE pool (
            row INTEGER PRIMARY KEY CHECK (row = 1),
            identifier TEXT NOT NULL,
            name TEXT NOT NULL,
            lane_count INTEGER NOT NULL,
            created_seconds INTEGER NOT NULL,
            incarnation INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT
        """
    }
    private static var devices: String {
        """
        CREATE TABLE devices (
            device INTEGER PRIMARY KEY,
            identifier TEXT NOT NULL,
            role INTEGER NOT NULL,
            path TEXT NOT NULL,
            byte_count INTEGER NOT NULL,
            segment_byte_count INTEGER NOT NULL,
            segment_count INTEGER NOT NULL,
            model TEXT,
            checksum INTEGER NOT NULL
        ) STRICT
        """
    }
    private static var volumes: String {
        """
        CREATE TABLE volumes (
            identifier TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            byte_count INTEGER NOT NULL,
            lane INTEGER NOT NULL,
            tree INTEGER NOT NULL,
            state INTEGER NOT NULL,
            created_seconds INTEGER NOT NULL,
            owned_block_count INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """
    }
    private static var trees: String {
        """
        CREATE TABLE trees (
            tree INTEGER PRIMARY KEY,
            parent INTEGER,
            volume TEXT NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT
        """
    }
    private static var segments: String {
        """
        CREATE TABLE segments (
            device INTEGER,
            segment INTEGER,
            lane INTEGER NOT NULL,
            stream INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            nonce INTEGER NOT NULL,
            live_block_count INTEGER NOT NULL,
            written_block_count INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (device, segment)
        ) STRICT, WITHOUT ROWID
        """
    }
    private static var positions: String {
        """
        CREATE TABLE positions (
            lane INTEGER PRIMARY KEY,
            device INTEGER,
            segment INTEGER,
            segment_sequence INTEGER NOT NULL,
            block_offset INTEGER NOT NULL,
            next_record INTEGER NOT NULL,
            previous_checksum INTEGER NOT NULL,
            mirror_begin INTEGER,
            mirror_end INTEGER NOT NULL,
            mirror_checksum INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT
        """
    }
    private static var logEnds: String {
        """
        CREATE TABLE log_ends (
            lane INTEGER PRIMARY KEY,
            next_record INTEGER NOT NULL,
            segment_sequence INTEGER NOT NULL,
            incarnation INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT
        """
    }
    private static var leaves: String {
        """
        CREATE TABLE leaves (
            tree INTEGER NOT NULL,
            leaf INTEGER NOT NULL,
            bytes BLOB NOT NULL,
            UNIQUE (tree, leaf)
        ) STRICT
        """
    }
    private static var heat: String {
        """
        CREATE TABLE heat (
            tree INTEGER,
            leaf INTEGER,
            bytes BLOB NOT NULL,
            PRIMARY KEY (tree, leaf)
        ) STRICT, WITHOUT ROWID
        """
    }
    private static var events: String {
        """
        CREATE TABLE events (
            number INTEGER PRIMARY KEY,
            seconds INTEGER NOT NULL,
            type TEXT NOT NULL,
            text TEXT NOT NULL
        ) STRICT
        """
    }
    private static var history: String {
        """
        CREATE TABLE history (
            number INTEGER PRIMARY KEY,
            seconds INTEGER NOT NULL,
            user TEXT NOT NULL,
            process INTEGER NOT NULL,
            command_line TEXT NOT NULL,
            result TEXT NOT NULL
        ) STRICT
        """
    }
    private static var settings: String {
        """
        CREATE TABLE settings (
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """
    }
}
