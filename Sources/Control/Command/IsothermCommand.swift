package import ArgumentParser

/// The command line: `isotherm NOUN VERB OBJECT --option`.
package struct IsothermCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "isotherm",
        abstract: "A block engine that keeps what is warm on flash and what is cool on disk.",
        discussion: """
            Volumes are served over NBD.  Objects are named POOL and POOL/VOLUME, places in a \
            volume POOL/VOLUME@+OFFSET.  Sizes are bytes or have a unit: 4096, 4KiB, 1.5TiB, 200GB.

            Exit status: 0 done, 1 failed, 2 refused for safety, 3 not found, 4 daemon not \
            reachable, 5 timed out, 64 usage.  ISOTHERM_HOME names the directory with the index of \
            pools.
            """,
        version: "isotherm 0.1.0",
        subcommands: [
            PoolCommand.self, VolumeCommand.self, ServeCommand.self, StatusCommand.self,
            HeatCommand.self, ExplainCommand.self, EventsCommand.self, CheckCommand.self,
            InspectCommand.self,
        ]
    )

    package init() {}
}
