internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

/// Makes the catalogue of a pool anew from its devices alone.
///
///     1. If the pool's directory is there, its lock is taken: nobody has the pool open.
///     2. Every device is opened, locked, flushed, and checked to be one of the pool's.
///     3. The directory is made, with its entry in the index, if it is missing.
///     4. A draft is made beside the catalogue's place; what the mirror says is committed to it.
///     5. The draft is verified as the next start would: the devices' ages, and all of their logs.
///        Nothing on a device is changed.
///     6. An entry in the index is made if there is none.  The catalogue that was there is moved
///        aside, and the draft takes its place.
///
/// An error before 6, or a dry run, leaves everything as it was.  What a cut leaves at any moment
/// is told by `CatalogueDraft`.
struct PoolRebuild {
    private let name: ObjectName
    private let paths: [String]
    private let directory: PoolDirectory
    private let home: String
    /// Where people asked for it to be; nil for its place in the index.
    private let wantedPath: String?
    /// A catalogue that is there may be moved aside.
    private let replaces: Bool
    /// Only said, not done.
    private let isPlan: Bool

    /// - Parameter directory: of the pool; nil takes what the index says, or a place inside it.
    init(
        name: ObjectName,
        devices paths: [String],
        directory: String?,
        home: String,
        replaces: Bool,
        isPlan: Bool
    ) throws(ControlError) {
        self.name = name
        self.paths = paths
        self.home = home
        self.replaces = replaces
        self.isPlan = isPlan
        let known = try ControlError.converting { () throws(CatalogueError) in
            try PoolDirectory.list(home: home)
        }.first { $0.name == name.text }
        let entry = home + "/pools/" + name.text
        let path = directory.map(PathText.absolute) ?? known?.path ?? entry
        wantedPath = path == entry ? nil : path
        self.directory = PoolDirectory(name: name.text, path: path)
        if let known, known.path != path {
            throw ControlError(CatalogueError.poolNameTaken(name: name.text, path: known.path))
        }
    }

    /// Carries it out.
    func perform() throws(ControlError) -> RebuildReport {
        let isThere = LocalFile.exists(directory.path)
        var held = isThere ? try draft() : nil
        if let held, held.hasPredecessor, !replaces, !isPlan {
            throw .catalogueThere(pool: name.text, path: directory.cataloguePath)
        }
        let devices = try RebuildDevices(paths, of: name)
        let wasKnown = try isKnown()
        do throws(ControlError) {
            if !isPlan, !isThere { try register() }
            let draft =
                if let held {
                    held
                } else if isPlan {
                    CatalogueDraft(withoutDirectoryFor: directory)
                } else {
                    try self.draft()
                }
            held = draft
            let report = try fill(draft, devices)
            // Up to here the devices are locked by this process.
            return try withExtendedLifetime(devices) { () throws(ControlError) in
                try finish(draft, report)
            }
        } catch {
            held = nil
            if !isPlan, !isThere, !wasKnown { withdraw() }
            throw error
        }
    }

    private func draft() throws(ControlError) -> CatalogueDraft {
        try ControlError.converting { () throws(CatalogueError) in
            try CatalogueDraft(for: directory)
        }
    }

    private func isKnown() throws(ControlError) -> Bool {
        try ControlError.converting { () throws(CatalogueError) in
            try PoolDirectory.list(home: home).contains { $0.name == name.text }
        }
    }

    private func register() throws(ControlError) {
        try ControlError.converting { () throws(CatalogueError) in
            _ = try PoolDirectory.register(name.text, at: wantedPath, home: home)
        }
    }

    /// Takes back the entry that was made for a pool that came to nothing.
    private func withdraw() {
        // The first error is the one to report.
        try? directory.withdraw(home: home)
    }

    private func finish(
        _ draft: CatalogueDraft,
        _ report: RebuildReport
    ) throws(ControlError) -> RebuildReport {
        // One may have been made meanwhile.
        if draft.hasPredecessor, !replaces, !isPlan {
            throw .catalogueThere(pool: name.text, path: directory.cataloguePath)
        }
        var report = report
        report.hasPredecessor = draft.hasPredecessor
        report.isPlan = isPlan
        if !isPlan, try !isKnown() { try register() }
        report.asidePath = try ControlError.converting { () throws(CatalogueError) in
            if isPlan {
                try draft.discard()
                return nil
            }
            return try draft.publish(seconds: WallClock.seconds)
        }
        return report
    }

    // MARK: The draft

    /// Makes the draft and verifies it.  After an error nothing of it is left.
    private func fill(
        _ draft: CatalogueDraft,
        _ devices: RebuildDevices
    ) throws(ControlError) -> RebuildReport {
        do throws(ControlError) {
            try ControlError.converting { () throws(CatalogueError) in
                try draft.prepare()
                try Catalogue.create(at: draft.path, pool: devices.pool, devices: devices.rows)
            }
            let catalogue = try ControlError.converting { () throws(CatalogueError) in
                try Catalogue(openingAt: draft.path)
            }
            do throws(ControlError) {
                let byteCountRead = try commit(devices, to: catalogue)
                let report = try verify(catalogue, devices, byteCountRead)
                try ControlError.converting { () throws(CatalogueError) in try catalogue.close() }
                return report
            } catch {
                // The first error is the one to report.
                try? catalogue.close()
                throw error
            }
        } catch {
            // Likewise; the next rebuild removes what cannot be removed now.
            try? draft.discard()
            throw error
        }
    }

    /// Commits what the mirror says; returns how many bytes of it were read.
    private func commit(
        _ devices: RebuildDevices,
        to catalogue: Catalogue
    ) throws(ControlError) -> UInt64 {
        var reader = try converting { () throws(MirrorError) in
            try MirrorReader(
                pool: devices.pool.identifier,
                laneCount: Int(devices.pool.laneCount),
                devices: OpenPool.geometries(of: devices.rows),
                deviceIdentifiers: devices.rows.map(\.identifier),
                source: DeviceFiles(files: devices.files)
            )
        }
        while let image = try converting({ () throws(MirrorError) in try reader.next() }) {
            try ControlError.converting { () throws(CatalogueError) in try catalogue.commit(image) }
        }
        let (incarnation, logEnds) = (reader.incarnation, reader.logEnds)
        let witnessed = reader.witnessedIncarnation
        let event = EventRow(
            seconds: WallClock.seconds,
            type: "pool_rebuilt",
            text: "the catalogue was made anew from the devices; events of before, progress of "
                + "scrubs and settings are not in it"
        )
        try ControlError.converting { () throws(CatalogueError) in
            try catalogue.begin(incarnation: incarnation, logEnds: logEnds)
            if witnessed > 0 { try catalogue.noteWitnessed(witnessed) }
            try catalogue.append([event])
        }
        return reader.byteCount
    }

    private func converting<Value>(
        _ body: () throws(MirrorError) -> Value
    ) throws(ControlError) -> Value {
        do throws(MirrorError) {
            return try body()
        } catch {
            throw ControlError(error, of: name.text)
        }
    }

    /// Opens the pool from the draft, as its next start would, reading only.
    private func verify(
        _ catalogue: Catalogue,
        _ devices: RebuildDevices,
        _ byteCountRead: UInt64
    ) throws(ControlError) -> RebuildReport {
        let contents = try ControlError.converting { () throws(CatalogueError) in
            // A pool that cannot be opened once more is not worth its catalogue.
            _ = try catalogue.nextIncarnation()
            return try catalogue.contents()
        }
        let opening = OpenPool.opening(catalogue, contents, isPopulated: false)
        let source = DeviceSource(files: devices.files, catalogue: catalogue)
        let opened = try OpenPool.converting(catalogue) { () throws(RecoveryError) in
            try opening.open(from: source, now: Clock.now())
        }
        return RebuildReport(
            pool: devices.pool,
            directory: directory,
            isModelled: devices.isModelled,
            devices: devices.rows,
            positions: contents.positions.sorted { $0.lane < $1.lane },
            volumes: opened.lanes.flatMap(\.volumeList).map(\.row).filter { $0.state == .live }
                .sorted { $0.name < $1.name },
            leafCount: contents.leafKeys.count,
            mirrorByteCountRead: byteCountRead,
            replayedRecordCount: opened.report.recordsReplayed
        )
    }
}
