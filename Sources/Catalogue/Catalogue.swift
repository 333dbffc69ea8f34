internal import GRDB
internal import IO
internal import Units

/// The catalogue of a pool: an SQLite database that holds devices, volumes, trees, segments, log
/// positions, leaves and heat as of each lane's last checkpoint, and what people want to know.
///
/// It is an index.  Nothing here stands between a client and its data, and everything that a
/// flushed write needs can be rebuilt from the devices.  What it promises is narrow: a commit is
/// there whole or not at all, and it is durable when `commit` returns.
///
/// One thread at a time uses it; while a pool is open that is the thread of `CatalogueService`.
/// Why there is only one connection and what happens when a change fails: `CatalogueConnection`.
package final class Catalogue: Sendable {
    package let path: String
    package let pool: PoolRow
    /// In the order of their indices.
    package let devices: [DeviceRow]
    /// False when the last holder left a write-ahead log behind: it was killed, crashed or fenced.
    /// Then `findings()` is worth its time.
    package let wasClosedCleanly: Bool

    let connection: CatalogueConnection
    private let lock: Guarded<HeldLock>

    private struct HeldLock: ~Copyable {
        var lock: DirectoryLock?
    }

    /// Opens the catalogue at `path` for this process alone.
    ///
    /// Returns when all that the log held is durable in the database, so that no decision rests on
    /// bytes that a killed process never made durable.  Refuses what is not exactly a catalogue of
    /// a known version, and small tables that SQLite finds damaged.
    package init(openingAt path: String) throws(CatalogueError) {
        let lock = try DirectoryLock.acquire(for: path)
        try CatalogueFile.validateHeader(at: path)
        wasClosedCleanly = (FilePlace.byteCount(of: path + "-wal") ?? 0) == 0
        connection = try CatalogueConnection(path: path, isNew: false)
        try CatalogueFile.validateSchema(over: connection)
        try connection.checkpoint(truncating: true)
        try CatalogueFile.validateLength(over: connection)
        try CatalogueFile.validateSmallTables(over: connection)
        pool = try CatalogueReading.pool(over: connection)
        devices = try CatalogueReading.devices(over: connection)
        self.path = path
        self.lock = Guarded(HeldLock(lock: consume lock))
    }

    /// Makes a catalogue for a new pool; `path` must not exist and its directory must.
    ///
    /// 1. The database is made whole under the name `path` + ".new" and closed, which makes it
    ///    durable and leaves no log beside it.
    /// 2. It is renamed to `path` and the directory is made durable.
    ///
    /// So a file at `path` is always a whole catalogue; what an interruption before 2 left is
    /// removed by the next attempt.
    package static func create(
        at path: String,
        pool: PoolRow,
        devices: [DeviceRow]
    ) throws(CatalogueError) {
        let lock = try DirectoryLock.acquire(for: path)
        // The log of a database that is gone would be taken for the new one's.
        for name in [path, path + "-wal", path + "-journal"]
        where FilePlace.byteCount(of: name) != nil {
            throw .alreadyThere(path: name)
        }
        let draft = path + ".new"
        for name in [draft, draft + "-wal", draft + "-journal"] {
            try FilePlace.removeIfThere(name)
        }
        try FilePlace.makePrivate(draft)
        let connection = try CatalogueConnection(path: draft, isNew: true)
        try connection.change(.create) { database in
            try CatalogueFile.writeSchema(to: database)
            try CatalogueFile.write(pool, devices, to: database)
        }
        try connection.close()
        try FilePlace.publish(draft, as: path)
        _ = consume lock
    }

    /// Moves the log into the database, empties it, closes the connection and gives back the lock.
    /// Behind a fence connection and lock are kept until the process ends.
    package func close() throws(CatalogueError) {
        try connection.close()
        lock.withLock { $0.lock = nil }
    }

    /// The number of the life of the pool that begins with its next opening: from one, below 2^24.
    package func nextIncarnation() throws(CatalogueError) -> UInt32 {
        let path = path
        return try connection.read { database in
            let next = try CatalogueReading.incarnation(in: database, path: path) + 1
            guard next < CatalogueReading.incarnationMax else {
                throw CatalogueError.incarnationsExhausted(path: path)
            }
            return next
        }
    }

    /// Counts an opening of the pool, durably, with what its recovery found: to be done before
    /// anything is written that carries the number, which is never given twice then.
    ///
    /// - Parameter logEnds: of every lane.
    package func begin(
        incarnation: UInt32,
        logEnds: [LogEnd]
    ) throws(CatalogueError) {
        try connection.change { database in
            try CatalogueFile.write(pool, incarnation: incarnation, to: database)
            for end in logEnds {
                try database.put(
                    "log_ends",
                    [
                        Int64(end.lane.rawValue), stored(end.nextRecord.rawValue),
                        stored(end.segmentSequence), Int64(end.incarnation),
                    ]
                )
            }
        }
    }

    /// To be called by who serves the pool: see `CatalogueReserve`.
    func keepReserve() { connection.keepReserve() }

    /// Takes the room again that was given back when the file system was full.
    func refillReserve() { connection.refillReserve() }

    /// Every device was told of this incarnation: one that tells of an earlier one is a copy.
    package func noteWitnessed(_ incarnation: UInt32) throws(CatalogueError) {
        try set(AgeSetting.poolKey, "\(incarnation)")
    }
}
