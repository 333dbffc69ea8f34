internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

/// Makes a pool: its device files, their superblocks, its catalogue and its entry in the index.
///
///     1. Device files are made; existing devices are locked and looked at.
///     2. The catalogue, whole and durable under another name, gets its own, and the pool its entry
///        in the index.
///     3. Superblocks, one copy at a time, each flushed.
///
/// A device without its superblock is refused when the pool is opened, so a creation that was cut
/// off leaves a pool that can only be destroyed, and no data that anybody was promised.  After an
/// error all of it is taken back.
package struct PoolCreation {
    package private(set) var plan: PoolPlan
    private let directory: String?
    private let home: String

    package init(
        name: ObjectName,
        devices: [DeviceSpecification],
        laneCount: Int?,
        directory: String?,
        home: String
    ) throws(ControlError) {
        let devices = devices.map { device in
            var device = device
            device.path = PathText.absolute(device.path)
            return device
        }
        self.directory = directory.map(PathText.absolute)
        self.home = home
        plan = try PoolPlan(
            name: name,
            devices: devices,
            laneCount: laneCount,
            processorCount: WorkThread.processorCount,
            probe: { path throws(ControlError) in try PoolDevices.byteCount(at: path) }
        )
        try refuseTaken()
    }

    /// Where the pool's directory is going to be.
    package var directoryPath: String { directory ?? home + "/pools/" + plan.name.text }

    /// What may not be used is refused before anything is made.
    private mutating func refuseTaken() throws(ControlError) {
        let known = try ControlError.converting { () throws(CatalogueError) in
            try PoolDirectory.list(home: home)
        }
        if let other = known.first(where: { $0.name == plan.name.text && !isLeftover($0) }) {
            throw .catalogue(
                description: CatalogueError.poolNameTaken(name: other.name, path: other.path)
                    .description,
                status: .refused
            )
        }
        let place = PoolDirectory(name: plan.name.text, path: directoryPath)
        guard FileSize.of(place.cataloguePath) == nil else {
            throw .directoryInUse(path: directoryPath)
        }
        for index in plan.devices.indices where !plan.devices[index].isNew {
            let file = try openUnowned(plan.devices[index].path)
            plan.devices[index].holdsData = try PoolDevices.holdsData(file)
        }
    }

    /// Whether an entry of the index is what a creation, or a destruction, that was cut off left in
    /// this place: an entry without a catalogue.
    private func isLeftover(_ place: PoolDirectory) -> Bool {
        place.path == directoryPath && FileSize.of(place.cataloguePath) == nil
    }

    package func perform() throws(ControlError) {
        var made: [String] = []
        do throws(ControlError) {
            try makeFiles(&made)
            var files: [DeviceFile] = []
            for device in plan.devices { files.append(try openUnowned(device.path)) }
            try makePool(of: files)
        } catch {
            for path in made { LocalFile.remove(path) }
            throw error
        }
    }

    private func makeFiles(_ made: inout [String]) throws(ControlError) {
        for device in plan.devices where device.isNew {
            do throws(DeviceError) {
                try DeviceFile.create(path: device.path, byteCount: device.byteCount)
            } catch {
                throw ControlError(error)
            }
            made.append(device.path)
        }
    }

    /// Locks a device that belongs to no pool.
    private func openUnowned(_ path: String) throws(ControlError) -> DeviceFile {
        let file = try PoolDevices.open(path)
        if let superblock = SuperblockStore(file).anyGood() {
            throw .deviceOfPool(path: path, pool: superblock.poolIdentifier)
        }
        return file
    }

    private func makePool(of files: [DeviceFile]) throws(ControlError) {
        let rows = makeRows()
        let place = try makeCatalogue(rows)
        do throws(ControlError) {
            for (file, row) in zip(files, rows.devices) {
                do throws(DeviceError) {
                    try SuperblockStore(file).write(superblock(of: row, rows))
                } catch {
                    throw ControlError(error)
                }
            }
        } catch {
            for file in files { SuperblockStore(file).wipe() }
            // The first error is the one to report.
            try? place.removeFiles()
            try? place.withdraw(home: home)  // Likewise.
            throw error
        }
    }

    private struct Rows {
        var pool: PoolRow
        var devices: [DeviceRow]
    }

    private func makeRows() -> Rows {
        var random = RandomSource()
        let pool = PoolRow(
            identifier: PoolIdentifier(from: &random),
            name: plan.name.text,
            laneCount: UInt16(plan.laneCount),
            createdSeconds: WallClock.seconds
        )
        let devices = plan.devices.enumerated().map { index, device in
            DeviceRow(
                index: DeviceIndex(UInt8(index)),
                identifier: DeviceIdentifier(from: &random),
                role: device.role,
                path: device.path,
                byteCount: device.byteCount,
                segmentByteCount: UInt64(device.segmentByteCount),
                segmentCount: device.segmentCount,
                model: device.model == .none ? nil : "\(device.model)"
            )
        }
        return Rows(pool: pool, devices: devices)
    }

    private func makeCatalogue(_ rows: Rows) throws(ControlError) -> PoolDirectory {
        try ControlError.converting { () throws(CatalogueError) in
            let place = try PoolDirectory.register(plan.name.text, at: directory, home: home)
            do throws(CatalogueError) {
                try place.clearRebuild(seconds: WallClock.seconds)
                try Catalogue.create(
                    at: place.cataloguePath,
                    pool: rows.pool,
                    devices: rows.devices
                )
            } catch {
                // The first error is the one to report.  One who makes the same pool at the same
                // time, and is ahead, keeps it.
                try? place.withdraw(home: home)
                throw error
            }
            // One who was behind may have taken the entry back before there was a catalogue.
            return try PoolDirectory.register(plan.name.text, at: directory, home: home)
        }
    }

    private func superblock(of row: DeviceRow, _ rows: Rows) -> Superblock {
        Superblock(
            poolIdentifier: rows.pool.identifier,
            poolName: rows.pool.name,
            deviceIdentifier: row.identifier,
            deviceIndex: row.index,
            role: row.role,
            deviceByteCount: row.byteCount,
            segmentByteCount: UInt32(row.segmentByteCount),
            segmentCount: row.segmentCount,
            laneCount: rows.pool.laneCount,
            generation: 1,
            createdSeconds: rows.pool.createdSeconds,
            model: plan.devices[Int(row.index.rawValue)].model,
            devices: rows.devices.map { device in
                PoolDevice(
                    identifier: device.identifier,
                    role: device.role,
                    index: device.index,
                    byteCount: device.byteCount
                )
            }
        )
    }
}
