import Catalogue
import Foundation
import Testing
import Units

@testable import Control

/// What a process that was killed leaves of a pool can be made, or destroyed, again.
@Suite struct LeftoverTests {
    private let demo: DemoPool
    private var run: CommandRun { demo.run }
    private var flash: String { demo.flash }
    private var disk: String { demo.disk }
    private var directory: String { demo.directory.path }

    init() throws { demo = try DemoPool() }

    private func make(_ path: String, _ bytes: Data = Data()) throws {
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true
        )
        #expect(FileManager.default.createFile(atPath: path, contents: bytes))
    }

    @Test func `a creation that was cut off before the catalogue can be destroyed`() throws {
        try make(directory + "/lock")
        try make(directory + "/catalogue.sqlite.new")
        let destroyed = run("pool", "destroy", "demo", "--yes")
        #expect(destroyed.status == 0, "\(destroyed.errors)")
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test func `a creation that was cut off before the catalogue can be given again`() throws {
        try make(directory + "/lock")
        try make(directory + "/catalogue.sqlite.new")
        let made = demo.create()
        #expect(made.status == 0, "\(made.errors)")
        #expect(run("pool", "status", "demo").status == 0)
    }

    @Test func `who makes a pool that another has just made leaves it alone`() throws {
        func creation(_ number: Int) throws -> PoolCreation {
            try PoolCreation(
                name: .pool("demo"),
                devices: [
                    DeviceSpecification("\(flash)\(number):64MiB", role: .flash),
                    DeviceSpecification("\(disk)\(number):128MiB", role: .disk),
                ],
                laneCount: 1,
                directory: run.home + "/elsewhere",
                home: run.home
            )
        }
        // Both have looked before either makes anything.
        let (first, second) = (try creation(1), try creation(2))
        try first.perform()
        #expect(throws: ControlError.self) { try second.perform() }
        #expect(run("pool", "status", "demo").status == 0)
        #expect(run("volume", "create", "demo/a", "1MiB").status == 0)
        #expect(!FileManager.default.fileExists(atPath: flash + "2"))
    }

    @Test func `the socket that a killed server left does not keep a pool`() throws {
        #expect(demo.create().status == 0)
        try make(directory + "/nbd.sock")
        let destroyed = run("pool", "destroy", "demo", "--yes", "--delete-files")
        #expect(destroyed.status == 0, "\(destroyed.errors)")
        #expect(!FileManager.default.fileExists(atPath: directory))
        #expect(!FileManager.default.fileExists(atPath: disk))
    }

    @Test func `a file that took the place of a device is not removed with the pool`() throws {
        #expect(demo.create().status == 0)
        try FileManager.default.removeItem(atPath: disk)
        try make(disk, Data(repeating: 7, count: 4 << 20))
        #expect(run("pool", "destroy", "demo", "--yes", "--delete-files").status == 0)
        #expect(FileManager.default.fileExists(atPath: disk))
        #expect(!FileManager.default.fileExists(atPath: flash))
    }
}
