import Catalogue
import Engine
import Format
import Foundation
import Testing
import Units

@testable import Control

/// The catalogue of a real pool is made anew.
@Suite(.serialized) struct PoolRebuildTests {
    private let demo: DemoPool
    private var run: CommandRun { demo.run }
    private var folder: String { demo.directory.path }
    private var place: String { demo.directory.cataloguePath }
    private var devices: [String] { [demo.flash, demo.disk] }
    /// Where a lost catalogue is kept.
    private var kept: String { run.home + "/kept/catalogue.sqlite" }

    init() throws {
        demo = try DemoPool()
        let made = demo.create()
        try #require(made.status == 0, "\(made.errors)")
        #expect(run("volume", "create", "demo/a", "16MiB").status == 0)
        #expect(run("volume", "create", "demo/b", "4MiB").status == 0)
    }

    private func data(_ chunk: UInt64) -> [UInt8] {
        (0..<65536).map { UInt8(truncatingIfNeeded: UInt64($0 / 7) &* 31 &+ chunk &* 17) }
    }

    private static let chunks: [UInt64] = [0, 1, 9, 40, 200, 255]

    private func client() throws -> DemoClient {
        var client = try DemoClient(socket: run.home + "/nbd.sock")
        try client.attach("demo/a")
        return client
    }

    private func writeData() throws {
        let (service, server) = try demo.serve()
        var client = try client()
        for chunk in Self.chunks { try client.write(data(chunk), at: chunk << 16) }
        try client.flush()
        server.stop()
        try service.stop()
    }

    private func expectData() throws {
        let (service, server) = try demo.serve()
        var client = try client()
        for chunk in Self.chunks {
            #expect(try client.read(65536, at: chunk << 16) == data(chunk), "chunk \(chunk)")
        }
        #expect(try client.read(4096, at: 100 << 16) == [UInt8](repeating: 0, count: 4096))
        server.stop()
        try service.stop()
        let checked = run("check", "demo")
        #expect(checked.status == 0, "\(checked)")
    }

    /// Takes the catalogue away, to where it can be looked at.
    private func loseCatalogue() throws {
        try FileManager.default.createDirectory(
            atPath: run.home + "/kept",
            withIntermediateDirectories: true
        )
        try FileManager.default.moveItem(atPath: place, toPath: kept)
        // Whoever reads it there takes a lock.
        try make(run.home + "/kept/lock", "")
    }

    private func rebuild(
        yes: Bool = false,
        isPlan: Bool = false,
        directory: String? = nil
    ) throws -> RebuildReport {
        try PoolRebuild(
            name: .pool("demo"),
            devices: devices.reversed(),
            directory: directory,
            home: run.home,
            replaces: yes,
            isPlan: isPlan
        ).perform()
    }

    private func names(_ path: String) throws -> Set<String> {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        return Set(try FileManager.default.subpathsOfDirectory(atPath: path))
    }

    private func make(_ path: String, _ text: String) throws {
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true
        )
        #expect(FileManager.default.createFile(atPath: path, contents: Data(text.utf8)))
    }

    private func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: What it makes

    @Test func `a pool that lost its catalogue opens again with the same data`() throws {
        try writeData()
        try loseCatalogue()
        #expect(run("pool", "status", "demo").status == 3)
        let report = try rebuild()
        #expect(report.volumes.map(\.name) == ["a", "b"] && report.leafCount > 0)
        #expect(report.positions.map(\.lane) == [LaneIndex(0)])
        #expect(report.text.contains("volume demo/a: 16 MiB = 16,777,216 bytes\n"))
        #expect(report.text.hasSuffix("rebuilt the catalogue of pool demo in \(folder)\n"))
        #expect(report.json["missing"]?.items?.compactMap(\.string).count == 3)
        #expect(
            try names(folder) == ["catalogue.sqlite", "catalogue.sqlite.reserve", "lock"]
        )
        let events = try JSONReader.read(run("events", "demo", "--json").output)
        #expect(events["items"]?.items?.map { $0["event"] ?? $0["type"] } == ["pool_rebuilt"])
        try expectData()
    }

    @Test func `a pool whose directory and entry are gone gets them anew`() throws {
        try writeData()
        try loseCatalogue()
        try FileManager.default.removeItem(atPath: folder)
        _ = try rebuild()
        #expect(run("pool", "list", "-H", "-o", "name,state").output == "demo\tOFFLINE\n")
        try expectData()
    }

    @Test func `another directory is made, and the index leads to it`() throws {
        try writeData()
        try loseCatalogue()
        try FileManager.default.removeItem(atPath: folder)
        let elsewhere = run.home + "/elsewhere/demo"
        #expect(try rebuild(directory: elsewhere).directory.path == elsewhere)
        #expect(run("pool", "status", "demo").output.contains("OFFLINE"))
        #expect(run("check", "demo").status == 0)
    }

    @Test func `a catalogue that is there is kept aside`() throws {
        try writeData()
        try loseCatalogue()
        try FileManager.default.copyItem(atPath: kept, toPath: place)
        let before = FileManager.default.contents(atPath: place)
        #expect(throws: ControlError.catalogueThere(pool: "demo", path: place)) { try rebuild() }
        #expect(FileManager.default.contents(atPath: place) == before)
        // Two in one second: each has a name of its own.
        let first = try #require(try rebuild(yes: true).asidePath)
        #expect(FileManager.default.contents(atPath: first) == before)
        let second = try #require(try rebuild(yes: true).asidePath)
        #expect(first != second && FileManager.default.fileExists(atPath: first))
        #expect(first.hasPrefix(place + ".before-") && second.hasPrefix(place + ".before-"))
        try expectData()
        // They go with their pool.
        #expect(run("pool", "destroy", "demo", "--yes", "--force").status == 0)
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test func `leaves that are damaged in the catalogue are good again`() throws {
        try writeData()
        let catalogue = try Catalogue(openingAt: place)
        let contents = try catalogue.contents()
        var image = CheckpointImage(position: contents.positions[0])
        image.leaves = try contents.leafKeys.map { key in
            var bytes = try catalogue.load(key).bytes
            bytes[bytes.count / 2] ^= 1
            return (key, bytes)
        }
        try #require(!image.leaves.isEmpty)
        try catalogue.commit(image)
        try catalogue.close()
        #expect(run("check", "demo").output.contains("is damaged"))
        _ = try rebuild(yes: true)
        try expectData()
    }

    @Test func `where the catalogue keeps a pool shut, the error names the rebuild`() {
        let damaged = RecoveryError.leafDamaged(LeafKey(tree: TreeIdentifier(1), index: 2))
        for error in [
            ControlError(damaged, of: "demo", []),
            ControlError(.rowImpossible(table: "leaves"), of: "demo", []),
            .catalogueOlder(pool: "demo", path: "/dev/flash", finding: "told of opening 2"),
        ] {
            #expect(error.report.advice.contains("isotherm pool rebuild demo --yes --device"))
        }
        let log = ControlError(.mapTooSmall(leafCount: 9), of: "demo", [])
        #expect(!log.report.advice.contains("rebuild"))
    }

    @Test func `a dry run changes nothing`() throws {
        try writeData()
        try loseCatalogue()
        let before = try names(run.home)
        let report = try rebuild(isPlan: true)
        #expect(report.isPlan && report.volumes.count == 2 && report.asidePath == nil)
        #expect(report.text.contains("would rebuild the catalogue of pool demo"))
        #expect(try names(run.home) == before)
        try FileManager.default.copyItem(atPath: kept, toPath: place)
        let contents = FileManager.default.contents(atPath: place)
        #expect(try rebuild(isPlan: true).text.contains("would be moved aside"))
        #expect(FileManager.default.contents(atPath: place) == contents)
        try FileManager.default.removeItem(atPath: folder)
        let without = try names(run.home)
        _ = try rebuild(isPlan: true)
        #expect(try names(run.home) == without)
    }

    // MARK: What it refuses

    @Test(arguments: ["flash.img", "disk.img"])
    func `a device from before is refused, and leaves nothing`(name: String) throws {
        let path = run.home + "/" + name
        let copy = try #require(FileManager.default.contents(atPath: path))
        // The pool lives on, and one of its devices is put back.
        try writeData()
        try writeData()
        try loseCatalogue()
        let newest = try #require(FileManager.default.contents(atPath: path))
        try copy.write(to: URL(fileURLWithPath: path))
        let before = try names(run.home)
        let error = #expect(throws: ControlError.self) { try rebuild() }
        // The only flash device says all that there is to say: the disk knows better.
        let code = name == "flash.img" ? "catalogue_older" : "device_older"
        #expect(error?.report.code == code, "\(String(describing: error))")
        #expect(try names(run.home) == before)
        try newest.write(to: URL(fileURLWithPath: path))
        _ = try rebuild()
        try expectData()
    }

    @Test func `a damaged mirror leaves what was there`() throws {
        try writeData()
        try loseCatalogue()
        try FileManager.default.copyItem(atPath: kept, toPath: place)
        let before = try names(run.home)
        let row = try Catalogue(openingAt: kept).devices[0]
        let handle = try #require(FileHandle(forUpdatingAtPath: demo.flash))
        try handle.seek(
            toOffset: 1 << 20 + UInt64(row.segmentCount) * row.segmentByteCount + 2000
        )
        try handle.write(contentsOf: [1, 2, 3, 4])
        try handle.close()
        let error = #expect(throws: ControlError.self) { try rebuild(yes: true) }
        #expect(error?.report.code == "mirror_damaged", "\(String(describing: error))")
        #expect(try names(run.home) == before)
        try expectData()
    }

    @Test func `the command says what it made`() throws {
        try writeData()
        try loseCatalogue()
        let arguments = ["pool", "rebuild", "demo"] + Self.named(devices)
        let plan = run(arguments + ["--dry-run"])
        #expect(plan.status == 0 && plan.output.contains("would rebuild"), "\(plan.errors)")
        let made = run(arguments + ["--json"])
        #expect(made.status == 0, "\(made.errors)")
        let document = try JSONReader.read(made.output)
        #expect(document["schema"]?.string == "isotherm.pool.rebuild/1")
        let item = try #require(document["items"]?.items?.first)
        #expect(item["volumes"]?.items?.count == 2)
        try expectData()
    }

    private struct Refusal: Sendable, CustomTestStringConvertible {
        var code: String
        var status: Int32
        var arguments: @Sendable (DemoPool) throws -> [String]
        var testDescription: String { code }
    }

    private static func named(_ paths: [String]) -> [String] { paths.flatMap { ["--device", $0] } }

    private static let refusals: [Refusal] = [
        Refusal(code: "is named", status: 64) { _ in [] },
        Refusal(code: "no such file or device", status: 3) { demo in
            named([demo.flash, demo.run.home + "/missing.img"])
        },
        Refusal(code: "no path was given for device 1 (disk, 128 MiB)", status: 2) { demo in
            named([demo.flash])
        },
        Refusal(code: "is named twice", status: 64) { demo in
            named([demo.flash, demo.disk, demo.flash])
        },
        Refusal(code: "is named twice", status: 64) { demo in
            let link = demo.run.home + "/link.img"
            try FileManager.default.createSymbolicLink(
                atPath: link,
                withDestinationPath: demo.flash
            )
            return named([demo.flash, demo.disk, link])
        },
        Refusal(code: "says that it is the same device", status: 2) { demo in
            let copy = demo.run.home + "/copy.img"
            try FileManager.default.copyItem(atPath: demo.disk, toPath: copy)
            return named([demo.flash, demo.disk, copy])
        },
        Refusal(code: "no superblock opens it", status: 2) { demo in
            let file = demo.run.home + "/zeros.img"
            #expect(
                FileManager.default.createFile(atPath: file, contents: Data(count: 4 << 20))
            )
            return named([demo.flash, demo.disk, file])
        },
        Refusal(code: "the size, which is smaller", status: 2) { demo in
            let handle = try #require(FileHandle(forUpdatingAtPath: demo.disk))
            try handle.truncate(atOffset: 64 << 20)
            try handle.close()
            return named([demo.flash, demo.disk])
        },
        Refusal(code: "belongs to pool 'other'", status: 2) { demo in
            let (flash, disk) = (demo.run.home + "/f.img", demo.run.home + "/d.img")
            let made = demo.run(
                "pool",
                "create",
                "other",
                "--flash",
                flash + ":64MiB",
                "--disk",
                disk + ":128MiB"
            )
            #expect(made.status == 0, "\(made.errors)")
            return named([demo.flash, disk])
        },
    ]

    @Test(arguments: refusals)
    private func `devices that are not all of the pool are refused`(refusal: Refusal) throws {
        let devices = try refusal.arguments(demo)
        try FileManager.default.removeItem(atPath: place)
        let before = try names(run.home)
        for option in [[], ["--dry-run"], ["--json"]] {
            let outcome = run(["pool", "rebuild", "demo"] + devices + option)
            #expect(outcome.status == refusal.status, "\(outcome.errors)")
            #expect(outcome.errors.contains(refusal.code), "\(outcome.errors)")
            #expect(outcome.output.isEmpty)
        }
        #expect(try names(run.home) == before)
    }

    @Test func `a pool is rebuilt by its own name alone, and not while it is served`() throws {
        let named = Self.named(devices)
        let wrong = run(["pool", "rebuild", "tank"] + named)
        #expect(wrong.status == 2 && wrong.errors.contains("isotherm pool rebuild demo"))
        #expect(run(["pool", "rebuild", "../demo"] + named).status == 64)
        let there = run(["pool", "rebuild", "demo"] + named)
        #expect(there.status == 2 && there.errors.contains("say --yes"), "\(there.errors)")
        let (service, server) = try demo.serve()
        let served = run(["pool", "rebuild", "demo", "--yes"] + named)
        #expect(served.status == 2 && served.errors.contains("is open in"), "\(served.errors)")
        server.stop()
        try service.stop()
        #expect(run("pool", "list", "-H", "-o", "name").output == "demo\n")
    }

    @Test func `each finding of the mirror says what it is and what to do`() {
        let errors: [ControlError] = [
            .mirrorNotWhole(pool: "demo", finding: "of lane 3"),
            .mirrorDamaged(pool: "demo", finding: "of lane 3"),
            .mirrorWitnessMissing(pool: "demo", finding: "of lane 3"),
            .mirrorContradiction(pool: "demo", finding: "of lane 3"),
        ]
        let reports = errors.map(\.report)
        #expect(Set(reports.map(\.code)).count == errors.count)
        for report in reports {
            #expect(report.message.contains("'demo'") && report.message.contains("of lane 3"))
            #expect(!report.advice.isEmpty && report.status == .failed)
        }
        #expect(reports[0].advice.contains("mirror_given_up"))
    }

    // MARK: What an interruption leaves

    @Test func `the next rebuild puts right what an interrupted one left`() throws {
        try writeData()
        try loseCatalogue()
        // Cut between the database and its log, with the draft still there.
        try make(place + ".before-100", "an older database")
        try make(place + ".before-200", "the database")
        try make(place + "-wal", "its log")
        for name in ["catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite.new", "lock"] {
            try make(folder + "/catalogue.rebuild/" + name, "a draft")
        }
        #expect(try rebuild().asidePath == nil)
        #expect(text(place + ".before-200-wal") == "its log")
        #expect(text(place + ".before-100") == "an older database")
        #expect(!FileManager.default.fileExists(atPath: folder + "/catalogue.rebuild"))
        try expectData()
    }

    @Test func `a log that belongs to nobody known is kept apart`() throws {
        try writeData()
        try loseCatalogue()
        try make(place + ".before-200", "a database")
        try make(place + ".before-200-wal", "its log")
        try make(place + "-wal", "another log")
        _ = try rebuild()
        #expect(text(place + ".before-200-wal") == "its log")
        #expect(text(place + ".before-200-wal.other") == "another log")
        try expectData()
    }

    @Test func `a pool can be destroyed and made where a rebuild was interrupted`() throws {
        try make(folder + "/catalogue.rebuild/catalogue.sqlite.new", "a draft")
        try make(place + ".before-100", "a database")
        let destroyed = run("pool", "destroy", "demo", "--yes", "--force", "--delete-files")
        #expect(destroyed.status == 0, "\(destroyed.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder))
        try make(folder + "/catalogue.rebuild/catalogue.sqlite", "a draft")
        try make(place + "-wal", "a log")
        let made = demo.create()
        #expect(made.status == 0, "\(made.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder + "/catalogue.rebuild"))
        #expect(run("pool", "status", "demo").status == 0)
    }
}
