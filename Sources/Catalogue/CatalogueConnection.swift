internal import GRDB
internal import GRDBSQLite
internal import IO

/// The one SQLite connection to a catalogue, its settings, and the fence behind a failed change.
///
/// Two connections that write or checkpoint a database at the same moment can lose a committed
/// transaction in every SQLite from 3.7.0 to 3.51.2.  So there is never a second one:
///
/// - `locking_mode=EXCLUSIVE`, set before the write-ahead log is first touched, keeps SQLite's
///   own lock on the file for as long as the connection lives.  Every other connection of any
///   program, a reader too, gets "database is locked"; people ask the daemon, or query a copy.  It
///   also keeps the log's index in this process's memory, so that there is no `-shm` file.
/// - The lock on the directory (`DirectoryLock`), taken before, gives a second opener a clear
///   error, and stands where SQLite's POSIX locks fall short: inside one process.
///
/// The log is moved into the database by explicit checkpoints only.  SQLite's automatic ones
/// discard their result: a failed `fsync` of the database would be forgotten, the next would
/// succeed over pages that never arrived, and the log that still held them would be overwritten.
///
/// What finds no space is done once more with room from the reserve (`CatalogueReserve`).
///
/// A change that fails, in any way but "no space" and a refused row, puts up the fence: later
/// changes are refused, nothing is synchronised again, and the connection is never closed, since
/// closing it would checkpoint.  The process ends as if killed; the next open starts from the log.
final class CatalogueConnection: Sendable {
    let path: String
    private let queue: DatabaseQueue
    private let reserve: CatalogueReserve
    private let state = Guarded(State())

    private struct State {
        var fence: String?
        var isClosed = false
        /// Bytes of the reserve that are left for later.
        var reserveKept: UInt64 = 0
        /// Pages written to the log since it was last moved into the database as a whole.
        var logFrameCount = 0
    }

    /// Opens the database at `path`; the caller holds the directory's lock.  An `isNew` database is
    /// an empty file.
    init(path: String, isNew: Bool) throws(CatalogueError) {
        self.path = path
        reserve = CatalogueReserve(ofCatalogueAt: path)
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .immediateError
        configuration.label = "catalogue"
        configuration.prepareDatabase { database in
            try CatalogueConnection.prepare(database, path: path, isNew: isNew)
        }
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
        } catch {
            throw CatalogueError(error, during: isNew ? .create : .open, path: path)
        }
    }

    deinit {
        // Without a fence the queue closes the connection as it goes.
        if state.withLock({ $0.fence != nil && !$0.isClosed }) { AbandonedQueues.keep(queue) }
    }

    /// Runs `body` on the connection, outside of a transaction.
    func read<Value>(
        _ operation: CatalogueOperation = .read,
        _ body: (Database) throws -> Value
    ) throws(CatalogueError) -> Value {
        if state.withLock({ $0.isClosed }) { throw .closed(path: path) }
        do {
            return try queue.inDatabase(body)
        } catch {
            throw CatalogueError(error, during: operation, path: path)
        }
    }

    /// Runs `body` in one transaction, which is durable when this returns.
    func change<Value>(
        _ operation: CatalogueOperation = .commit,
        _ body: (Database) throws -> Value
    ) throws(CatalogueError) -> Value {
        try refuseBehindFence()
        do {
            return try withReserve { () throws(CatalogueError) in try transact(operation, body) }
        } catch {
            if error.putsUpFence { fence(because: error) }
            throw error
        }
    }

    private func transact<Value>(
        _ operation: CatalogueOperation,
        _ body: (Database) throws -> Value
    ) throws(CatalogueError) -> Value {
        try read(operation) { database in
            var value: Value?
            try database.inTransaction(.immediate) {
                value = try body(database)
                return .commit
            }
            countFrames(of: database)
            guard let value else {
                throw CatalogueError.damaged(path: path, finding: "a transaction did not run")
            }
            return value
        }
    }

    /// Does `body` again, with room from the reserve, as long as there is no space for it.
    private func withReserve<Value>(
        _ body: () throws(CatalogueError) -> Value
    ) throws(CatalogueError) -> Value {
        while true {
            do {
                return try body()
            } catch {
                guard case .full = error, reserve.give(keeping: state.withLock { $0.reserveKept })
                else { throw error }
            }
        }
    }

    /// From here on a pool is served: room is kept for it, if there is ample, and a step of it is
    /// left to the next opening.
    func keepReserve() {
        state.withLock { $0.reserveKept = CatalogueReserve.stepByteCount }
        reserve.fill()
    }

    /// Takes the room again that was given back.
    func refillReserve() { reserve.fill() }

    /// Pages in the write-ahead log that the database does not have yet.
    var logFrameCount: Int { state.withLock { $0.logFrameCount } }

    /// Moves the log into the database.  With `truncating` the log's file is emptied as well.
    func checkpoint(truncating: Bool) throws(CatalogueError) {
        try refuseBehindFence()
        do {
            let remaining = try withReserve { () throws(CatalogueError) in
                try moveLog(truncating: truncating)
            }
            state.withLock { $0.logFrameCount = remaining }
        } catch {
            // Without space nothing was synchronised, and the log has all of it.
            if error.putsUpFence { fence(because: error) }
            throw error
        }
    }

    /// Returns the pages that are left in the log.
    private func moveLog(truncating: Bool) throws(CatalogueError) -> Int {
        try read(.checkpoint) { database in
            let mode = truncating ? "TRUNCATE" : "PASSIVE"
            let row = try Row.fetchOne(database, sql: "PRAGMA wal_checkpoint(\(mode))")
            guard let row, let busy = Int.fromDatabaseValue(row[0]), busy == 0,
                let inLog = Int.fromDatabaseValue(row[1]),
                let moved = Int.fromDatabaseValue(row[2])
            else {
                throw CatalogueError.settingRefused(
                    path: path,
                    setting: "wal_checkpoint",
                    found: "busy"
                )
            }
            return inLog - moved
        }
    }

    /// Moves the log into the database, empties it, and closes the connection.  Behind a fence the
    /// connection is left as it is until the process ends.
    func close() throws(CatalogueError) {
        guard !state.withLock({ $0.isClosed }) else { return }
        do {
            try checkpoint(truncating: true)
        } catch {
            state.withLock { $0.isClosed = true }
            AbandonedQueues.keep(queue)
            throw error
        }
        state.withLock { $0.isClosed = true }
        do {
            try queue.close()
        } catch {
            throw CatalogueError(error, during: .close, path: path)
        }
    }

    private func refuseBehindFence() throws(CatalogueError) {
        if let cause = state.withLock({ $0.fence }) { throw .fenced(path: path, cause: cause) }
    }

    private func fence(because error: CatalogueError) {
        state.withLock { if $0.fence == nil { $0.fence = error.description } }
    }

    /// Adds the pages that the connection wrote since the last call; in this mode of SQLite each
    /// of them went to the log.
    private func countFrames(of database: Database) {
        var count: Int32 = 0
        var unused: Int32 = 0
        // The connection is alive inside the closure that lends it, and both results are locals.
        let code = unsafe sqlite3_db_status(
            database.sqliteConnection,
            SQLITE_DBSTATUS_CACHE_WRITE,
            &count,
            &unused,
            1
        )
        guard code == SQLITE_OK else { return }
        state.withLock { $0.logFrameCount += Int(count) }
    }
}

/// Connections behind a fence, kept from being closed for the rest of the process's life.
private enum AbandonedQueues {
    private static let kept = Guarded<[DatabaseQueue]>([])

    static func keep(_ queue: DatabaseQueue) {
        kept.withLock { $0.append(queue) }
    }
}

extension CatalogueConnection {
    /// Bytes of the longest value that is read or written; a leaf needs a small part of it.
    private static var valueByteCountMax: Int32 { 4 << 20 }

    /// The connection's settings, each read back.  The order matters: the page size before the
    /// first page, the locking mode before the first look at the log.
    private static func prepare(_ database: Database, path: String, isNew: Bool) throws {
        // The connection is alive inside the closure that lends it.
        _ = unsafe sqlite3_limit(
            database.sqliteConnection,
            SQLITE_LIMIT_LENGTH,
            valueByteCountMax
        )
        var settings: [(setting: String, value: String)] = [
            ("trusted_schema", "0"),
            ("cell_size_check", "1"),
            ("locking_mode", "exclusive"),
            ("mmap_size", "0"),
            // 2 is FULL: a commit returns when the log is durable.
            ("synchronous", "2"),
            // 2 is MEMORY: no temporary files.
            ("temp_store", "2"),
            ("foreign_keys", "0"),
            // 32 MiB: the pages that a commit of some thousand leaves touches.
            ("cache_size", "-32768"),
            ("wal_autocheckpoint", "0"),
            // The log's file is cut back to 64 MiB when it starts anew after a larger commit.
            ("journal_size_limit", String(64 << 20)),
        ]
        if isNew {
            settings.insert(("page_size", String(CatalogueSchema.pageByteCount)), at: 0)
        }
        settings.append(("journal_mode", "wal"))
        for (setting, value) in settings {
            try database.execute(sql: "PRAGMA \(setting) = \(value)")
            let found = try String.fetchOne(database, sql: "PRAGMA \(setting)") ?? "nothing"
            guard found == value else {
                throw CatalogueError.settingRefused(path: path, setting: setting, found: found)
            }
        }
    }
}

extension CatalogueError {
    /// Turns what GRDB or our own closures throw into one error.
    init(_ error: any Error, during operation: CatalogueOperation, path: String) {
        if let error = error as? CatalogueError {
            self = error
            return
        }
        guard let error = error as? DatabaseError else {
            self = .database(path: path, operation: operation, code: -1, message: "\(error)")
            return
        }
        let message = error.message ?? "no message"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .inUse(path: path, holder: nil)
        case .SQLITE_CORRUPT: self = .damaged(path: path, finding: message)
        case .SQLITE_NOTADB: self = .notDatabase(path: path)
        case .SQLITE_FULL: self = .full(path: path)
        default:
            self = .database(
                path: path,
                operation: operation,
                code: error.extendedResultCode.rawValue,
                message: message
            )
        }
    }

    /// Whether no change may follow one that ended so.  Without space SQLite rolls back before
    /// anything was to be made durable, and a refused row concerns only its own transaction.
    var putsUpFence: Bool {
        switch self {
        case .full, .closed, .value, .incarnationsExhausted, .settingTooLarge, .fenced: false
        case .database(_, _, let code, _):
            code & 0xFF != SQLITE_CONSTRAINT && code & 0xFF != SQLITE_TOOBIG
        default: true
        }
    }
}
