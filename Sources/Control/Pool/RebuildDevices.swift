internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

/// All devices of one pool, found by nothing but what they say of themselves.
struct RebuildDevices {
    /// What the devices agree on.
    let pool: PoolRow
    /// In the order of their indices, as the catalogue will have them.
    let rows: [DeviceRow]
    /// Locked, one for each row.
    let files: [DeviceFile]

    /// Opens, locks and flushes each device, and sees to it that they are all of the pool `name`.
    ///
    /// They are flushed before anything is read from them: what is read cannot be taken back by a
    /// later power cut.
    init(_ paths: [String], of name: ObjectName) throws(ControlError) {
        guard paths.count <= Superblock.deviceCountMax else {
            throw .tooManyDevices(count: paths.count, countMax: Superblock.deviceCountMax)
        }
        let paths = paths.map(PathText.absolute)
        try Self.refuseTwice(paths)
        var found: [Found] = []
        for path in paths { found.append(try Self.open(path)) }
        try Self.check(found, name)
        found.sort { $0.superblock.deviceIndex < $1.superblock.deviceIndex }
        let first = found[0].superblock
        pool = PoolRow(
            identifier: first.poolIdentifier,
            name: first.poolName,
            laneCount: first.laneCount,
            createdSeconds: first.createdSeconds
        )
        rows = found.map(\.row)
        files = found.map(\.file)
    }

    var isModelled: Bool { rows.contains { $0.model != nil } }

    /// A device, and the superblock that opens it.
    private struct Found {
        var path: String
        var file: DeviceFile
        var superblock: Superblock

        var row: DeviceRow {
            DeviceRow(
                index: superblock.deviceIndex,
                identifier: superblock.deviceIdentifier,
                role: superblock.role,
                path: path,
                byteCount: superblock.deviceByteCount,
                segmentByteCount: UInt64(superblock.segmentByteCount),
                segmentCount: superblock.segmentCount,
                model: superblock.model == .none ? nil : "\(superblock.model)"
            )
        }
    }

    /// The same file by another name, too, before its own lock would refuse it.
    private static func refuseTwice(_ paths: [String]) throws(ControlError) {
        var known: Set<FileIdentity> = []
        for path in paths {
            guard let identity = FileIdentity(of: path) else { throw .deviceMissing(path: path) }
            guard known.insert(identity).inserted else { throw .deviceNamedTwice(path: path) }
        }
    }

    private static func open(_ path: String) throws(ControlError) -> Found {
        let file = try PoolDevices.open(path)
        do throws(DeviceError) {
            try file.flush()
        } catch {
            throw ControlError(error)
        }
        do throws(SuperblockError) {
            let choice = try Superblock.choose(copies: SuperblockStore(file).copies())
            return Found(path: path, file: file, superblock: choice.superblock)
        } catch {
            throw .superblockMissing(path: path, finding: InspectionText.of(error))
        }
    }

    private static func check(
        _ devices: [Found],
        _ name: ObjectName
    ) throws(ControlError) {
        guard let first = devices.first else { throw .noDeviceGiven(pool: name.text) }
        for device in devices
        where device.superblock.poolIdentifier != first.superblock.poolIdentifier {
            throw .devicesOfTwoPools(
                path: device.path,
                pool: device.superblock.poolName,
                otherPath: first.path,
                otherPool: first.superblock.poolName
            )
        }
        guard first.superblock.poolName == name.text else {
            throw .poolNameDiffers(
                path: first.path,
                name: name.text,
                found: first.superblock.poolName
            )
        }
        var known: [DeviceIdentifier: String] = [:]
        for device in devices {
            let identifier = device.superblock.deviceIdentifier
            if let other = known[identifier] {
                throw .deviceCopy(path: device.path, otherPath: other)
            }
            known[identifier] = device.path
        }
        try checkTable(devices)
    }

    /// Every device is in the newest table, as it says itself, and every device of it was given.
    private static func checkTable(_ devices: [Found]) throws(ControlError) {
        guard let newest = devices.max(by: { $0.superblock.generation < $1.superblock.generation })
        else { return }
        let table = newest.superblock
        for device in devices {
            let superblock = device.superblock
            let listed = table.devices.first { $0.identifier == superblock.deviceIdentifier }
            let facts: [(isRight: Bool, name: StaticName)] = [
                (listed != nil, "the device's identity"),
                (listed?.index == superblock.deviceIndex, "the device's index"),
                (listed?.role == superblock.role, "the role"),
                (listed?.byteCount == superblock.deviceByteCount, "the size in the pool's table"),
                (superblock.laneCount == table.laneCount, "the number of lanes"),
                (
                    device.file.byteCount >= superblock.deviceByteCount,
                    "the size, which is smaller than it was,"
                ),
            ]
            for fact in facts where !fact.isRight {
                throw .deviceMismatch(path: device.path, fact: fact.name)
            }
        }
        let missing = table.devices.filter { listed in
            !devices.contains { $0.superblock.deviceIdentifier == listed.identifier }
        }
        guard missing.isEmpty else {
            throw .devicesNotGiven(
                pool: table.poolName,
                missing: missing.map { listed in
                    "device \(listed.index.rawValue) (\(listed.role), "
                        + "\(ByteCountText.short(listed.byteCount)))"
                }
            )
        }
        // The engine knows a device by its place in the list.
        for (place, listed) in table.devices.enumerated() where Int(listed.index.rawValue) != place
        {
            throw .deviceMismatch(path: newest.path, fact: "the order of devices in its table")
        }
    }
}
