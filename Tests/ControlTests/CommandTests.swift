import Foundation
import Testing

@testable import Control

@Suite struct CommandTests {
    @Test func `help is data and mistakes are messages`() {
        let run = CommandRun()
        let help = run("--help")
        #expect(help.status == 0 && help.errors.isEmpty && help.output.contains("volume"))
        let mistake = run("volume", "explode")
        #expect(mistake.status == 64 && mistake.output.isEmpty && !mistake.errors.isEmpty)
        #expect(run("volume", "create").status == 64)
        #expect(run("--nonsense").status == 64)
        #expect(run("--version").output == "isotherm 0.1.0\n")
    }

    private static let mistakes: [([String], Int32)] = [
        (["volume", "create", "tank", "1GiB"], 64), (["volume", "create", "tank/v", "1XiB"], 64),
        (["volume", "create", "tank/v", "100"], 64), (["volume", "create", "tank/v", "1GiB"], 3),
        (["status", "tank"], 3), (["pool", "status", "tank"], 3), (["heat", "tank/v"], 3),
        (["explain", "tank/v"], 64), (["explain", "tank/v@+0"], 3),
        (["pool", "destroy", "tank", "--yes"], 3), (["inspect", "/nonexistent"], 3),
        (["inspect", "/dev/null", "nonsense"], 64), (["pool", "list"], 0), (["volume", "list"], 0),
        (["pool", "create", "tank"], 64),
        (["pool", "create", "tank", "--flash", "/nonexistent", "--disk", "/nonexistent"], 3),
        (["pool", "create", "../x", "--flash", "a:1GiB", "--disk", "b:1GiB"], 64),
    ]

    @Test(arguments: mistakes)
    func `errors have their exit status`(pair: ([String], Int32)) {
        let run = CommandRun()
        let arguments = pair.0
        let console = Console(output: { _ in }, errorOutput: { _ in }, home: run.home)
        #expect(CommandLineTool.run(arguments, console: console) == pair.1)
    }

    @Test func `a pool is planned, made, shown, inspected and destroyed`() throws {
        let demo = try DemoPool()
        let (run, flash, disk) = (demo.run, demo.flash, demo.disk)
        func create(_ option: String = "--lanes=1") -> CommandRun.Outcome {
            demo.create(option, diskSettings: ",model=hdd7200")
        }
        let plan = create("--dry-run")
        #expect(plan.status == 0 && plan.output.contains("would create pool demo"))
        #expect(plan.output.contains("64 MiB = 67,108,864 bytes"))
        #expect(plan.output.contains("hdd7200 (modelled)"))
        #expect(!FileManager.default.fileExists(atPath: flash))

        #expect(create().status == 0)
        #expect(create().status == 2)

        let status = run("pool", "status", "demo")
        #expect(status.status == 0 && status.output.contains("state: OFFLINE"))
        #expect(status.output.contains("hdd7200 (modelled)"))
        let json = try JSONReader.read(run("pool", "status", "demo", "--json").output)
        #expect(json["schema"]?.string == "isotherm.pool.status/1")
        #expect(json["modelled"]?.isTrue == true)
        #expect(run("pool", "list").output.contains("demo (modelled)"))

        let inspected = run("inspect", flash)
        #expect(inspected.status == 0 && inspected.output.contains("demo"))
        #expect(run("inspect", flash, "segments").status == 0)
        let witnesses = run("inspect", flash, "witness")
        #expect(witnesses.status == 0 && witnesses.output.contains("no witness"))
        #expect(run("inspect", flash, "segment", "0").status == 1)
        #expect(run("inspect", run.home + "/pools/demo/catalogue.sqlite").status == 0)

        // Its devices belong to it.
        let taken = run("pool", "create", "other", "--flash", flash, "--disk", disk)
        #expect(taken.status == 2 && taken.errors.contains("belongs to pool"))

        #expect(run("pool", "destroy", "demo").status == 2)
        let asked = run("pool", "destroy", "demo", ask: { _ in "demon" })
        #expect(asked.status == 2 && asked.errors.contains("nothing was changed"))
        #expect(run("pool", "destroy", "demo", "--dry-run").status == 0)
        #expect(run("pool", "destroy", "demo", ask: { _ in "demo" }).status == 0)
        #expect(run("pool", "status", "demo").status == 3)
        // What holds something else is asked for.
        let handle = try #require(FileHandle(forUpdatingAtPath: disk))
        try handle.seek(toOffset: 1080)
        try handle.write(contentsOf: Data([0x53, 0xEF]))
        let unasked = run("pool", "create", "other", "--flash", flash, "--disk", disk)
        #expect(unasked.status == 2 && unasked.output.contains("what it holds is lost"))
        try handle.seek(toOffset: 1080)
        try handle.write(contentsOf: Data([0, 0]))
        try handle.close()
        // The superblocks are gone, so the devices can be used again.
        #expect(run("pool", "create", "other", "--flash", flash, "--disk", disk).status == 0)
        #expect(run("pool", "destroy", "other", "--yes", "--delete-files").status == 0)
        #expect(!FileManager.default.fileExists(atPath: flash))
    }

    @Test func `a creation that fails leaves nothing behind`() throws {
        let run = CommandRun()
        try FileManager.default.createDirectory(
            atPath: run.home,
            withIntermediateDirectories: true
        )
        let flash = run.home + "/flash.img"
        let outcome = run(
            "pool",
            "create",
            "demo",
            "--flash",
            flash + ":64MiB",
            "--disk",
            run.home + "/missing/disk.img:128MiB"
        )
        #expect(outcome.status == 1 && !FileManager.default.fileExists(atPath: flash))
        #expect(run("pool", "list").output.isEmpty)
    }
}
