internal import Engine
internal import Units

extension ControlError {
    /// Why a catalogue cannot be made anew from a pool's mirrors.
    init(_ error: MirrorError, of pool: String) {
        switch error {
        case .laneCount(let count):
            self = .mirrorWitnessMissing(pool: pool, finding: "no pool has \(count) lanes")
        case .witnessMissing(let lane):
            self = .mirrorWitnessMissing(
                pool: pool,
                finding: "no flash device has a witness of lane \(lane.rawValue)"
            )
        case .notWhole(let lane):
            self = .mirrorNotWhole(
                pool: pool,
                finding: "that of lane \(lane.rawValue) does not say everything"
            )
        case .damaged(let lane, let place):
            self = .mirrorDamaged(
                pool: pool,
                finding: "the record of lane \(lane.rawValue) at place \(place) is not there, or "
                    + "is not the one that belongs there"
            )
        case .contradiction(let address):
            self = .mirrorContradiction(
                pool: pool,
                finding: "segment \(address.index.rawValue) of device "
                    + "\(address.device.rawValue) belongs to two lanes, or was used again since"
            )
        }
    }
}

/// Why a catalogue cannot be made anew, in words.
extension ControlError {
    var reportOfRebuild: ErrorReport? {
        switch self {
        case .noDeviceGiven(let pool):
            .init(
                "no_device_given",
                .usage,
                "no device of pool '\(pool)' is named",
                "name all of them: --device PATH"
            )
        case .superblockMissing(let path, let finding):
            .init(
                "superblock_missing",
                .refused,
                "\(path): no superblock opens it: \(finding)",
                "name only devices of the pool; 'isotherm inspect \(path)' shows what this one is"
            )
        case .devicesOfTwoPools(let path, let pool, let otherPath, let otherPool):
            .init(
                "devices_of_two_pools",
                .refused,
                "\(path): belongs to pool '\(pool)', \(otherPath) to another pool '\(otherPool)'",
                "name the devices of one pool; 'isotherm inspect PATH' shows whose each is"
            )
        case .poolNameDiffers(let path, let name, let found):
            .init(
                "pool_name_differs",
                .refused,
                "\(path): belongs to pool '\(found)', not to '\(name)'",
                "rebuild it by its own name: isotherm pool rebuild \(found)"
            )
        case .deviceCopy(let path, let otherPath):
            .init(
                "device_copy",
                .refused,
                "\(path): says that it is the same device as \(otherPath)",
                "one of them is a copy: name the one that the pool used last"
            )
        case .devicesNotGiven(let pool, let missing):
            .init(
                "devices_not_given",
                .refused,
                "of pool '\(pool)' no path was given for \(missing.joined(separator: ", "))",
                "name each device of the pool with --device"
            )
        case .catalogueThere(let pool, let path):
            .init(
                "catalogue_there",
                .refused,
                "the pool '\(pool)' has a catalogue: \(path)",
                "say --yes to have it moved aside, --dry-run to see what it would become"
            )
        default: nil
        }
    }

    var reportOfMirror: ErrorReport? {
        switch self {
        case .mirrorNotWhole(let pool, let finding):
            .init(
                "mirror_not_whole",
                .failed,
                "the mirror of the catalogue of pool '\(pool)' had been given up: \(finding)",
                "the event mirror_given_up told of it; only a copy of the catalogue helps"
            )
        case .mirrorDamaged(let pool, let finding):
            .init(
                "mirror_damaged",
                .failed,
                "the mirror of the catalogue of pool '\(pool)' is damaged: \(finding)",
                "put a copy of the catalogue back, or try again when the devices can be read"
            )
        case .mirrorWitnessMissing(let pool, let finding):
            .init(
                "mirror_witness_missing",
                .failed,
                "nothing tells where the mirror of the catalogue of pool '\(pool)' is: \(finding)",
                "'isotherm inspect PATH witness' shows what each device was told; put a copy of "
                    + "the catalogue back"
            )
        case .mirrorContradiction(let pool, let finding):
            .init(
                "mirror_contradiction",
                .failed,
                "the devices of pool '\(pool)' do not tell the same: \(finding)",
                "one of them is a copy from earlier: bring back the devices as they were last"
            )
        default: nil
        }
    }
}
