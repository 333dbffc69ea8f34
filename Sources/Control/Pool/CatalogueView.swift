internal import Catalogue
internal import Engine
internal import Format
internal import Units

/// Answers what the catalogue knows of a pool that nobody serves, as of its last checkpoint.
///
/// Holds the pool's lock while it lives; changes nothing.
final class CatalogueView: ControlService {
    private let directory: PoolDirectory
    private let catalogue: Catalogue
    private let contents: CatalogueContents

    init(_ directory: PoolDirectory) throws(ControlError) {
        self.directory = directory
        let opened = try ControlError.converting { () throws(CatalogueError) in
            let catalogue = try Catalogue(openingAt: directory.cataloguePath)
            return (catalogue, try catalogue.contents())
        }
        (catalogue, contents) = opened
    }

    func close() {
        do throws(CatalogueError) {
            try catalogue.close()
        } catch {
            // Nothing was changed; the lock goes with the process.
        }
    }

    /// Whether the catalogue alone can answer.
    static func answers(_ request: ControlRequest) -> Bool {
        ["pool.status", "volume.list", "events"].contains(request.command)
            || (request.command == "pool.scrub" && request.arguments["action"]?.string == "status")
    }

    func answer(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        switch request.command {
        case "pool.status": return document("pool.status", [status]).json
        case "volume.list": return document("volume.list", volumes).json
        case "pool.scrub": return document("pool.scrub", scrubs).json
        case "events": return document("events", try events(request)).json
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

    private var isModelled: Bool { catalogue.devices.contains { $0.model != nil } }

    private var liveVolumes: [VolumeRow] {
        contents.volumes.filter { $0.state == .live }.sorted { $0.name < $1.name }
    }

    private var volumes: [JSONValue] {
        liveVolumes.map { row in
            VolumeFigures(
                pool: directory.name,
                row: row,
                state: .offline,
                clientCount: nil,
                isModelled: isModelled
            ).json
        }
    }

    private func events(_ request: ControlRequest) throws(ControlError) -> [JSONValue] {
        let count = try EventReport.count(of: request)
        let kept = try ControlError.converting { () throws(CatalogueError) in
            try catalogue.newestEvents(countMax: count)
        }
        return EventReport(pool: directory.name, kept: kept).items(countMax: count)
    }

    private var scrubs: [JSONValue] {
        let roles = DeviceRole.allCases.filter { role in
            catalogue.devices.contains { $0.role == role }
        }
        var lanes: [ScrubFigures] = []
        for role in roles {
            for index in 0..<catalogue.pool.laneCount {
                let lane = LaneIndex(index)
                let known = contents.scrubs.first { $0.lane == lane && $0.role == role }
                lanes.append(ScrubFigures(row: known ?? ScrubRow(lane: lane, role: role)))
            }
        }
        return ScrubReport(
            lanes: lanes,
            isOpen: false,
            pool: directory.name,
            isModelled: isModelled,
            roles: roles
        ).items
    }

    private var status: JSONValue {
        let used = Set(contents.segments.map(\.address))
        let devices = catalogue.devices.map { row in
            let isThere = PoolDevices.isThere(row.path)
            let usedCount = UInt64(used.count { $0.device == row.index })
            return DeviceFigures(
                row: row,
                state: isThere ? .offline : .unavailable,
                freeSegmentCount: UInt64(row.segmentCount)
                    - min(usedCount, UInt64(row.segmentCount)),
                errorCount: nil
            )
        }
        var figures = PoolFigures(
            directory: directory,
            pool: catalogue.pool,
            devices: devices,
            volumes: liveVolumes
        )
        let missing = devices.filter { $0.state == .unavailable }
        figures.state = missing.isEmpty ? .offline : .unavailable
        figures.reasons = missing.map { device in
            PoolFigures.Reason(
                text: "\(device.row.path): there is no such file or device",
                action: "Bring the device back; the pool opens without any repair."
            )
        }
        if !catalogue.wasClosedCleanly {
            figures.reasons.append(
                PoolFigures.Reason(
                    text: "The last process that had the pool open was stopped hard; the figures "
                        + "are those of its last checkpoint.",
                    action: "Nothing needed: the next start replays the log."
                )
            )
        }
        figures.catalogueByteCount = FileSize.of(directory.cataloguePath)
        figures.scrubs = scrubs
        return figures.json
    }
}
