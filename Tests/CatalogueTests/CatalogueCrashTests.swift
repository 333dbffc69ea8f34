import Foundation
import GRDB
import Synchronization
import Testing
import Units

@testable import Catalogue

#if canImport(Glibc)
    import Glibc
#endif

/// Commits are whole or absent, and durable once they were answered: after the process was killed,
/// and with the log cut anywhere, as a power cut may leave it.
@Suite struct CatalogueCrashTests {
    /// Commits 1, 2, 3... and writes each number to a file once its commit returned, until the
    /// process kills itself after `microseconds`.
    private static func commitUntilKilled(_ path: String, leafCount: Int, microseconds: UInt32) {
        do {
            let catalogue = try Catalogue(openingAt: path)
            let first = try catalogue.contents().positions.first?.nextRecord.rawValue ?? 0
            ServiceThread.start {
                usleep(microseconds)
                kill(getpid(), SIGKILL)
            }
            let notes = unsafe open(path + ".answered", O_WRONLY | O_CREAT, 0o600)
            for number in (first + 1)... {
                try catalogue.commit(Sample.image(number: number, leafCount: leafCount))
                var note = number
                unsafe pwrite(notes, &note, 8, 0)
            }
        } catch {
            print(error)
            exit(1)
        }
    }

    /// The number that all rows of the catalogue agree on.
    private func number(in catalogue: Catalogue, leafCount: Int) throws -> UInt64 {
        let contents = try catalogue.contents()
        guard let position = contents.positions.first else {
            #expect(contents.leafKeys.isEmpty && contents.segments.isEmpty)
            return 0
        }
        let number = position.nextRecord.rawValue
        let expected = Sample.image(number: number, leafCount: leafCount)
        #expect(contents.segments == expected.segments)
        #expect(contents.leafKeys == expected.leaves.map(\.key))
        for (leaf, heat) in zip(expected.leaves, expected.heat) {
            let stored = try catalogue.load(leaf.key)
            #expect(stored.bytes == leaf.bytes && stored.heat == heat.bytes)
        }
        return number
    }

    private func answered(_ path: String) throws -> UInt64 {
        let url = URL(fileURLWithPath: path + ".answered")
        guard let data = try? Data(contentsOf: url), data.count == 8 else { return 0 }
        return data.enumerated().reduce(0) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
    }

    @Test func `killed amid commits, each is whole, and none that was answered is lost`()
        async throws
    {
        let place = try Place(pool: Sample.pool)
        let path = place.path
        var last: UInt64 = 0
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<8 {
            let microseconds = UInt32.random(in: 2_000...400_000, using: &generator)
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, microseconds = microseconds as UInt32] in
                CatalogueCrashTests.commitUntilKilled(
                    path,
                    leafCount: 200,
                    microseconds: microseconds
                )
            }
            let catalogue = try Catalogue(openingAt: path)
            let found = try number(in: catalogue, leafCount: 200)
            #expect(found >= (try answered(path)) && found >= last)
            #expect(try catalogue.findings().isEmpty)
            last = found
            try catalogue.close()
        }
        #expect(last > 0)
    }

    /// The process is killed with several commits in the log; the log is then cut at every frame
    /// and inside frames.  Each cut must give one whole commit, the longer the later.
    @Test func `a log cut anywhere leaves whole commits`() async throws {
        let place = try Place(pool: Sample.pool)
        let path = place.path
        let leafCount = 5
        let commitCount: UInt64 = 6
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [
                path = path as String, leafCount = leafCount as Int,
                commitCount = commitCount as UInt64
            ] in
            let catalogue = try Catalogue(openingAt: path)
            for number in 1...commitCount {
                try catalogue.commit(Sample.image(number: number, leafCount: leafCount))
            }
            kill(getpid(), SIGKILL)
        }
        let whole = try #require(FilePlace.byteCount(of: path + "-wal"))
        let frame: UInt64 = 4_096 + 24
        var cuts: [UInt64] = [0, 1, 31]
        for start in stride(from: UInt64(32), through: whole, by: Int(frame)) {
            cuts += [start, start + 12, start + 2_000, start + frame - 1].filter { $0 <= whole }
        }
        var last: UInt64 = 0
        var seen: Set<UInt64> = []
        for cut in cuts {
            let copy = try place.copy()
            let log = try FileHandle(
                forUpdating: URL(fileURLWithPath: copy.path + "-wal")
            )
            try log.truncate(atOffset: cut)
            try log.close()
            let catalogue = try Catalogue(openingAt: copy.path)
            #expect(catalogue.wasClosedCleanly == (cut == 0))
            let found = try number(in: catalogue, leafCount: leafCount)
            #expect(found >= last, "a log of \(cut) bytes")
            last = found
            seen.insert(found)
            try catalogue.close()
        }
        #expect(seen == Set(0...commitCount))
    }

    /// One byte of the log is changed: what follows it is not believed, and nothing is mixed.
    @Test func `a log with a changed byte leaves whole commits`() async throws {
        let place = try Place(pool: Sample.pool)
        let path = place.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let catalogue = try Catalogue(openingAt: path)
            for number in UInt64(1)...4 {
                try catalogue.commit(Sample.image(number: number, leafCount: 5))
            }
            kill(getpid(), SIGKILL)
        }
        let whole = try Data(contentsOf: URL(fileURLWithPath: path + "-wal"))
        for offset in stride(from: 0, to: whole.count, by: 1_031) {
            let copy = try place.copy()
            var changed = whole
            changed[offset] ^= 0x40
            try changed.write(to: URL(fileURLWithPath: copy.path + "-wal"))
            let catalogue = try Catalogue(openingAt: copy.path)
            _ = try number(in: catalogue, leafCount: 5)
            try catalogue.close()
        }
    }

    /// Writes beyond a limit on the size of files fail: an I/O error in the middle of a commit.
    @Test func `after a failed write nothing is changed any more, and the last commit stands`()
        async throws
    {
        let place = try Place(pool: Sample.pool)
        let path = place.path
        await #expect(processExitsWith: .exitCode(42)) { [path = path as String] in
            let catalogue = try Catalogue(openingAt: path)
            try catalogue.commit(Sample.image(number: 1, leafCount: 5))
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 1 << 20, rlim_max: rlim_t.max)
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let first = failure { () throws(CatalogueError) in
                try catalogue.commit(Sample.image(number: 2, leafCount: 1_000))
            }
            guard case .database = first else { exit(1) }
            limit.rlim_cur = rlim_t.max
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            // Reading still works; changing, moving the log and closing do not.
            guard try catalogue.load(Sample.key(1, 0)).bytes.first == 1 else { exit(2) }
            for attempt in [
                failure { () throws(CatalogueError) in
                    try catalogue.commit(Sample.image(number: 3, leafCount: 5))
                },
                failure { () throws(CatalogueError) in try catalogue.moveLog() },
                failure { () throws(CatalogueError) in try catalogue.close() },
            ] {
                guard case .fenced = attempt else { exit(3) }
            }
            exit(42)
        }
        let catalogue = try Catalogue(openingAt: path)
        #expect(!catalogue.wasClosedCleanly)
        #expect(try number(in: catalogue, leafCount: 5) == 1)
        try catalogue.close()
    }

    /// SQLite's own limit on pages stands for a full file system.
    @Test func `without space a commit is rolled back whole, and another may follow`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        func limitPages(to count: Int) throws {
            try catalogue.connection.read { database in
                try database.execute(sql: "PRAGMA max_page_count = \(count)")
            }
        }
        try catalogue.commit(Sample.image(number: 1, leafCount: 5))
        try limitPages(to: 100)
        #expect(
            failure { () throws(CatalogueError) in
                try catalogue.commit(Sample.image(number: 2, leafCount: 500))
            } == .full(path: place.path)
        )
        #expect(try number(in: catalogue, leafCount: 5) == 1)
        try limitPages(to: 100_000)
        try catalogue.commit(Sample.image(number: 3, leafCount: 500))
        #expect(try number(in: catalogue, leafCount: 500) == 3)
        try catalogue.close()
    }

    /// A load beside a commit reads in the commit's transaction.
    @Test func `a read amid a commit disturbs nothing`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        var other = Sample.image(number: 7, leafCount: 0)
        other.leaves = [(Sample.key(2, 5), [1, 2, 3])]
        try catalogue.commit(other)
        var reads: [[UInt8]] = []
        try catalogue.commit(Sample.image(number: 8, leafCount: 320)) { database in
            reads.append(try Catalogue.load(Sample.key(2, 5), in: database).bytes)
        }
        #expect(reads == Array(repeating: [1, 2, 3], count: 20))
        #expect(try catalogue.load(Sample.key(1, 319)).bytes.first == 8)
        try catalogue.close()
    }
}
