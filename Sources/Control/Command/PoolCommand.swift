internal import ArgumentParser
internal import Catalogue
internal import Format
internal import Units

/// `isotherm pool …`
struct PoolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool",
        abstract: "Make, list, show, scrub, rebuild and destroy pools.",
        subcommands: [
            Create.self, List.self, Status.self, ScrubCommand.self, RebuildCommand.self,
            Destroy.self,
        ]
    )

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a pool of flash and disk devices.",
            discussion: """
                A device is PATH[:SIZE][,model=hdd7200].  With a size a file is made and its space \
                taken; without one an existing file or block device is used whole.  What a device \
                held is lost.  One that belongs to a pool is refused.  A model delays the device \
                to behave like a given drive; everything that depends on it is marked (modelled).
                """
        )

        @Argument(help: "The new pool's name.")
        var name: String
        @Option(help: ArgumentHelp("A flash device; may be repeated.", valueName: "device"))
        var flash: [String] = []
        @Option(help: ArgumentHelp("A disk device; may be repeated.", valueName: "device"))
        var disk: [String] = []
        @Option(help: "Logs that volumes are spread over; one for each processor when left out.")
        var lanes: Int?
        @OptionGroup var report: ReportOptions
        @Flag(name: .long, help: "Use devices although they hold something.")
        var yes = false
        @OptionGroup var change: ChangeOptions
        @OptionGroup var place: PlaceOptions

        func run() throws {
            let console = Console.current
            let name = try ObjectName.pool(name)
            var devices: [DeviceSpecification] = []
            for text in flash { devices.append(try DeviceSpecification(text, role: .flash)) }
            for text in disk { devices.append(try DeviceSpecification(text, role: .disk)) }
            let creation = try PoolCreation(
                name: name,
                devices: devices,
                laneCount: lanes,
                directory: place.dir,
                home: console.home
            )
            if !report.json {
                console.output(creation.plan.text)
                for warning in creation.plan.warnings { console.message("warning: " + warning) }
            }
            if !change.dryRun {
                if creation.plan.isDestructive {
                    try Confirmation.ask("pool create", name.text, isGiven: yes)
                }
                try creation.perform()
            }
            if report.json {
                let document = Document(
                    schema: "pool.create",
                    seconds: WallClock.seconds,
                    isModelled: creation.plan.isModelled,
                    items: [creation.plan.json]
                )
                return console.line(document.json.indented)
            }
            let lanes = creation.plan.laneCount
            console.line(
                "\(change.dryRun ? "would create" : "created") pool \(name) in "
                    + "\(creation.directoryPath), \(lanes) lane\(lanes == 1 ? "" : "s")"
                    + (creation.plan.isModelled ? " (modelled)" : "")
            )
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List pools.")

        @OptionGroup var reading: ReadingOptions

        func run() throws {
            let pools = try PoolAccess.all(named: nil, PlaceOptions())
            var documents: [Document] = []
            for pool in pools { documents.append(pool.summary()) }
            try reading.show(.joined(documents, schema: "pool.list"), in: Table(Self.columns))
        }

        static var columns: [Column] {
            [
                Column("name", "NAME", .text, "the pool's name"),
                Column("state", "STATE", .text, PoolFigures.State.alternatives),
                Column("flashByteCount", "FLASH", .byteCount, "bytes of its flash devices"),
                Column("diskByteCount", "DISK", .byteCount, "bytes of its disk devices"),
                Column("ownedByteCount", "USED", .byteCount, "bytes that its volumes own"),
                Column(
                    "promisedByteCount",
                    "PROMISED",
                    .byteCount,
                    "sizes of its volumes, summed",
                    yields: 1
                ),
                Column("volumeCount", "VOLUMES", .count, "volumes in it"),
                Column("laneCount", "LANES", .count, "its lanes", yields: 2),
                Column("directory", "DIRECTORY", .text, "where its catalogue is", yields: 3),
                Column("identifier", "ID", .text, "its identity", isShown: false),
                Column(
                    "modelled",
                    "MODELLED",
                    .text,
                    "whether a device of it is modelled",
                    isShown: false
                ),
            ]
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how a pool is, whether it is being served or not."
        )

        @Argument(help: "The pool.")
        var name: String
        @OptionGroup var report: ReportOptions
        @OptionGroup var place: PlaceOptions

        func run() throws {
            let access = try PoolAccess(.pool(name), place)
            let document = try access.read(ControlRequest("pool.status"), isEssential: true)
            let text = StatusText(width: Console.current.width)
            report.show(document) { text.render($0) }
        }
    }

    struct Destroy: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Destroy a pool with everything in it.",
            discussion: """
                Superblocks and catalogue are removed; the files that held the data stay unless \
                --delete-files is given.
                """
        )

        @Argument(help: "The pool.")
        var name: String
        @Flag(name: .long, help: "Remove device files too.")
        var deleteFiles = false
        @OptionGroup var destruction: DestructionOptions
        @OptionGroup var place: PlaceOptions

        func run() throws {
            let console = Console.current
            let access = try PoolAccess(.pool(name), place)
            let destruction = try PoolDestruction(
                access.directory,
                home: console.home,
                deletesFiles: deleteFiles
            )
            console.output(destruction.text)
            if destruction.volumeCount > 0, !self.destruction.force, !self.destruction.dryRun {
                throw ControlError.poolHasVolumes(name: name, count: destruction.volumeCount)
            }
            if self.destruction.dryRun { return }
            try Confirmation.ask("pool destroy", name, isGiven: self.destruction.yes)
            try destruction.perform()
            console.line("destroyed pool \(name)")
        }
    }
}
