internal import Catalogue
internal import Format
internal import Units

/// What a rebuild made, or would make: the item of `pool.rebuild/1`, and its text.
struct RebuildReport {
    var pool: PoolRow
    var directory: PoolDirectory
    var isModelled: Bool
    var devices: [DeviceRow]
    /// Of each lane that has had a checkpoint.
    var positions: [LanePosition]
    /// As the next start finds them.
    var volumes: [VolumeRow]
    var leafCount: Int
    var mirrorByteCountRead: UInt64
    /// Of the log, by the next start.
    var replayedRecordCount: Int
    /// There was a catalogue already.
    var hasPredecessor = false
    /// Where it was moved to.
    var asidePath: String?
    var isPlan = false

    /// What no device holds.
    private static var missing: [(name: String, text: String)] {
        [
            ("events", "events of before"), ("scrubs", "progress of scrubs"),
            ("settings", "settings"),
        ]
    }

    var json: JSONValue {
        [
            "name": .text(pool.name), "identifier": .text(pool.identifier.description),
            "directory": .text(directory.path), "dryRun": .boolean(isPlan),
            "modelled": .boolean(isModelled),
            "replacesCatalogue": .boolean(hasPredecessor),
            "catalogueBefore": .text(orNull: asidePath),
            "devices": .list(
                devices.map { device in
                    [
                        "path": .text(device.path), "role": .text("\(device.role)"),
                        "identifier": .text(device.identifier.description),
                        "byteCount": .count(device.byteCount),
                        "modelled": .boolean(device.model != nil),
                    ]
                }
            ),
            "lanes": .list(
                positions.map { position in
                    [
                        "lane": .count(position.lane.rawValue),
                        "checkpoint": .count(position.checkpoint),
                    ]
                }
            ),
            "volumes": .list(
                volumes.map { volume in
                    [
                        "name": .text("\(pool.name)/\(volume.name)"),
                        "byteCount": .count(volume.byteCount),
                        "lane": .count(volume.lane.rawValue),
                    ]
                }
            ),
            "leafCount": .count(leafCount), "mirrorByteCountRead": .count(mirrorByteCountRead),
            "replayedRecordCount": .count(replayedRecordCount),
            "missing": .list(Self.missing.map { .text($0.name) }),
        ]
    }

    /// For people.
    var text: String {
        var text = ""
        for position in positions {
            text += "lane \(position.lane.rawValue): checkpoint \(position.checkpoint)\n"
        }
        for volume in volumes {
            text += "volume \(pool.name)/\(volume.name): \(ByteCountText.both(volume.byteCount))\n"
        }
        text +=
            "leaves: \(leafCount), from \(ByteCountText.both(mirrorByteCountRead)) of mirror; "
            + "the next start replays \(replayedRecordCount) "
            + (replayedRecordCount == 1 ? "record" : "records") + " of the log\n"
        text += "not there: \(Self.missing.map(\.text).joined(separator: ", "))\n"
        if let asidePath {
            text += "the catalogue that was there is now \(asidePath)\n"
        } else if hasPredecessor {
            text += "the catalogue that is there would be moved aside\n"
        }
        return text + "\(isPlan ? "would rebuild" : "rebuilt") the catalogue of pool \(pool.name) "
            + "in \(directory.path)" + (isModelled ? " (modelled)" : "") + "\n"
    }
}
