internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

/// Counts a pool anew that nobody has open, as its next start would find it: from the catalogue and
/// what the log has beyond it.
///
/// Holds the pool's lock meanwhile.  Devices are only read, and the catalogue's contents stay as
/// they are.
struct OfflineCheck {
    private let directory: PoolDirectory

    init(_ directory: PoolDirectory) { self.directory = directory }

    func run() throws(ControlError) -> CheckReport {
        let catalogue = try ControlError.converting { () throws(CatalogueError) in
            try Catalogue(openingAt: directory.cataloguePath)
        }
        do throws(ControlError) {
            let report = try check(catalogue)
            try ControlError.converting { () throws(CatalogueError) in try catalogue.close() }
            return report
        } catch {
            // The first error is the one to report; the lock goes with the catalogue.
            try? catalogue.close()
            throw error
        }
    }

    private func check(_ catalogue: Catalogue) throws(ControlError) -> CheckReport {
        let files = try PoolDevices.openToRead(catalogue.devices, of: catalogue.pool)
        let contents = try ControlError.converting { () throws(CatalogueError) in
            try catalogue.contents()
        }
        let opening = OpenPool.opening(catalogue, contents, isPopulated: false)
        let source = DeviceSource(files: files, catalogue: catalogue)
        let opened = try OpenPool.converting(catalogue) { () throws(RecoveryError) in
            try opening.open(from: source, now: Clock.now())
        }
        var whole = Recount()
        for finding in try findings(catalogue) { whole.add("the catalogue's file: \(finding)") }
        for lane in opened.lanes {
            whole.add(
                lane.recount { key in
                    do throws(CatalogueError) {
                        return try catalogue.load(key).bytes
                    } catch {
                        // Counted as damaged, which it is to whoever reads it.
                        return []
                    }
                }
            )
        }
        let charged = opened.pool.chargedBlocks
        let owned = opened.lanes.reduce(0) { $0 + $1.ownedBlocks }
        if charged != owned { whole.add("volumes own \(owned) blocks, \(charged) are charged") }
        return CheckReport(
            pool: directory.name,
            isOpen: false,
            isModelled: catalogue.devices.contains { $0.model != nil },
            recount: whole,
            chargedBlockCount: charged
        )
    }

    /// What SQLite finds wrong with the file itself.
    private func findings(_ catalogue: Catalogue) throws(ControlError) -> [String] {
        try ControlError.converting { () throws(CatalogueError) in try catalogue.findings() }
    }
}
