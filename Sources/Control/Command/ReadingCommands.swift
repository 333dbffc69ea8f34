internal import ArgumentParser

/// `isotherm status [POOL]`: asks the daemons.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how the pools that are being served are.",
        discussion: """
            With --check it prints one line for monitoring and ends with 0 OK, 1 WARN, 2 CRIT or 3 \
            UNKNOWN.  A pool that is not being served is CRIT then; without a name all pools count.
            """
    )

    @Argument(help: "The pool; all that are being served when left out.")
    var pool: String?
    @Flag(help: "Print one line for monitoring, and end with its exit status.")
    var check = false
    @OptionGroup var report: ReportOptions
    @OptionGroup var place: PlaceOptions

    func validate() throws {
        guard !check || !report.json else {
            throw ValidationError("--check prints one line, so it takes no --json")
        }
    }

    func run() throws {
        if check { return try tellMonitoring() }
        let request = ControlRequest("pool.status")
        var documents: [Document] = []
        if let pool {
            let access = try PoolAccess(.pool(pool), place)
            documents.append(try PoolAccess.document(access.client.answer(request)))
        } else {
            for access in try PoolAccess.all(named: nil, place) where access.client.isReachable {
                documents.append(try PoolAccess.document(access.client.answer(request)))
            }
            if documents.isEmpty { Console.current.message("no pool is being served") }
        }
        let text = StatusText(width: Console.current.width)
        report.show(.joined(documents, schema: "pool.status")) { text.render($0) }
    }

    /// Whatever goes wrong is part of the line: monitoring reads nothing else.
    private func tellMonitoring() throws {
        let verdict: MonitoringVerdict
        do throws(ControlError) {
            let name = try pool.map { text throws(ControlError) in try ObjectName.pool(text) }
            let verdicts = try PoolAccess.all(named: name, place).map(Self.verdict)
            verdict = MonitoringVerdict(joining: verdicts)
        } catch {
            verdict = MonitoringVerdict(error)
        }
        Console.current.line(PlainText.printable(verdict.line))
        if verdict.level != .good { throw ExitCode(verdict.level.exitStatus) }
    }

    private static func verdict(of access: PoolAccess) -> MonitoringVerdict {
        do throws(ControlError) {
            let document = try access.read(ControlRequest("pool.status"), isEssential: true)
            return MonitoringVerdict(
                joining: document.items.map { MonitoringVerdict(pool: $0) }
            )
        } catch {
            return MonitoringVerdict(error)
        }
    }
}

/// `isotherm heat POOL/VOLUME`.
struct HeatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heat",
        abstract: "Draw how warm a volume is, and where it lies."
    )

    @Argument(help: ArgumentHelp("The volume.", valueName: "pool/volume"))
    var volume: String
    @Option(help: "What a cell shows of its chunks: mean or max.")
    var cell: HeatMapText.Measure = .mean
    @Option(help: "How cells follow one another: linear or hilbert, a square.")
    var layout: HeatMapText.Layout = .linear
    @Option(help: "Lines of 64 cells at most: 1 to 256, 8 unless told; of a square 1 to 16.")
    var lines: Int?
    @Flag(help: "Without colours.")
    var mono = false
    @Option(
        help: ArgumentHelp(
            "List the hottest stretches too, and those on the wrong tier: so many, 1 to 256.",
            valueName: "count"
        )
    )
    var top: Int?
    @OptionGroup var report: ReportOptions
    @OptionGroup var place: PlaceOptions

    private var lineCountMax: Int {
        layout == .linear ? HeatMap.lineCountMax : HeatMapText.hilbertLineCountMax
    }

    private var lineCount: Int { lines ?? (layout == .linear ? 8 : lineCountMax) }

    func validate() throws {
        guard (1...lineCountMax).contains(lineCount) else {
            throw ValidationError("--lines takes 1 to \(lineCountMax) with --layout \(layout)")
        }
        let limit = HeatRanking.countLimit
        guard top.map({ (1...limit).contains($0) }) ?? true else {
            throw ValidationError("--top takes 1 to \(limit)")
        }
    }

    func run() throws {
        let path = try VolumePath(volume)
        let request = ControlRequest(
            "heat",
            [
                "volume": .text(path.volume.text), "lines": .count(lineCount),
                "top": .count(orNull: top),
            ]
        )
        let document = try PoolAccess(path.pool, place).read(request, isEssential: true)
        let console = Console.current
        let text = HeatMapText(
            style: console.hasColour && !mono ? .colour : .mono,
            measure: cell,
            width: console.width,
            isModelled: document.isModelled,
            layout: layout
        )
        let ranking = HeatRankingText(width: console.width)
        report.show(document) { item in
            (HeatMap(item).map { text.render($0) } ?? "") + ranking.render(item)
        }
    }
}

extension HeatMapText.Measure: ExpressibleByArgument {}
extension HeatMapText.Layout: ExpressibleByArgument {}

/// `isotherm explain POOL/VOLUME@+OFFSET`.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Tell where a chunk lies, how warm it is, and why."
    )

    @Argument(
        help: ArgumentHelp(
            "A place in a volume: tank/db01@+12.5GiB or tank/db01:chunk204800.",
            valueName: "address"
        )
    )
    var address: String
    @OptionGroup var report: ReportOptions
    @OptionGroup var place: PlaceOptions

    func run() throws {
        let address = try VolumeAddress(address)
        let request = ControlRequest(
            "explain",
            ["volume": .text(address.path.volume.text), "offset": .count(address.offset)]
        )
        let document = try PoolAccess(address.path.pool, place).read(request, isEssential: true)
        let text = ExplainText(width: Console.current.width)
        report.show(document) { text.render($0) }
    }
}
