internal import Catalogue
internal import Units

/// The item of `volume.list/1`.
struct VolumeFigures {
    var pool: String
    var row: VolumeRow
    var state: State
    var clientCount: Int?
    var isModelled: Bool

    var json: JSONValue {
        [
            "name": .text("\(pool)/\(row.name)"),
            "identifier": .text(row.identifier.description), "state": .text(state.rawValue),
            "byteCount": .count(row.byteCount),
            "ownedByteCount": .count(row.ownedByteCount),
            "lane": .count(row.lane.rawValue), "clientCount": .count(orNull: clientCount),
            "created": .text(TimeText.utc(seconds: row.createdSeconds)),
            "modelled": .boolean(isModelled),
        ]
    }
}

extension VolumeRow {
    /// Of its blocks.
    var ownedByteCount: UInt64 { ownedBlockCount.saturated(times: UInt64(Geometry.blockByteCount)) }
}

/// A device in the item of `pool.status/1`.
struct DeviceFigures {
    var row: DeviceRow
    var state: State
    var freeSegmentCount: UInt64?
    /// Failed operations since the pool was opened; nil when it is not open.
    var errorCount: UInt64?

    var json: JSONValue {
        [
            "name": .text(PathText.lastPart(row.path)), "path": .text(row.path),
            "identifier": .text(row.identifier.description), "role": .text("\(row.role)"),
            "state": .text(state.rawValue), "byteCount": .count(row.byteCount),
            "segmentByteCount": .count(row.segmentByteCount),
            "segmentCount": .count(row.segmentCount),
            "freeSegmentCount": .count(orNull: freeSegmentCount),
            "errorCount": .count(orNull: errorCount), "model": .text(orNull: row.model),
            "modelled": .boolean(row.model != nil),
        ]
    }
}

/// The item of `pool.status/1`: what is known whether the pool is served or not, and what only the
/// serving process can tell.
struct PoolFigures {
    struct Reason {
        var text: String
        var action: String
    }

    /// Of a pool that is open.
    struct Live {
        var processIdentifier: Int32
        var secondsServed: UInt64
        var clientCount: Int
        var uris: [String]
        var chargedByteCount: UInt64
        var capacityByteCount: UInt64
        var counters: [JSONField]
        var reads: JSONValue
        var moves: JSONValue
        /// As `DecisionFigures` has them.
        var decisions: JSONValue
        /// The catalogue could be made anew from the devices.
        var isMirrorWhole: Bool
    }

    var directory: PoolDirectory
    var pool: PoolRow
    var devices: [DeviceFigures]
    var volumes: [VolumeRow]
    var state = State.online
    var reasons: [Reason] = []
    var catalogueByteCount: UInt64?
    /// By role; nil where the devices' own figures tell it.
    var usedSegmentCounts: [DeviceRole: UInt64]?
    var live: Live?
    /// A tier each, as in `pool.scrub/1`.
    var scrubs: [JSONValue] = []

    init(
        directory: PoolDirectory,
        pool: PoolRow,
        devices: [DeviceFigures],
        volumes: [VolumeRow]
    ) {
        self.directory = directory
        self.pool = pool
        self.devices = devices
        self.volumes = volumes
    }

    private var isModelled: Bool { devices.contains { $0.row.model != nil } }

    var json: JSONValue {
        var fields: [JSONField] = [
            JSONField("name", .text(pool.name)),
            JSONField("identifier", .text(pool.identifier.description)),
            JSONField("state", .text(state.rawValue)), JSONField("served", .boolean(live != nil)),
            JSONField("modelled", .boolean(isModelled)),
            JSONField("directory", .text(directory.path)),
            JSONField("created", .text(TimeText.utc(seconds: pool.createdSeconds))),
            JSONField("laneCount", .count(pool.laneCount)),
            JSONField("volumeCount", .count(volumes.count)),
            JSONField(
                "reasons",
                .list(reasons.map { ["text": .text($0.text), "action": .text($0.action)] })
            ),
            JSONField("space", space),
            JSONField("devices", .list(devices.map(\.json))), JSONField("scrubs", .list(scrubs)),
        ]
        if let live {
            fields += [
                JSONField("processIdentifier", .count(live.processIdentifier)),
                JSONField("secondsServed", .count(live.secondsServed)),
                JSONField("clientCount", .count(live.clientCount)),
                JSONField("uris", .list(live.uris.map { .text($0) })),
                JSONField("reads", live.reads), JSONField("moves", live.moves),
                JSONField("decisions", live.decisions),
                JSONField("mirrorWhole", .boolean(live.isMirrorWhole)),
                JSONField("counters", .object(live.counters)),
            ]
        }
        return .object(fields)
    }

    private var space: JSONValue {
        let owned = volumes.reduce(UInt64(0)) { $0.saturated(plus: $1.ownedByteCount) }
        let promised = volumes.reduce(UInt64(0)) { $0.saturated(plus: $1.byteCount) }
        return [
            "flash": tier(.flash), "disk": tier(.disk),
            "ownedByteCount": .count(live?.chargedByteCount ?? owned),
            "capacityByteCount": .count(orNull: live?.capacityByteCount),
            "promisedByteCount": .count(promised),
            "catalogueByteCount": .count(orNull: catalogueByteCount),
        ]
    }

    private func tier(_ role: DeviceRole) -> JSONValue {
        let tier = devices.filter { $0.row.role == role }
        // Devices of a role have segments of one size, or nearly: the mean is taken.
        let segmentCount = tier.reduce(UInt64(0)) { $0 + UInt64($1.row.segmentCount) }
        let byteCount = tier.reduce(UInt64(0)) {
            $0.saturated(
                plus: UInt64($1.row.segmentCount).saturated(times: $1.row.segmentByteCount)
            )
        }
        let free = tier.reduce(UInt64(0)) { $0 + ($1.freeSegmentCount ?? 0) }
        let usedCount = usedSegmentCounts?[role] ?? (segmentCount - min(free, segmentCount))
        let used = segmentCount == 0 ? 0 : (byteCount / segmentCount).saturated(times: usedCount)
        return [
            "byteCount": .count(tier.reduce(UInt64(0)) { $0.saturated(plus: $1.row.byteCount) }),
            "usedByteCount": .count(used),
        ]
    }
}
