internal import ArgumentParser
internal import Format
internal import Units

/// `isotherm volume …`
struct VolumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume",
        abstract: "Make, list, resize and destroy volumes.",
        subcommands: [Create.self, List.self, Resize.self, Destroy.self]
    )

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a volume.  It owns no space until it is written."
        )

        @Argument(help: ArgumentHelp("The new volume.", valueName: "pool/volume"))
        var volume: String
        @Argument(help: "Its size, a multiple of 512 bytes.")
        var size: String
        @OptionGroup var change: ChangeOptions
        @OptionGroup var place: PlaceOptions

        func run() throws {
            let path = try VolumePath(volume)
            let byteCount = try ByteCount(argument: size).rawValue
            try VolumeSize.validate(byteCount)
            let request = ControlRequest(
                "volume.create",
                [
                    "volume": .text(path.volume.text), "byteCount": .count(byteCount),
                    "dryRun": .boolean(change.dryRun),
                ]
            )
            let answer = try PoolAccess(path.pool, place).perform(request)
            let verb = change.dryRun ? "would create" : "created"
            Console.current.line(
                "\(verb) volume \(path): \(ByteCountText.both(byteCount))"
                    + (answer["lane"]?.unsigned.map { ", lane \($0)" } ?? "")
            )
            if let warning = answer["warning"]?.string {
                Console.current.message("warning: " + warning)
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List volumes.")

        @Argument(
            help: ArgumentHelp(
                "Of this pool, or this volume; of all pools when left out.",
                valueName: "pool[/volume]"
            )
        )
        var object: String?
        @OptionGroup var reading: ReadingOptions
        @OptionGroup var place: PlaceOptions

        func run() throws {
            var documents: [Document] = []
            let wanted = try object.map { try Wanted($0) }
            let pools = try PoolAccess.all(named: wanted?.pool, place)
            for pool in pools {
                documents.append(
                    try pool.read(ControlRequest("volume.list"), isEssential: wanted != nil)
                )
            }
            var document = Document.joined(documents, schema: "volume.list")
            if let name = wanted?.volume {
                let path = "\(wanted?.pool.text ?? "")/\(name)"
                document.items.removeAll { $0["name"]?.string != path }
                guard !document.items.isEmpty else { throw ControlError.volumeMissing(path: path) }
            }
            try reading.show(document, in: Table(Self.columns))
        }

        /// `POOL` or `POOL/VOLUME`.
        private struct Wanted {
            var pool: ObjectName
            var volume: ObjectName?
            init(_ text: String) throws(ControlError) {
                guard text.contains("/") else {
                    pool = try .pool(text)
                    return
                }
                let path = try VolumePath(text)
                (pool, volume) = (path.pool, path.volume)
            }
        }

        static var columns: [Column] {
            [
                Column("name", "NAME", .text, "pool/volume"),
                Column("byteCount", "SIZE", .byteCount, "bytes of address space"),
                Column(
                    "ownedByteCount",
                    "USED",
                    .byteCount,
                    "bytes that it owns: written or reserved, not trimmed"
                ),
                Column("state", "STATE", .text, VolumeFigures.State.alternatives),
                Column("clientCount", "CLIENTS", .count, "connections now", yields: 1),
                Column("lane", "LANE", .count, "the lane that owns it", yields: 2),
                Column(
                    "created",
                    "CREATED",
                    .text,
                    "when it was made, UTC",
                    yields: 3
                ),
                Column("identifier", "ID", .text, "its identity", isShown: false),
                Column(
                    "modelled",
                    "MODELLED",
                    .text,
                    "whether a device of the pool is modelled",
                    isShown: false
                ),
            ]
        }
    }

    struct Resize: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a volume another size.  What lies behind a smaller size is lost."
        )

        @Argument(help: ArgumentHelp("The volume.", valueName: "pool/volume"))
        var volume: String
        @Argument(help: "Its new size, a multiple of 512 bytes.")
        var size: String
        @OptionGroup var destruction: DestructionOptions
        @OptionGroup var place: PlaceOptions

        func run() throws {
            let path = try VolumePath(volume)
            let byteCount = try ByteCount(argument: size).rawValue
            try VolumeSize.validate(byteCount)
            let access = try PoolAccess(path.pool, place)
            try access.use { service throws(ControlError) in
                try resize(path, byteCount, service)
            }
        }

        private func resize(
            _ path: VolumePath,
            _ byteCount: UInt64,
            _ service: any ControlService
        ) throws(ControlError) {
            func request(_ isPlan: Bool) -> ControlRequest {
                ControlRequest(
                    "volume.resize",
                    [
                        "volume": .text(path.volume.text), "byteCount": .count(byteCount),
                        "dryRun": .boolean(isPlan), "force": .boolean(destruction.force),
                    ]
                )
            }
            let console = Console.current
            let plan = try service.answer(request(true))
            let before = plan["byteCountBefore"]?.unsigned ?? 0
            console.line(
                "volume \(path): \(ByteCountText.both(before)) becomes "
                    + ByteCountText.both(byteCount)
            )
            if byteCount < before {
                console.line("what lies behind byte \(ByteCountText.grouped(byteCount)) is lost")
            }
            if destruction.dryRun { return }
            if byteCount < before {
                try Confirmation.ask(
                    "volume resize",
                    path.description,
                    isGiven: destruction.yes
                )
            }
            _ = try service.answer(request(false))
            console.line("resized volume \(path)")
        }
    }

    struct Destroy: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Destroy a volume and give its space back."
        )

        @Argument(help: ArgumentHelp("The volume.", valueName: "pool/volume"))
        var volume: String
        @OptionGroup var destruction: DestructionOptions
        @OptionGroup var place: PlaceOptions

        func run() throws {
            let path = try VolumePath(volume)
            let access = try PoolAccess(path.pool, place)
            try access.use { service throws(ControlError) in try destroy(path, service) }
        }

        private func destroy(
            _ path: VolumePath,
            _ service: any ControlService
        ) throws(ControlError) {
            func request(_ isPlan: Bool) -> ControlRequest {
                ControlRequest(
                    "volume.destroy",
                    [
                        "volume": .text(path.volume.text), "dryRun": .boolean(isPlan),
                        "force": .boolean(destruction.force),
                    ]
                )
            }
            let console = Console.current
            let plan = try service.answer(request(true))
            let freed = plan["ownedByteCount"]?.unsigned ?? 0
            let size = plan["byteCount"]?.unsigned ?? 0
            console.line(
                "destroying volume \(path) of \(ByteCountText.short(size)) frees "
                    + ByteCountText.both(freed)
            )
            if destruction.dryRun { return }
            try Confirmation.ask(
                "volume destroy",
                path.description,
                isGiven: destruction.yes
            )
            _ = try service.answer(request(false))
            console.line("destroyed volume \(path)")
        }
    }
}
