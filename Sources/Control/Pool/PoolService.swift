package import Catalogue
internal import Engine
internal import IO
internal import NBD
internal import Units

/// An open pool that carries out what the control side asks of it.
///
/// The daemon has one behind its control socket; a command that changes a pool which nobody serves
/// opens one for itself, without clients.  Requests may come from any thread; those that change
/// volumes are carried out one after another.
package final class PoolService: ControlService {
    package struct Options: Sendable {
        /// Where clients connect; nil and empty for no clients.
        package var socketPath: String?
        package var addresses: [ListenAddress] = []
        package var isServing = false
        /// How long to wait for another process that has the pool open for a moment: a command.
        package var patienceSeconds = 0
        /// Takes what happens in the lanes, as it happens, without making them wait.
        package var report: @Sendable ([EventRow]) -> Void = { _ in }
        package init() {}
    }

    package let directory: PoolDirectory
    let pool: OpenPool
    let inquiry: LaneInquiry
    /// What clients can connect to, as it was bound.
    package let endpoints: Endpoints
    let openedAt = Clock.now()
    let volumes: Guarded<VolumeTable>
    /// Held while volumes are changed.
    let changes = Guarded(())

    package struct Endpoints: Sendable {
        package var socketPath: String?
        package var addresses: [ListenAddress] = []

        /// The strings with which `export` is attached, by every way.
        package func attachStrings(_ export: String) -> [String] {
            (socketPath.map { [AttachString.unix(socket: $0, export: export)] } ?? [])
                + addresses.map { AttachString.tcp($0, export: export) }
        }
    }

    private init(
        _ directory: PoolDirectory,
        _ pool: OpenPool,
        _ endpoints: Endpoints
    ) {
        self.directory = directory
        self.pool = pool
        self.endpoints = endpoints
        inquiry = LaneInquiry(state: pool.state, poolName: directory.name)
        var table = VolumeTable(incarnation: pool.incarnation)
        for volume in pool.volumes { table.insert(volume.row, volume.slot) }
        volumes = Guarded(table)
        for volume in pool.volumes { publish(volume.row, volume.slot) }
    }

    /// Opens the pool: whatever way it was closed, no other command is needed before.
    package static func open(
        _ directory: PoolDirectory,
        options: Options
    ) throws(ControlError) -> PoolService {
        let catalogue = try openCatalogue(directory, patienceSeconds: options.patienceSeconds)
        do throws(ControlError) {
            let (listeners, endpoints) = try listen(options)
            var open = OpenPool.Options()
            open.listeners = listeners
            open.isPopulated = options.isServing
            open.report = options.report
            return PoolService(directory, try OpenPool(catalogue, options: open), endpoints)
        } catch {
            // The first error is the one to report; the lock goes with the catalogue.
            try? catalogue.close()
            throw error
        }
    }

    /// A command may have the pool open for a moment: that is waited for.
    private static func openCatalogue(
        _ directory: PoolDirectory,
        patienceSeconds: Int
    ) throws(ControlError) -> Catalogue {
        for _ in 0..<(patienceSeconds * 10) {
            do throws(CatalogueError) {
                return try Catalogue(openingAt: directory.cataloguePath)
            } catch {
                let isDaemon = ControlClient(path: directory.controlSocketPath).isReachable
                guard case .inUse = error, !isDaemon else { break }
                Clock.pause(milliseconds: 100)
            }
        }
        return try ControlError.converting { () throws(CatalogueError) in
            try Catalogue(openingAt: directory.cataloguePath)
        }
    }

    private static func listen(
        _ options: Options
    ) throws(ControlError) -> ([ListeningSocket], Endpoints) {
        var listeners: [ListeningSocket] = []
        var endpoints = Endpoints()
        let patience = options.patienceSeconds * 1000
        do throws(SocketError) {
            if let path = options.socketPath {
                listeners.append(
                    try ListeningSocket(at: .unix(path: path), patienceMilliseconds: patience)
                )
                endpoints.socketPath = path
            }
            for address in options.addresses {
                let socket = try ListeningSocket(
                    at: .tcp(host: address.host, port: address.port),
                    patienceMilliseconds: patience
                )
                listeners.append(socket)
                endpoints.addresses.append(
                    ListenAddress(host: address.host, port: socket.port ?? address.port)
                )
            }
        } catch {
            throw .system(what: "listening", reason: error.description)
        }
        return (listeners, endpoints)
    }

    /// Ends clients in good order, commits, closes.  No request may come after.
    package func stop() throws(ControlError) {
        guard try pool.stop() else { throw .readOnly(pool: directory.name) }
    }

    package var isModelled: Bool { pool.devices.contains { $0.model != nil } }

    /// What recovery did, in a sentence for the log.
    package var openingSummary: String {
        let report = pool.report
        var text =
            "pool \(directory.name) opened: \(report.recordsReplayed) records replayed, "
            + "\(pool.volumes.count) volumes, \(pool.row.laneCount) lanes"
        if !report.segmentsFromRecord.isEmpty {
            text += ", \(report.segmentsFromRecord.count) segments found by their first records"
        }
        if report.recordsFromTail > 0 {
            text += ", \(report.recordsFromTail) records taken from their tails"
        }
        if report.recordsDropped > 0 {
            text += ", \(report.recordsDropped) records never acknowledged left out"
        }
        return text
    }

    /// A line for each device.
    package var deviceLines: [String] {
        pool.devices.map { device in
            "\(device.role) \(device.path): \(ByteCountText.short(device.byteCount))"
                + (device.model.map { ", \($0) (modelled)" } ?? "")
        }
    }

    /// What is allowed and may surprise.
    package var warnings: [String] {
        [promiseWarning(adding: 0)].compactMap(\.self)
            + pool.superblockMends.map(\.text)
    }

    /// Names of the volumes, as exports have them.
    package var exportNames: [String] {
        volumes.withLock { $0.all.map { "\(directory.name)/\($0.row.name)" } }
    }

    package func answer(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        switch request.command {
        case "pool.status": return document("pool.status", [try status()]).json
        case "volume.list": return document("volume.list", try volumeItems()).json
        case "volume.create": return try createVolume(request)
        case "volume.resize": return try resizeVolume(request)
        case "volume.destroy": return try destroyVolume(request)
        case "check": return document("check", [try check(request)]).json
        case "pool.scrub": return document("pool.scrub", try scrub(request)).json
        case "events": return document("events", try events(request)).json
        case "heat": return document("heat", [try heat(request)]).json
        case "explain": return document("explain", [try explain(request)]).json
        default: throw .unknownCommand(name: request.command)
        }
    }

    private func document(_ schema: String, _ items: [JSONValue]) -> Document {
        Document(
            schema: schema,
            seconds: WallClock.seconds,
            isModelled: isModelled,
            items: items
        )
    }

    func volume(_ name: String) throws(ControlError) -> VolumeTable.Item {
        guard let entry = volumes.withLock({ $0[name] }) else {
            throw .volumeMissing(path: "\(directory.name)/\(name.prefix(128))")
        }
        return entry
    }

    /// Lets clients attach the volume.
    func publish(_ row: VolumeRow, _ slot: VolumeSlot) {
        pool.state.exports.insert(
            ExportDescription(
                name: "\(directory.name)/\(row.name)",
                description: isModelled ? "modelled" : "",
                lane: row.lane,
                volumeSlot: slot.rawValue,
                byteCount: row.byteCount,
                isReadOnly: false
            )
        )
    }
}

/// The live volumes of an open pool, by name.
struct VolumeTable {
    struct Item: Sendable {
        var row: VolumeRow
        var slot: VolumeSlot
    }

    private var entries: [String: Item] = [:]
    private var namesInDoubt: Set<String> = []
    private let incarnation: UInt32
    private var treeCount: UInt32 = 0

    init(incarnation: UInt32) { self.incarnation = incarnation }

    var all: [Item] { entries.values.sorted { $0.row.name < $1.row.name } }

    subscript(name: String) -> Item? { entries[name] }

    mutating func insert(_ row: VolumeRow, _ slot: VolumeSlot) {
        entries[row.name] = Item(row: row, slot: slot)
    }

    mutating func remove(_ name: String) { entries[name] = nil }

    /// Whether a volume of this name may be in a log that nobody has answered for.
    func isInDoubt(_ name: String) -> Bool { namesInDoubt.contains(name) }

    mutating func setInDoubt(_ name: String, _ isInDoubt: Bool) {
        if isInDoubt { namesInDoubt.insert(name) } else { namesInDoubt.remove(name) }
    }

    /// A tree that was never used: the pool is opened once with this incarnation.
    mutating func nextTree() -> TreeIdentifier {
        treeCount += 1
        return TreeIdentifier(UInt64(incarnation) << 32 | UInt64(treeCount))
    }

    /// The lane with the fewest promised bytes.
    func quietestLane(laneCount: Int) -> LaneIndex {
        var promised = [UInt64](repeating: 0, count: max(1, laneCount))
        for entry in entries.values {
            promised[Int(entry.row.lane.rawValue)] += entry.row.byteCount
        }
        let lane = promised.indices.min { promised[$0] < promised[$1] } ?? 0
        return LaneIndex(UInt16(lane))
    }
}
