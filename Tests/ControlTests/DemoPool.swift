import Catalogue
import Foundation

@testable import Control

/// A home of its own for the pool `demo`, of one flash and one disk file, and its command line.
struct DemoPool {
    let run = CommandRun()
    var flash: String { run.home + "/flash.img" }
    var disk: String { run.home + "/disk.img" }
    var directory: PoolDirectory { PoolDirectory(name: "demo", path: run.home + "/pools/demo") }

    init() throws {
        try FileManager.default.createDirectory(
            atPath: run.home,
            withIntermediateDirectories: true
        )
    }

    /// - Parameters:
    ///   - flashSize: two lanes need 128 MiB.
    ///   - diskSettings: what follows the size of the disk, with its comma.
    func create(
        _ option: String = "--lanes=1",
        flashSize: String = "64MiB",
        diskSettings: String = ""
    ) -> CommandRun.Outcome {
        run(
            "pool",
            "create",
            "demo",
            "--flash",
            flash + ":" + flashSize,
            "--disk",
            disk + ":128MiB" + diskSettings,
            option
        )
    }

    /// A daemon without its signals, on a thread of this process.
    func serve(
        addresses: [ListenAddress] = []
    ) throws -> (service: PoolService, server: ControlServer) {
        var options = PoolService.Options()
        options.socketPath = run.home + "/nbd.sock"
        options.addresses = addresses
        let service = try PoolService.open(directory, options: options)
        let server = try ControlServer(path: directory.controlSocketPath, service: service)
        server.start()
        return (service, server)
    }
}
