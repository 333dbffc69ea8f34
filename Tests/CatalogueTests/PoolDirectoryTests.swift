import Foundation
import Testing

@testable import Catalogue

@Suite struct PoolDirectoryTests {
    @Test func `a pool inside the index is found, listed and forgotten`() throws {
        let home = try Place()
        #expect(try PoolDirectory.list(home: home.directory).isEmpty)
        let tank = try PoolDirectory.register("tank", home: home.directory)
        #expect(tank.path == home.directory + "/pools/tank")
        #expect(try PoolDirectory.locate("tank", home: home.directory) == tank)
        #expect(try PoolDirectory.register("tank", home: home.directory) == tank)
        #expect(try PoolDirectory.list(home: home.directory) == [tank])
        let mode = try FileManager.default.attributesOfItem(atPath: tank.path)[.posixPermissions]
        #expect((mode as? NSNumber)?.intValue == 0o700)
        try PoolDirectory.forget("tank", home: home.directory)
        #expect(
            failure { () throws(CatalogueError) in
                try PoolDirectory.locate("tank", home: home.directory)
            } == .unknownPool(name: "tank", index: home.directory + "/pools")
        )
    }

    @Test func `a pool elsewhere is a link, and forgetting it leaves its files`() throws {
        let home = try Place()
        let far = try Place(pool: Sample.pool)
        let pool = try PoolDirectory.register("far", at: far.directory + "/", home: home.directory)
        #expect(pool.path == far.directory)
        #expect(pool.cataloguePath == far.path)
        #expect(try PoolDirectory.locate("far", home: home.directory) == pool)
        #expect(
            failure { () throws(CatalogueError) in
                try PoolDirectory.register("far", at: "/tmp", home: home.directory)
            } == .poolNameTaken(name: "far", path: far.directory)
        )
        try PoolDirectory.forget("far", home: home.directory)
        #expect(FilePlace.byteCount(of: far.path) != nil)
    }

    @Test func `a link to nowhere is listed, and its directory is missing`() throws {
        let home = try Place()
        let path = home.directory + "/elsewhere"
        let pool = try PoolDirectory.register("gone", at: path, home: home.directory)
        try FileManager.default.removeItem(atPath: path)
        #expect(try PoolDirectory.list(home: home.directory) == [pool])
        #expect(
            failure { () throws(CatalogueError) in
                try PoolDirectory.locate("gone", home: home.directory)
            } == .poolDirectoryMissing(name: "gone", path: path)
        )
        try PoolDirectory.forget("gone", home: home.directory)
        #expect(try PoolDirectory.list(home: home.directory).isEmpty)
    }

    @Test(arguments: [
        "", ".", "..", ".hidden", "-x", "_x", "a/b", "a b", "ä", "a\n",
        String(repeating: "a", count: 65),
    ])
    func `a name that is none is refused`(name: String) throws {
        let home = try Place()
        for error in [
            failure { () throws(CatalogueError) in
                try PoolDirectory.register(name, home: home.directory)
            },
            failure { () throws(CatalogueError) in
                try PoolDirectory.locate(name, home: home.directory)
            },
            failure { () throws(CatalogueError) in
                try PoolDirectory.forget(name, home: home.directory)
            },
        ] {
            #expect(error == .poolName(name))
        }
    }

    @Test func `files are removed only while nobody has the pool open`() throws {
        let home = try Place()
        let tank = try PoolDirectory.register("tank", home: home.directory)
        try Catalogue.create(at: tank.cataloguePath, pool: Sample.pool, devices: [])
        let catalogue = try Catalogue(openingAt: tank.cataloguePath)
        let refusal = failure { () throws(CatalogueError) in try tank.removeFiles() }
        guard case .inUse = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(
            failure { () throws(CatalogueError) in
                try PoolDirectory.forget("tank", home: home.directory)
            } == .poolDirectoryNotEmpty(name: "tank", path: tank.path)
        )
        try catalogue.close()
        try tank.removeFiles()
        try PoolDirectory.forget("tank", home: home.directory)
        #expect(try PoolDirectory.list(home: home.directory).isEmpty)
    }

    @Test func `the home is absolute`() {
        #expect(PoolDirectory.defaultHome.hasPrefix("/"))
    }
}
