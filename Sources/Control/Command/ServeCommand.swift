internal import ArgumentParser
internal import Catalogue
internal import IO
internal import Logging

/// `isotherm serve POOL`: the daemon, in the foreground.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a pool's volumes over NBD, in the foreground.",
        discussion: """
            SIGTERM or SIGINT ends it in good order: no new requests, what was asked is finished, \
            everything is checkpointed.  After any other end the next start needs no repair.
            Without --socket and --tcp the socket is nbd.sock in the pool's directory.
            """
    )

    @Argument(help: "The pool.")
    var pool: String
    @Option(help: ArgumentHelp("A unix socket for clients.", valueName: "path"))
    var socket: String?
    @Option(
        help: ArgumentHelp(
            "An address for clients, HOST:PORT; may be repeated.",
            valueName: "address"
        )
    )
    var tcp: [String] = []
    @OptionGroup var place: PlaceOptions

    func run() throws {
        let access = try PoolAccess(.pool(pool), place)
        var options = PoolService.Options()
        options.isServing = true
        options.patienceSeconds = 5
        for text in tcp { options.addresses.append(try ListenAddress(text)) }
        options.socketPath = socket.map(PathText.absolute)
        if socket == nil && tcp.isEmpty { options.socketPath = access.directory.clientSocketPath }
        try Daemon(directory: access.directory, options: options).run()
    }
}
