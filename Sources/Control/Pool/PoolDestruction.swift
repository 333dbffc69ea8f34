internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

/// Takes a pool away: superblocks, catalogue, entry in the index; device files if that was said.
///
/// The catalogue's lock keeps a daemon from having it open.  The superblocks go first, so that a
/// destruction that ends early can be given again, by the catalogue that is still there.
struct PoolDestruction {
    private let directory: PoolDirectory
    private let home: String
    private let deletesFiles: Bool
    /// Nil when there is no catalogue: a creation or a destruction was cut off.
    private let pool: PoolRow?
    private let devices: [DeviceRow]
    private let volumes: [VolumeRow]

    init(_ directory: PoolDirectory, home: String, deletesFiles: Bool) throws(ControlError) {
        self.directory = directory
        self.home = home
        self.deletesFiles = deletesFiles
        guard FileSize.of(directory.cataloguePath) != nil else {
            (pool, devices, volumes) = (nil, [], [])
            return
        }
        let facts = try ControlError.converting { () throws(CatalogueError) in
            let catalogue = try Catalogue(openingAt: directory.cataloguePath)
            let contents = try catalogue.contents()
            try catalogue.close()
            return (catalogue.pool, catalogue.devices, contents.volumes)
        }
        (pool, devices) = (facts.0, facts.1)
        volumes = facts.2.filter { $0.state == .live }
    }

    var volumeCount: Int { volumes.count }

    /// What will be lost.
    var text: String {
        guard let pool else {
            return
                "pool \(directory.name) has no catalogue: only its entry and what lies beside it "
                + "are removed; its devices, if it had any, stay as they are\n"
        }
        let owned = volumes.reduce(UInt64(0)) { $0.saturated(plus: $1.ownedByteCount) }
        let lost =
            "destroying pool \(pool.name): \(volumeCount) "
            + (volumeCount == 1 ? "volume with " : "volumes with ")
            + "\(ByteCountText.both(owned)) are lost\n"
        return lost
            + devices.map { device in
                "\(device.role) \(device.path): "
                    + (deletesFiles && isFile(device) ? "file is removed" : "superblocks are wiped")
                    + "\n"
            }.joined()
    }

    private func isFile(_ device: DeviceRow) -> Bool { !device.path.hasPrefix("/dev/") }

    func perform() throws(ControlError) {
        for device in devices where PoolDevices.isThere(device.path) { try wipe(device) }
        try ControlError.converting { () throws(CatalogueError) in
            try directory.removeFiles()
            guard try PoolDirectory.list(home: home).contains(where: { $0.name == directory.name })
            else { return }
            try PoolDirectory.forget(directory.name, home: home)
        }
    }

    /// A device at the path that is not this pool's is left alone.
    private func wipe(_ device: DeviceRow) throws(ControlError) {
        let file = try PoolDevices.open(device.path)
        let store = SuperblockStore(file)
        if let superblock = store.anyGood() {
            guard superblock.poolIdentifier == pool?.identifier else { return }
            guard store.wipe() else {
                throw .deviceUnreadable(
                    path: device.path,
                    reason: "its superblocks cannot be wiped"
                )
            }
        } else if try PoolDevices.holdsData(file) {
            // Neither a device of this pool nor what a creation or destruction that was cut off
            // leaves of one: something else has taken its place.
            return
        }
        if deletesFiles && isFile(device) && !file.isBlockDevice { LocalFile.remove(device.path) }
    }
}
