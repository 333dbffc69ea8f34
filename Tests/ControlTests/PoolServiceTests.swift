import Catalogue
import Format
import Foundation
import Testing

@testable import Control

/// Pools on real files and rings, with the command line as their user: with a daemon, without one,
/// and after a daemon that was not stopped in order.
@Suite(.serialized) struct PoolServiceTests {
    private let demo: DemoPool
    private var run: CommandRun { demo.run }
    private var flash: String { demo.flash }
    private var disk: String { demo.disk }
    private var directory: PoolDirectory { demo.directory }

    init() throws {
        demo = try DemoPool()
        let made = demo.create(diskSettings: ",model=hdd7200")
        try #require(made.status == 0, "\(made.errors)")
    }

    private func serve() throws -> (service: PoolService, server: ControlServer) {
        try demo.serve(addresses: [ListenAddress(host: "127.0.0.1", port: 0)])
    }

    @Test func `volumes live through commands that open the pool themselves`() throws {
        let made = run("volume", "create", "demo/a", "48MiB")
        #expect(made.status == 0, "\(made.errors)")
        #expect(made.output == "created volume demo/a: 48 MiB = 50,331,648 bytes, lane 0\n")
        #expect(run("volume", "create", "demo/a", "1MiB").status == 2)
        #expect(run("volume", "create", "demo/b", "1GiB", "--dry-run").status == 0)
        #expect(run("volume", "list", "-H", "-o", "name").output == "demo/a\n")
        #expect(run("volume", "list", "demo/b").status == 3)

        #expect(run("volume", "resize", "demo/a", "64MiB").status == 0)
        let sizes = run("volume", "list", "demo/a", "-H", "-p", "-o", "name,byteCount,state")
        #expect(sizes.output == "demo/a\t67108864\tOFFLINE\n")
        #expect(run("volume", "resize", "demo/a", "32MiB").status == 2)
        #expect(run("volume", "resize", "demo/a", "32MiB", "--yes").status == 0)

        let heat = run("heat", "demo/a")
        #expect(heat.status == 0 && heat.output.contains("0 MiB to 32 MiB: hole"), "\(heat)")
        let explained = run("explain", "demo/a@+1MiB")
        #expect(explained.status == 0 && explained.output.contains("chunk 16 of demo/a"))
        #expect(run("explain", "demo/a@+32MiB").status == 3)

        #expect(run("pool", "destroy", "demo", "--yes").status == 2)
        #expect(run("volume", "destroy", "demo/a").status == 2)
        #expect(run("volume", "destroy", "demo/a", "--dry-run").status == 0)
        #expect(run("volume", "destroy", "demo/a", "--yes").status == 0)
        #expect(run("volume", "list", "-H", "-o", "name").output == "")
        #expect(run("volume", "destroy", "demo/a", "--yes").status == 3)
    }

    @Test func `a daemon answers the same commands`() throws {
        let (service, server) = try serve()
        #expect(run("volume", "create", "demo/a", "48MiB").status == 0)
        let status = run("status", "demo")
        #expect(status.status == 0 && status.output.contains("state: ONLINE"))
        let port = try #require(service.endpoints.addresses.first?.port)
        #expect(port != 0)
        #expect(status.output.contains("export: nbd://127.0.0.1:\(port)/demo/a"))
        #expect(status.output.contains("hdd7200 (modelled)"))
        let json = try JSONReader.read(run("status", "--json").output)
        let item = try #require(json["items"]?.items?.first)
        #expect(item["served"]?.isTrue == true)
        #expect(item[path: "space.promisedByteCount"]?.unsigned == 48 << 20)
        #expect(
            run("volume", "list", "-H", "-o", "name,state,clientCount,modelled").output
                == "demo/a\tONLINE\t0\tyes\n"
        )
        #expect(run("heat", "demo/a", "--json").output.contains("isotherm.heat/1"))
        #expect(run("explain", "demo/a:chunk3", "--json").output.contains("isotherm.explain/1"))

        // Nobody else opens the pool, and it cannot be destroyed under the daemon.
        let error = #expect(throws: ControlError.self) {
            try PoolService.open(directory, options: PoolService.Options())
        }
        #expect(error?.report.status == .refused)
        #expect(run("pool", "destroy", "demo", "--yes", "--force").status == 2)
        #expect(
            run("pool", "create", "other", "--flash", flash, "--disk", disk).status == 2
        )

        #expect(run("volume", "destroy", "demo/a", "--yes").status == 0)
        server.stop()
        try service.stop()
        #expect(run("status", "demo").status == 4)
        #expect(run("pool", "status", "demo").output.contains("OFFLINE"))
    }

    @Test func `witnesses are shown with where the log and the mirror were`() throws {
        let (service, server) = try serve()
        #expect(run("volume", "create", "demo/a", "1MiB").status == 0)
        server.stop()
        try service.stop()
        let json = try JSONReader.read(run("inspect", flash, "witness", "--json").output)
        let items = try #require(json["items"]?.items)
        #expect(items.count == Witness.placeCount)
        let newest = try #require(
            items.max { ($0["number"]?.unsigned ?? 0) < ($1["number"]?.unsigned ?? 0) }
        )
        #expect(newest["finding"]?.string == "good")
        #expect(newest["incarnation"]?.unsigned == newest["witnessedIncarnation"]?.unsigned)
        let checkpoint = try #require(newest["checkpoint"]?.unsigned)
        #expect(try #require(newest["witnessed"]?.unsigned) <= checkpoint)
        let record = try #require(newest["logNextRecord"]?.unsigned)
        #expect(record >= (newest["logEndRecord"]?.unsigned ?? .max))
        let segment = try #require(newest["logSegment"]?.unsigned)
        #expect(newest["logText"]?.string == "0:\(segment), \(record)")
        let isWhole = newest["mirrorWhole"]?.isTrue == true
        #expect(isWhole == (newest["mirrorBegin"]?.unsigned != nil))
        #expect(isWhole == (newest["mirrorText"]?.string != "not whole"))
        let text = run("inspect", flash, "witness").output
        #expect(text.contains("WITNESSED") && text.contains("0:\(segment), \(record)"))
    }

    @Test func `monitoring gets one line and its exit status`() throws {
        let stopped = run("status", "demo", "--check")
        #expect(stopped.status == 2 && stopped.errors.isEmpty)
        #expect(stopped.output == "CRIT: demo (modelled) OFFLINE: it is not being served\n")
        #expect(run("status", "--check").output == stopped.output)
        let (service, server) = try serve()
        let served = run("status", "demo", "--check")
        #expect(served.status == 0 && served.errors.isEmpty)
        #expect(served.output == "OK: demo (modelled) ONLINE\n")
        server.stop()
        try service.stop()

        try FileManager.default.removeItem(atPath: disk)
        let away = run("status", "--check")
        #expect(away.status == 2 && away.output.hasPrefix("CRIT: demo (modelled) UNAVAIL: "))
        #expect(away.output.contains(disk))
        let other = run("status", "other", "--check")
        #expect(other.status == 3 && other.errors.isEmpty)
        #expect(other.output.hasPrefix("UNKNOWN: there is no pool 'other'"))
        #expect(run("status", "--check", "--json").status == 64)
    }

    @Test func `heat lists the hottest stretches`() throws {
        #expect(run("volume", "create", "demo/a", "48MiB").status == 0)
        let (service, server) = try serve()
        defer {
            server.stop()
            try? service.stop()
        }
        #expect(run("heat", "demo/a", "--top", "3").output.hasSuffix(" cool on flash: none\n"))
        var client = try DemoClient(socket: run.home + "/nbd.sock")
        try client.attach("demo/a")
        let chunk = [UInt8](repeating: 7, count: 64 << 10)
        for _ in 0..<20 { try client.write(chunk, at: 1 << 20) }
        try client.write(chunk, at: 8 << 20)

        let drawn = run("heat", "demo/a", "--top", "3")
        #expect(drawn.status == 0 && drawn.output.contains(" hottest:\nADDRESS"), "\(drawn)")
        let json = try JSONReader.read(run("heat", "demo/a", "--top", "1", "--json").output)
        let hottest = try #require(json["items"]?.items?.first?["hottest"]?.items)
        #expect(hottest.map { $0["address"]?.string } == ["demo/a:chunk16"])
        #expect(hottest.first?["place"]?.string == "flash")
        #expect(hottest.first?["byteCount"]?.unsigned == 64 << 10)
        #expect(run("explain", "demo/a:chunk16").status == 0)
        #expect(!run("heat", "demo/a", "--json").output.contains("hottest"))
        let square = run("heat", "demo/a", "--layout", "hilbert")
        #expect(square.status == 0 && square.output.contains("hilbert, cell 64 KiB"))
        #expect(run("heat", "demo/a", "--layout", "hilbert", "--lines", "17").status == 64)
        #expect(run("heat", "demo/a", "--layout", "time").status == 64)
        #expect(run("heat", "demo/a", "--lines", "257").status == 64)
        for count in ["0", "257", "x"] {
            #expect(run("heat", "demo/a", "--top", count).status == 64)
        }
    }

    @Test func `requests over the socket are checked like those of the command line`() throws {
        let (service, server) = try serve()
        defer {
            server.stop()
            try? service.stop()
        }
        let client = ControlClient(path: directory.controlSocketPath)
        let refused: [ControlRequest] = [
            .init("volume.create"), .init("volume.create", ["volume": "../x", "byteCount": 4096]),
            .init("volume.create", ["volume": "x", "byteCount": 1]),
            .init("volume.create", ["volume": "x", "byteCount": -1]),
            .init("volume.create", ["volume": "x", "byteCount": .count(UInt64.max)]),
            .init("volume.resize", ["volume": "x", "byteCount": 4096]),
            .init("volume.destroy", ["volume": .text(String(repeating: "x", count: 100_000))]),
            .init("heat", ["volume": "x", "lines": .count(UInt64.max)]), .init("explain"),
        ]
        for request in refused {
            #expect(throws: ControlError.self) { try client.answer(request) }
        }
        let made = try client.answer(
            .init("volume.create", ["volume": "x", "byteCount": 1_048_576])
        )
        #expect(made["uris"]?.items?.count == 2)
        #expect(throws: Never.self) {
            try client.answer(.init("heat", ["volume": "x", "lines": .count(UInt64.max)]))
        }
    }

    @Test func `a device that is not the pool's is refused`() throws {
        #expect(run("volume", "create", "demo/a", "1MiB").status == 0)
        let (away, other) = (flash + ".away", run.home + "/other.img")
        try FileManager.default.moveItem(atPath: flash, toPath: away)
        let missing = run("volume", "create", "demo/b", "1MiB")
        #expect(missing.status == 3 && missing.errors.contains(flash))
        #expect(run("pool", "status", "demo").output.contains("UNAVAIL"))

        let made = run(
            "pool",
            "create",
            "other",
            "--flash",
            flash + ":64MiB",
            "--disk",
            other + ":128MiB"
        )
        #expect(made.status == 0)
        let mismatch = run("volume", "create", "demo/b", "1MiB")
        #expect(mismatch.status == 2 && mismatch.errors.contains("is not the pool's device"))

        try FileManager.default.removeItem(atPath: flash)
        try FileManager.default.moveItem(atPath: away, toPath: flash)
        #expect(run("volume", "create", "demo/b", "1MiB").status == 0)
    }

    @Test(arguments: ["flash", "disk"])
    func `a device that has become smaller is refused, and a larger one is not`(
        device: String
    ) throws {
        #expect(run("volume", "create", "demo/a", "1MiB").status == 0)
        let path = device == "flash" ? flash : disk
        let byteCount = try #require(FileHandle(forReadingAtPath: path)).seekToEnd()
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: byteCount - (1 << 20))
        let tail = try #require(try handle.readToEnd())
        try handle.truncate(atOffset: byteCount - (1 << 20))
        let refused = run("volume", "create", "demo/b", "1MiB")
        #expect(refused.status == 2 && refused.errors.contains("the size, which is smaller"))

        try handle.seekToEnd()
        try handle.write(contentsOf: tail)
        try handle.truncate(atOffset: byteCount + (4 << 20))
        try handle.close()
        #expect(run("volume", "create", "demo/b", "1MiB").status == 0)
        #expect(!run("inspect", path).output.contains("no superblock"))
    }

    @Test func `two damaged superblocks open the device and are written anew`() throws {
        let handle = try #require(FileHandle(forUpdatingAtPath: flash))
        for offset: UInt64 in [0, 64 << 10] {
            try handle.seek(toOffset: offset)
            try handle.write(contentsOf: Data(repeating: 0xFF, count: 4096))
        }
        try handle.close()
        #expect(run("inspect", flash).output.contains("no superblock"))
        #expect(run("volume", "create", "demo/a", "1MiB").status == 0)
        #expect(!run("inspect", flash).output.contains("no superblock"))
    }
}
