import Foundation
import Testing
import Units

@testable import Catalogue

/// What is refused, with which error, and that refusing changes nothing.
@Suite struct CatalogueOpeningTests {
    private func errorOfOpening(_ place: Place) -> CatalogueError? {
        failure { () throws(CatalogueError) in try Catalogue(openingAt: place.path).close() }
    }

    @Test func `a missing file is named`() throws {
        let place = try Place()
        #expect(errorOfOpening(place) == .missing(path: place.path))
        #expect(errorOfOpening(place)?.description.contains(place.path) == true)
    }

    @Test func `create refuses to replace anything`() throws {
        let place = try Place(pool: Sample.pool)
        let again = failure { () throws(CatalogueError) in
            try Catalogue.create(at: place.path, pool: Sample.pool, devices: [])
        }
        #expect(again == .alreadyThere(path: place.path))
        #expect(errorOfOpening(place) == nil)
    }

    @Test(arguments: ["-wal", "-journal"])
    func `create takes no log of a catalogue that is gone`(suffix: String) throws {
        let place = try Place()
        try Data("old".utf8).write(to: URL(fileURLWithPath: place.path + suffix))
        let refusal = failure { () throws(CatalogueError) in
            try Catalogue.create(at: place.path, pool: Sample.pool, devices: [])
        }
        #expect(refusal == .alreadyThere(path: place.path + suffix))
        let left = try Data(contentsOf: URL(fileURLWithPath: place.path + suffix))
        #expect(left == Data("old".utf8))
        #expect(errorOfOpening(place) == .missing(path: place.path))
    }

    @Test func `create ignores what an interrupted attempt left`() throws {
        let place = try Place()
        for suffix in [".new", ".new-wal", ".new-journal"] {
            try Data("half".utf8).write(to: URL(fileURLWithPath: place.path + suffix))
        }
        try Catalogue.create(at: place.path, pool: Sample.pool, devices: [])
        #expect(errorOfOpening(place) == nil)
        let names = try FileManager.default.contentsOfDirectory(atPath: place.directory)
        #expect(Set(names) == ["catalogue.sqlite", "lock"])
    }

    @Test func `only the owner may read a catalogue`() throws {
        let place = try Place(pool: Sample.pool)
        let mode = try FileManager.default.attributesOfItem(atPath: place.path)[.posixPermissions]
        #expect((mode as? NSNumber)?.intValue == 0o600)
    }

    @Test func `a second opener is refused and told who has it`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        let expected = CatalogueError.inUse(
            path: place.path,
            holder: ProcessInfo.processInfo.processIdentifier
        )
        #expect(errorOfOpening(place) == expected)
        try catalogue.close()
        #expect(errorOfOpening(place) == nil)
    }

    /// The lock file is removed by hand: SQLite's own lock still stands.
    @Test func `another process is refused even without the lock file`() async throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        try FileManager.default.removeItem(atPath: place.directory + "/lock")
        let path = place.path
        await #expect(processExitsWith: .exitCode(42)) { [path = path as String] in
            do {
                _ = try Catalogue(openingAt: path)
            } catch CatalogueError.inUse {
                exit(42)
            }
        }
        try catalogue.commit(Sample.image(number: 1, leafCount: 1))
        try catalogue.close()
    }

    @Test func `another process is refused`() async throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        let path = place.path
        let holder = ProcessInfo.processInfo.processIdentifier
        await #expect(processExitsWith: .exitCode(42)) {
            [path = path as String, holder = holder as Int32] in
            do {
                _ = try Catalogue(openingAt: path)
            } catch CatalogueError.inUse(_, holder) {
                exit(42)
            }
        }
        try catalogue.close()
    }

    @Test(arguments: [0, 1, 15, 16, 60, 99])
    func `a file shorter than a header is truncated`(byteCount: Int) throws {
        let place = try Place(pool: Sample.pool)
        try FileHandle(forUpdating: URL(fileURLWithPath: place.path)).truncate(
            atOffset: UInt64(byteCount)
        )
        #expect(errorOfOpening(place) == .truncated(path: place.path, byteCount: byteCount))
    }

    @Test func `every cut of the file at a page or inside one is refused`() throws {
        let place = try Place(pool: Sample.pool)
        let whole = try #require(FilePlace.byteCount(of: place.path))
        for byteCount in stride(from: UInt64(100), to: whole, by: 1_000) {
            let cut = try place.copy()
            try FileHandle(forUpdating: URL(fileURLWithPath: cut.path)).truncate(
                atOffset: byteCount
            )
            guard let error = errorOfOpening(cut) else {
                Issue.record("a file of \(byteCount) of \(whole) bytes was opened")
                continue
            }
            switch error {
            case .damaged, .truncated: break
            default: Issue.record("\(byteCount) bytes: \(error)")
            }
        }
    }

    @Test func `garbage is not a catalogue and stays as it is`() throws {
        let place = try Place()
        let garbage = Data((0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        try garbage.write(to: URL(fileURLWithPath: place.path))
        #expect(errorOfOpening(place) == .notDatabase(path: place.path))
        #expect(try Data(contentsOf: URL(fileURLWithPath: place.path)) == garbage)
    }

    @Test func `a database of another program is foreign and stays as it is`() throws {
        let place = try Place()
        try place.change("CREATE TABLE t (x); PRAGMA application_id = 77")
        let before = try Data(contentsOf: URL(fileURLWithPath: place.path))
        #expect(errorOfOpening(place) == .foreign(path: place.path, applicationIdentifier: 77))
        #expect(try Data(contentsOf: URL(fileURLWithPath: place.path)) == before)
    }

    @Test(arguments: [UInt32(0), 1, 2, 3, 4, 5, 6, 8, 0x7FFF_FFFF])
    func `another version is refused by number`(version: UInt32) throws {
        let place = try Place(pool: Sample.pool)
        try place.change("PRAGMA user_version = \(version)")
        #expect(
            errorOfOpening(place)
                == .unknownVersion(path: place.path, found: version, newestKnown: 7)
        )
    }

    @Test(arguments: [
        ("CREATE TRIGGER evil AFTER INSERT ON leaves BEGIN DELETE FROM volumes; END", "evil"),
        ("CREATE VIEW evil AS SELECT 1", "evil"),
        ("CREATE INDEX evil ON leaves (length(bytes))", "evil"),
        ("CREATE TABLE evil (x)", "evil"),
        ("ALTER TABLE heat ADD COLUMN evil INTEGER", "heat"),
        ("DROP TABLE settings", "settings"),
    ])
    func `another schema is refused by the name of the object`(sql: String, name: String) throws {
        let place = try Place(pool: Sample.pool)
        try place.change(sql)
        #expect(errorOfOpening(place) == .schema(path: place.path, object: name))
    }

    @Test(arguments: [
        ("DELETE FROM pool", "pool", "row"),
        ("UPDATE pool SET identifier = 'nobody'", "pool", "identifier"),
        ("UPDATE pool SET lane_count = -1", "pool", "lane_count"),
        ("UPDATE devices SET device = 256 WHERE device = 255", "devices", "device"),
        ("UPDATE devices SET role = 3", "devices", "role"),
        ("UPDATE devices SET segment_count = 4294967296", "devices", "segment_count"),
    ])
    func `a value that nobody writes is refused by column`(
        sql: String,
        table: String,
        column: String
    ) throws {
        let place = try Place(pool: Sample.pool)
        let damaged = try place.copy()
        try damaged.change(sql)
        guard case .value(_, table, _, _) = errorOfOpening(damaged) else {
            Issue.record("\(String(describing: errorOfOpening(damaged)))")
            return
        }
        try place.change(sql, signing: true)
        guard case .value(_, table, column, _) = errorOfOpening(place) else {
            Issue.record("\(String(describing: errorOfOpening(place)))")
            return
        }
    }

    @Test(arguments: [
        ("volumes", "UPDATE volumes SET state = 0"), ("volumes", "UPDATE volumes SET lane = -1"),
        ("volumes", "UPDATE volumes SET identifier = 'x'"),
        ("segments", "UPDATE segments SET stream = 9"),
        ("segments", "UPDATE segments SET live_block_count = -1"),
        ("positions", "UPDATE positions SET device = NULL"),
        ("positions", "UPDATE positions SET previous_checksum = -1"),
        ("pool", "UPDATE pool SET incarnation = -1"),
        ("log_ends", "INSERT INTO log_ends VALUES (-1, 5, 4, 1, 0)"),
    ])
    func `contents with such a value are refused`(table: String, sql: String) throws {
        let place = try Place(pool: Sample.pool)
        var catalogue = try Catalogue(openingAt: place.path)
        var image = Sample.image(number: 1, leafCount: 1)
        image.volumes = [Sample.volume(0)]
        try catalogue.commit(image)
        try catalogue.close()
        try place.change(sql, signing: true)
        catalogue = try Catalogue(openingAt: place.path)
        let error = failure { () throws(CatalogueError) in try catalogue.contents() }
        guard case .value(_, table, _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        try catalogue.close()
    }

    @Test func `openings are counted up to the limit of sequence numbers`() throws {
        let place = try Place(pool: Sample.pool)
        try place.change("UPDATE pool SET incarnation = \((1 << 24) - 2)", signing: true)
        let catalogue = try Catalogue(openingAt: place.path)
        let last = try catalogue.nextIncarnation()
        #expect(last == (1 << 24) - 1)
        try catalogue.begin(incarnation: last, logEnds: [])
        #expect(
            failure { () throws(CatalogueError) in try catalogue.nextIncarnation() }
                == .incarnationsExhausted(path: place.path)
        )
        try catalogue.close()
    }

    @Test func `a closed catalogue says so`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        try catalogue.close()
        try catalogue.close()
        #expect(
            failure { () throws(CatalogueError) in try catalogue.contents() }
                == .closed(path: place.path)
        )
        #expect(
            failure { () throws(CatalogueError) in
                try catalogue.commit(CheckpointImage(position: Sample.position(0)))
            } == .closed(path: place.path)
        )
    }
}
