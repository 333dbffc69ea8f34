internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

/// The devices of a pool, to be read.
struct DeviceFiles: DeviceReader {
    let files: [DeviceFile]

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        do throws(DeviceError) {
            try files[Int(device.rawValue)].read(
                into: region,
                at: block * UInt64(Geometry.blockByteCount)
            )
            return true
        } catch {
            return false
        }
    }
}

/// What recovery reads from: the devices themselves, and the catalogue.
struct DeviceSource: RecoverySource {
    private let devices: DeviceFiles
    private let catalogue: Catalogue

    init(files: [DeviceFile], catalogue: Catalogue) {
        devices = DeviceFiles(files: files)
        self.catalogue = catalogue
    }

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        devices.read(device, block: block, into: region)
    }

    func pause() { Clock.pause(milliseconds: 1000) }

    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf {
        do throws(CatalogueError) {
            return try catalogue.load(key)
        } catch {
            let isDamaged =
                switch error {
                case .damaged, .value, .truncated, .notDatabase, .schema: true
                default: false
                }
            throw .catalogue(error.description, isDamaged: isDamaged)
        }
    }
}

/// What a pool is opened on: its devices and its catalogue.
final class DevicePlace: OpeningPlace {
    private let files: [DeviceFile]
    private let source: DeviceSource
    private let catalogue: Catalogue
    /// The last write that each device refused.
    private var refusals: [DeviceIndex: DeviceError] = [:]

    init(_ files: [DeviceFile], _ catalogue: Catalogue) {
        self.files = files
        self.catalogue = catalogue
        source = DeviceSource(files: files, catalogue: catalogue)
    }

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        source.read(device, block: block, into: region)
    }

    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf { try source.load(key) }

    func pause() { source.pause() }

    func flush(_ device: DeviceIndex) throws(ControlError) {
        do throws(DeviceError) {
            try files[Int(device.rawValue)].flush()
        } catch {
            throw ControlError(error)
        }
    }

    func write(_ device: DeviceIndex, block: UInt64, from region: BufferRegion) -> Bool {
        do throws(DeviceError) {
            try files[Int(device.rawValue)].write(
                from: region,
                at: block * UInt64(Geometry.blockByteCount)
            )
            return true
        } catch {
            refusals[device] = error
            return false
        }
    }

    func begin(incarnation: UInt32, logEnds: [LogEnd]) throws(ControlError) {
        try ControlError.converting { () throws(CatalogueError) in
            try catalogue.begin(incarnation: incarnation, logEnds: logEnds)
        }
    }

    func noteWitnessed(_ incarnation: UInt32) throws(ControlError) {
        try ControlError.converting { () throws(CatalogueError) in
            try catalogue.noteWitnessed(incarnation)
        }
    }

    /// Why the pool was not opened; a device that takes no witness says why itself.
    func error(for error: OpeningError<ControlError>) -> ControlError {
        switch error {
        case .place(let error): return error
        case .recovery(let error):
            if case .witnessRefused(let device) = error, let refusal = refusals[device] {
                return ControlError(refusal)
            }
            return ControlError(error, of: catalogue.pool.name, catalogue.devices)
        }
    }
}

extension ControlError {
    /// Why the pool cannot be opened; a device that tells of age is named by its path.
    init(_ error: RecoveryError, of pool: String, _ devices: [DeviceRow]) {
        let finding = RecoveryText.of(error)
        func path(_ device: DeviceIndex) -> String {
            devices.first { $0.index == device }?.path ?? "device \(device.rawValue)"
        }
        switch error {
        case .catalogueOlder(let device, _, _, _):
            self = .catalogueOlder(pool: pool, path: path(device), finding: finding)
        case .deviceOlder(let device, _, _):
            self = .deviceOlder(path: path(device), finding: finding)
        case .segmentOutside, .unknownLane, .rowImpossible, .unknownTree, .leafDamaged:
            self = .recovery(pool: pool, finding: finding, isCatalogue: true)
        case .catalogue(_, let isDamaged):
            self = .recovery(pool: pool, finding: finding, isCatalogue: isDamaged)
        case .deviceAway(let device):
            self = .deviceAway(path: path(device))
        case .recordLost, .mapTooSmall, .witnessRefused:
            self = .recovery(pool: pool, finding: finding, isCatalogue: false)
        }
    }
}

/// Why a pool cannot be opened, in words.
enum RecoveryText {
    static func of(_ error: RecoveryError) -> String {
        switch error {
        case .segmentOutside(let address):
            "the catalogue names segment \(address.index.rawValue) of device "
                + "\(address.device.rawValue), which does not exist"
        case .unknownLane(let lane):
            "the catalogue names lane \(lane.rawValue), which does not exist"
        case .rowImpossible(let table):
            "the table '\(table)' of the catalogue has a row that nobody writes"
        case .unknownTree(let tree):
            "the catalogue holds leaves of the unknown tree \(tree.rawValue)"
        case .recordLost(let lane, let number, let toldBy):
            "record \(number.rawValue) of lane \(lane.rawValue) was durable and is damaged, header "
                + "and tail; that it was is told by "
                + (toldBy.map {
                    "a record in segment \($0.index.rawValue) of device \($0.device.rawValue)"
                } ?? "the catalogue")
        case .deviceAway(let device):
            "device \(device.rawValue) refused blocks and gave them later, or gives nothing"
        case .witnessRefused(let device): "device \(device.rawValue) takes no witness"
        case .leafDamaged(let key): "leaf \(key.tree.rawValue):\(key.index) is damaged"
        case .mapTooSmall(let leafCount):
            "the log changes \(leafCount) leaves, more than the memory for the map holds"
        case .catalogueOlder(let device, let lane, let has, let witnessed):
            "device \(device.rawValue) was told of opening \(witnessed.incarnation) and of "
                + "checkpoint \(witnessed.checkpoint) of lane \(lane.rawValue), the catalogue "
                + "knows of opening \(has.incarnation) and checkpoint \(has.checkpoint)"
        case .deviceOlder(let device, let has, let witnessed):
            "device \(device.rawValue) was told of opening \(has.incarnation) and checkpoint "
                + "\(has.checkpoint), all devices were of opening \(witnessed.incarnation) and "
                + "checkpoint \(witnessed.checkpoint)"
        case .catalogue(let text, _): text
        }
    }
}
