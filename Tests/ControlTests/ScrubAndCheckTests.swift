import Catalogue
import Foundation
import Testing
import Units

@testable import Control

/// Scrub and check on real files and rings, with the command line as their user.
@Suite(.serialized) struct ScrubAndCheckTests {
    private let demo: DemoPool
    private var run: CommandRun { demo.run }
    private var flash: String { demo.flash }
    private var disk: String { demo.disk }
    private var directory: PoolDirectory { demo.directory }

    init() throws {
        demo = try DemoPool()
        let made = demo.create()
        try #require(made.status == 0, "\(made.errors)")
        #expect(run("volume", "create", "demo/a", "8MiB").status == 0)
        #expect(run("volume", "create", "demo/b", "8MiB").status == 0)
    }

    private func items(_ outcome: CommandRun.Outcome) throws -> [JSONValue] {
        try #require(try JSONReader.read(outcome.output)["items"]?.items)
    }

    /// A daemon's life in which the scrub is paused: its devices are free behind it.
    private func pause() throws {
        let (service, server) = try demo.serve()
        let paused = run("pool", "scrub", "pause", "demo", "--json")
        #expect(paused.status == 0, "\(paused.errors)")
        #expect(try items(paused).allSatisfy { $0["state"]?.string == "paused" })
        #expect(run("status", "demo").output.contains("scrub: flash paused"))
        server.stop()
        try service.stop()
    }

    @Test func `a scrub is started, paused and looked at`() throws {
        let offline = try items(run("pool", "scrub", "status", "demo", "--json"))
        #expect(offline.map { $0["tier"]?.string } == ["flash", "disk"])
        #expect(offline.allSatisfy { $0["state"]?.string == "offline" })

        try pause()
        // It stays so.
        #expect(
            try items(run("pool", "scrub", "status", "demo", "--json")).allSatisfy {
                $0["state"]?.string == "paused"
            }
        )

        let (again, control) = try demo.serve()
        #expect(run("pool", "scrub", "start", "demo", "--dry-run").output.contains("paused"))
        #expect(run("pool", "scrub", "start", "demo").status == 0)
        // Paused before its first block: it goes on by itself until it is asked for once more.
        #expect(run("pool", "scrub", "start", "demo").status == 0)
        for _ in 0..<200 {
            let states = try items(run("pool", "scrub", "status", "demo", "--json"))
            if states.allSatisfy({ $0["state"]?.string == "continuous" }) { break }
            Thread.sleep(forTimeInterval: 0.05)
        }
        let ended = try items(run("pool", "scrub", "status", "demo", "--json"))
        #expect(ended.allSatisfy { $0["passCount"]?.unsigned == 1 })
        #expect(ended.allSatisfy { $0["lastCompleted"]?.string != nil })
        #expect(ended.allSatisfy { $0["damagedBlockCount"]?.unsigned == 0 })
        #expect(run("pool", "scrub", "status", "demo", "-o", "help").output.contains("poisoned"))
        control.stop()
        try again.stop()
        #expect(run("pool", "scrub", "status", "other").status == 3)
    }

    @Test func `a sound pool is equal, served and stopped`() throws {
        let stopped = run("check", "demo")
        #expect(stopped.status == 0, "\(stopped)")
        #expect(stopped.output.contains("all is equal"))
        let (service, server) = try demo.serve()
        let served = run("check", "--json")
        #expect(served.status == 0, "\(served)")
        let item = try #require(try items(served).first)
        #expect(item["isEqual"]?.isTrue == true && item["served"]?.isTrue == true)
        #expect(item["volumeCount"]?.unsigned == 2)
        #expect(item["chargedByteCount"]?.unsigned == 0)
        server.stop()
        try service.stop()
        #expect(run("check", "other").status == 3)
    }

    /// Changes rows of the catalogue as no checkpoint would.
    private func damage(_ change: (inout CheckpointImage, CatalogueContents) -> Void) throws {
        let catalogue = try Catalogue(openingAt: directory.cataloguePath)
        let contents = try catalogue.contents()
        let position = try #require(contents.positions.first)
        var image = CheckpointImage(position: position)
        change(&image, contents)
        try catalogue.commit(image)
        try catalogue.close()
    }

    @Test func `a catalogue that counts wrong is told, served and stopped`() throws {
        try damage { image, contents in
            guard var row = contents.volumes.first, var segment = contents.segments.first else {
                Issue.record("there are volumes and segments")
                return
            }
            row.ownedBlockCount += 7
            segment.liveBlockCount += 3
            image.volumes = [row]
            image.segments = [segment]
        }
        let stopped = run("check", "demo")
        #expect(stopped.status == 1 && stopped.errors.contains("2 counts or references"))
        #expect(stopped.output.contains("owns 0 blocks, 7 are kept"))
        #expect(stopped.output.contains("has 0 live blocks, 3 are kept"))
        // Nothing was mended by looking.
        #expect(run("check", "demo").output == stopped.output)
        let (service, server) = try demo.serve()
        let served = run("check", "demo", "--json")
        #expect(served.status == 1)
        let item = try items(served).first
        #expect(item?["differenceCount"]?.unsigned == 2)
        server.stop()
        try service.stop()
    }

    @Test func `a leaf that points nowhere is told`() throws {
        try damage { image, contents in
            guard let tree = contents.volumes.first?.tree else { return }
            image.leaves = [(LeafKey(tree: tree, index: 1), [1, 2, 3, 4])]
        }
        let stopped = run("check", "demo")
        #expect(stopped.status == 1)
        #expect(stopped.output.contains("leaf 1 of tree"))
        #expect(stopped.output.contains("is damaged"))
    }
}
