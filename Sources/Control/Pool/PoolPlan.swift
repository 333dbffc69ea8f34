package import Format
package import Units

/// How a pool is going to be laid out.  The dry run shows it, the creation carries it out.
package struct PoolPlan: Equatable, Sendable {
    package struct Device: Equatable, Sendable {
        package var path: String
        package var role: DeviceRole
        package var byteCount: UInt64
        /// The file is to be made; else it is there and used whole.
        package var isNew: Bool
        package var segmentByteCount: UInt32
        package var segmentCount: UInt32
        package var model: DeviceModel
        /// It is there and its first or last MiB is not all zeros: something may be lost.
        package var holdsData = false
    }

    package var name: ObjectName
    package var laneCount: Int
    /// Flash first, each role in the order in which it was given.
    package var devices: [Device]

    package static var laneCountMax: Int { DeviceLayout.witnessLaneCountMax }
    /// Segments of a role that a lane needs to work well: what it holds back for itself when the
    /// pool is full, and as many again to choose from.
    static func segmentCountMin(_ role: DeviceRole) -> UInt32 { role == .flash ? 16 : 8 }

    /// A power of two, 2 to 8 MiB on flash and 4 to 32 MiB on disk, so that a device has at least
    /// 64 segments on flash and 128 on disk where its size allows it.
    static func segmentByteCount(_ role: DeviceRole, deviceByteCount: UInt64) -> UInt32 {
        let (least, most, share): (UInt64, UInt64, UInt64) =
            role == .flash ? (2 << 20, 8 << 20, 64) : (4 << 20, 32 << 20, 128)
        var size = least
        while size < most, size * 2 <= deviceByteCount / share { size *= 2 }
        return UInt32(size)
    }

    /// The least bytes of a device of this role when it is the only one.
    static func deviceByteCountMin(_ role: DeviceRole, laneCount: Int) -> UInt64 {
        let segment = UInt64(segmentByteCount(role, deviceByteCount: 0))
        return UInt64(segmentCountMin(role)) * UInt64(laneCount) * segment
            + DeviceLayout.headByteCount + DeviceLayout.tailByteCount
    }

    /// Plans a pool out of what was asked for and what is there.
    ///
    /// - Parameter laneCount: nil takes one for each processor, as far as the flash has room.
    /// - Parameter probe: the size of what is at a path; nil when nothing is.
    package init(
        name: ObjectName,
        devices: [DeviceSpecification],
        laneCount: Int?,
        processorCount: Int,
        probe: (String) throws(ControlError) -> UInt64?
    ) throws(ControlError) {
        self.name = name
        guard devices.count <= Superblock.deviceCountMax else {
            throw .tooManyDevices(count: devices.count, countMax: Superblock.deviceCountMax)
        }
        for role in DeviceRole.allCases where !devices.contains(where: { $0.role == role }) {
            throw .noDevice(role: role)
        }
        var planned: [Device] = []
        for role in DeviceRole.allCases {
            for device in devices where device.role == role {
                guard !planned.contains(where: { $0.path == device.path }) else {
                    throw .deviceNamedTwice(path: device.path)
                }
                planned.append(try Self.device(device, probe: probe))
            }
        }
        let count = try Self.laneCount(laneCount, processorCount, planned)
        (self.laneCount, self.devices) = Self.givingRoom(
            planned,
            laneCount: count,
            mayBeFewer: laneCount == nil
        )
    }

    /// Makes room for the mirror of the catalogue.  Where the flash has none for as many lanes,
    /// they are fewer, unless their number was asked for.
    private static func givingRoom(
        _ devices: [Device],
        laneCount: Int,
        mayBeFewer: Bool
    ) -> (laneCount: Int, devices: [Device]) {
        for count in (1...laneCount).reversed() {
            let given = givingRoom(devices, laneCount: count)
            if !mayBeFewer || hasRoom(given, laneCount: count) { return (count, given) }
        }
        return (laneCount, givingRoom(devices, laneCount: laneCount))
    }

    private static func device(
        _ device: DeviceSpecification,
        probe: (String) throws(ControlError) -> UInt64?
    ) throws(ControlError) -> Device {
        let found = try probe(device.path)
        switch (found, device.byteCount) {
        case (let byteCount?, .some): throw .deviceExists(path: device.path, byteCount: byteCount)
        case (nil, nil): throw .deviceMissing(path: device.path)
        default: break
        }
        // Whole blocks: the rest of a device that ends inside one is left alone.
        let byteCount = (found ?? device.byteCount ?? 0) / 4096 * 4096
        let least = deviceByteCountMin(device.role, laneCount: 1)
        guard byteCount >= least else {
            throw .deviceTooSmall(path: device.path, byteCount: byteCount, byteCountMin: least)
        }
        let segment = segmentByteCount(device.role, deviceByteCount: byteCount)
        return Device(
            path: device.path,
            role: device.role,
            byteCount: byteCount,
            isNew: found == nil,
            segmentByteCount: segment,
            segmentCount: DeviceLayout.segmentCount(
                deviceByteCount: byteCount,
                segmentByteCount: segment
            ),
            model: try model(device)
        )
    }

    private static func model(_ device: DeviceSpecification) throws(ControlError) -> DeviceModel {
        guard let name = device.model else { return .none }
        for model in DeviceModel.allCases where model != .none && "\(model)" == name {
            return model
        }
        let known = DeviceModel.allCases.filter { $0 != .none }.map { "\($0)" }
        throw .model(device: device.path, model: name, known: known)
    }

    private static func laneCount(
        _ wanted: Int?,
        _ processorCount: Int,
        _ devices: [Device]
    ) throws(ControlError) -> Int {
        let room =
            DeviceRole.allCases.map { role in
                let count = devices.filter { $0.role == role }.reduce(0) {
                    $0 + Int($1.segmentCount)
                }
                return count / Int(segmentCountMin(role))
            }.min() ?? 1
        let most = max(1, min(room, laneCountMax))
        guard let wanted else { return max(1, min(processorCount, most)) }
        guard (1...most).contains(wanted) else {
            throw .laneCount(count: wanted, countMax: most)
        }
        return wanted
    }

    /// Something that is there may be lost.
    package var isDestructive: Bool { devices.contains(where: \.holdsData) }

    package var isModelled: Bool { devices.contains { $0.model != .none } }

    package func byteCount(_ role: DeviceRole) -> UInt64 {
        devices.filter { $0.role == role }.reduce(0) { $0 + $1.byteCount }
    }

    /// Sentences about what is allowed but seldom wanted.
    package var warnings: [String] {
        var warnings: [String] = []
        let (flash, disk) = (byteCount(.flash), byteCount(.disk))
        if flash > disk {
            warnings.append(
                "the flash (\(ByteCountText.short(flash))) is larger than the disk "
                    + "(\(ByteCountText.short(disk))): little will ever be demoted"
            )
        } else if flash < disk / 200 {
            warnings.append(
                "the flash (\(ByteCountText.short(flash))) is less than 0.5 % of the disk "
                    + "(\(ByteCountText.short(disk))): reads will mostly come from the disk"
            )
        }
        for device in devices where device.model != .none {
            warnings.append(
                "\(device.path) is delayed to behave like \(device.model) (modelled): its figures "
                    + "are not those of a real drive"
            )
        }
        return warnings
    }

    /// The item of the document `pool.create/1`.
    package var json: JSONValue {
        [
            "name": .text(name.text), "laneCount": .count(laneCount),
            "modelled": .boolean(isModelled),
            "devices": .list(
                devices.map { device in
                    [
                        "path": .text(device.path), "role": .text("\(device.role)"),
                        "byteCount": .count(device.byteCount), "isNew": .boolean(device.isNew),
                        "segmentByteCount": .count(device.segmentByteCount),
                        "segmentCount": .count(device.segmentCount),
                        "mirrorByteCount": .count(device.mirrorByteCount),
                        "model": device.model == .none ? .null : .text("\(device.model)"),
                        "holdsData": .boolean(device.holdsData),
                        "modelled": .boolean(device.model != .none),
                    ]
                }
            ),
            "warnings": .list(warnings.map { .text($0) }),
        ]
    }

    /// The plan for people, a line for each device.
    package var text: String {
        devices.map { device in
            let mark = device.model == .none ? "" : ", \(device.model) (modelled)"
            let mirror =
                device.role == .flash
                ? ", mirror of the catalogue \(ByteCountText.short(device.mirrorByteCount))" : ""
            return "\(device.role) \(device.path): "
                + (device.isNew
                    ? "new file, "
                    : device.holdsData ? "used whole, what it holds is lost, " : "used whole, ")
                + ByteCountText.both(device.byteCount)
                + ", \(device.segmentCount) segments of "
                + ByteCountText.short(UInt64(device.segmentByteCount)) + mirror + mark + "\n"
        }.joined()
    }
}
