internal import ArgumentParser
internal import Format

/// `isotherm pool scrub …`
struct ScrubCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub",
        abstract: "Read and verify every copy of every block.",
        discussion: """
            Each tier is read in the background all the time, slowly: flash within 7 days, disk \
            within 14.  What is damaged and has a good copy is repaired; what has none is an error \
            to whoever reads it, and an event names it.
            """,
        subcommands: [Start.self, Pause.self, Status.self]
    )

    struct Start: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Begin a full pass now, faster than by itself, or go on with a paused one."
        )

        @OptionGroup var order: Order

        func run() throws { try order.give("start") }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop it until it is started, also behind a restart."
        )

        @OptionGroup var order: Order

        func run() throws { try order.give("pause") }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how far it is, what it found, and when all was read last."
        )

        @Argument(help: "The pool.")
        var pool: String
        @OptionGroup var reading: ReadingOptions
        @OptionGroup var place: PlaceOptions

        func run() throws {
            let request = ControlRequest("pool.scrub", ["action": "status"])
            let access = try PoolAccess(.pool(pool), place)
            let document = try access.read(request, isEssential: true)
            try reading.show(document, in: Table(ScrubReport.columns))
        }
    }

    /// What starts and pauses take.
    struct Order: ParsableArguments {
        @Argument(help: "The pool.")
        var pool: String
        @OptionGroup var change: ChangeOptions
        @OptionGroup var reading: ReadingOptions
        @OptionGroup var place: PlaceOptions

        func give(_ action: String) throws {
            let request = ControlRequest(
                "pool.scrub",
                ["action": .text(action), "dryRun": .boolean(change.dryRun)]
            )
            let access = try PoolAccess(.pool(pool), place)
            let isServed = access.client.isReachable
            let document = try PoolAccess.document(access.perform(request))
            if !isServed && !change.dryRun {
                Console.current.message(
                    "pool \(pool) is not being served; that counts when it is"
                )
            }
            try reading.show(document, in: Table(ScrubReport.columns))
        }
    }
}
