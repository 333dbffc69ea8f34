import Foundation
import GRDB
import Testing

@testable import Catalogue

/// Compares ways to keep leaves in SQLite, on request like `CatalogueMeasurements`.  One line of
/// JSON for each page size and table: 200,000 leaves of 0.5 to 8 KiB, then commits that replace
/// 1,000 random ones by 6 KiB each.
@Suite(
    .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["ISOTHERM_MEASURE"] != nil)
)
struct LayoutMeasurements {
    private static var leafCount: Int64 { 200_000 }
    private static var tables: [(name: String, definition: String)] {
        [
            (
                "rowid, unique index",
                """
                CREATE TABLE l (tree INTEGER NOT NULL, leaf INTEGER NOT NULL, bytes BLOB NOT NULL,
                UNIQUE (tree, leaf)) STRICT
                """
            ),
            (
                "without rowid",
                """
                CREATE TABLE l (tree INTEGER, leaf INTEGER, bytes BLOB NOT NULL,
                PRIMARY KEY (tree, leaf)) STRICT, WITHOUT ROWID
                """
            ),
        ]
    }

    @Test(arguments: [4_096, 8_192, 16_384], [0, 1])
    func `replace random leaves`(pageByteCount: Int, table: Int) throws {
        let place = try Place()
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            for setting in [
                "page_size = \(pageByteCount)", "locking_mode = exclusive", "journal_mode = wal",
                "synchronous = full", "wal_autocheckpoint = 0", "cache_size = -32768",
            ] {
                try database.execute(sql: "PRAGMA \(setting)")
            }
        }
        let queue = try DatabaseQueue(path: place.path, configuration: configuration)
        try queue.writeWithoutTransaction { database in
            try database.execute(sql: Self.tables[table].definition)
            let keys = (0..<Self.leafCount).shuffled()
            for start in stride(from: 0, to: keys.count, by: 5_000) {
                _ = try commit(keys[start..<(start + 5_000)], 512...8_192, to: database)
            }
            var commits: [Double] = []
            var frameCount = 0
            for _ in 0..<9 {
                let taken = try commit(keys.shuffled().prefix(1_000), 6_144...6_144, to: database)
                commits.append(taken.seconds)
                frameCount = taken.frameCount
            }
            let loaded = keys.shuffled().prefix(2_000)
            let started = ContinuousClock.now
            var byteCount = 0
            for key in loaded {
                byteCount += try database.blob(
                    "SELECT bytes FROM l WHERE tree = ? AND leaf = ?",
                    [key % 10, key / 10]
                ).count
            }
            let load = (ContinuousClock.now - started) / 2_000
            #expect(byteCount >= 2_000 * 512)
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            print(
                """
                {"measurement": "layout", "table": "\(Self.tables[table].name)", \
                "pageBytes": \(pageByteCount), \
                "commitMedianMilliseconds": \(Int(commits.sorted()[4] * 1_000)), \
                "logMegabytes": \(frameCount * pageByteCount / 1_000_000), \
                "loadMicroseconds": \(load / .microseconds(1)), \
                "fileMegabytes": \(pages * pageByteCount / 1_000_000)}
                """
            )
        }
        try queue.close()
    }

    /// One transaction, then the log moved into the database, which is not part of the time.
    private func commit(
        _ keys: some Sequence<Int64>,
        _ byteCounts: ClosedRange<Int>,
        to database: Database
    ) throws -> (seconds: Double, frameCount: Int) {
        let started = ContinuousClock.now
        try database.inTransaction(.immediate) {
            for key in keys {
                let bytes = [UInt8](
                    repeating: UInt8(truncatingIfNeeded: key),
                    count: .random(in: byteCounts)
                )
                try database.run(
                    """
                    INSERT INTO l (tree, leaf, bytes) VALUES (?, ?, ?)
                    ON CONFLICT (tree, leaf) DO UPDATE SET bytes = excluded.bytes
                    """,
                    [key % 10, key / 10],
                    bytes
                )
            }
            return .commit
        }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        let row = try Row.fetchOne(database, sql: "PRAGMA wal_checkpoint(PASSIVE)")
        return (seconds, row.flatMap { Int.fromDatabaseValue($0[1]) } ?? 0)
    }
}
