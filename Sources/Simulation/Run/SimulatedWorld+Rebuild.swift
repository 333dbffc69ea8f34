internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

// The catalogue is lost, and made anew from the devices (oracle O11).  Where the devices were told
// of the last checkpoint that it had committed, every row is as it was; else it is that of the
// checkpoint before, row for row, which must be as good: the pool goes on with it.
extension SimulatedWorld {
    /// A lane's checkpoint was committed.
    func noteMirror(_ position: LanePosition) {
        let before = mirrorsWhole[position.lane]?.last ?? true
        mirrorsWhole[position.lane] = [before, position.mirror.begin != nil]
    }

    /// The pool is opened with what the catalogue holds.
    func noteMirrors() {
        for position in catalogue.tables.positionRows {
            let isWhole = position.mirror.begin != nil
            mirrorsWhole[position.lane] = [isWhole, isWhole]
        }
    }

    func loseCatalogueAtTimes() {
        guard parameters.losesCatalogue, journal.isEmpty, crashes.isOne(in: 3),
            catalogue.tables.witnessedIncarnation > 0, !areWitnessesDamaged
        else { return }
        // Whoever makes it anew flushes first, as whoever opens the pool does.
        for device in devices { device.makeAllDurable() }
        journal.met(.catalogueLost)
        journal.trace("the catalogue is lost")
        do throws(MirrorError) {
            try makeCatalogueAnew()
        } catch {
            journal.trace("not made anew: \(error)")
            judge(error)
        }
    }

    func mirrorReader() throws(MirrorError) -> MirrorReader<SimulatedSource> {
        try MirrorReader(
            pool: poolIdentifier,
            laneCount: parameters.laneCount,
            devices: geometries,
            deviceIdentifiers: deviceIdentifiers,
            source: SimulatedSource(devices: devices, catalogue: catalogue),
            imageByteCountMax: crashes.pick([1, 1 << 10, 8 << 10, 8 << 20])
        )
    }

    func mirrorRing(of lane: LaneIndex) -> MirrorRing {
        MirrorRing(lane: lane, laneCount: parameters.laneCount, devices: geometries)
    }

    private func makeCatalogueAnew() throws(MirrorError) {
        var reader = try mirrorReader()
        var made = CatalogueTables()
        while let image = try reader.next() { made.apply(image) }
        made.incarnation = reader.incarnation
        made.witnessedIncarnation = reader.witnessedIncarnation
        made.logEnds = reader.logEnds
        journal.met(.catalogueMadeAnew)
        let lost = catalogue.tables
        var committed = [UInt64](repeating: 0, count: parameters.laneCount)
        for position in lost.positionRows {
            committed[Int(position.lane.rawValue)] = position.checkpoint
        }
        var isEarlier = false
        for (lane, checkpoint) in reader.checkpoints.enumerated() {
            let index = LaneIndex(UInt16(lane))
            var expected = lost
            if checkpoint != committed[lane] {
                judge(checkpoint, lane, committed: committed[lane])
                isEarlier = true
                guard checkpoint + 1 == committed[lane],
                    let before = catalogue.tablesBefore[index]
                else { continue }
                expected = before
            }
            if let difference = made.difference(from: expected, lane: index) {
                journal.report(.rebuilds, "lane \(lane) of the catalogue made anew: \(difference)")
            }
        }
        // What only the last checkpoint covered may have been damaged since.
        if isEarlier, let atlas, !atlas.faults.allSatisfy(\.isClean) { return }
        made.keepEvents(of: lost)
        catalogue.putBack(made)
        // Devices tell of an opening that all were told of from the checkpoint behind it on.
        if made.witnessedIncarnation < lost.witnessedIncarnation { deviceCopy = nil }
    }

    /// The devices were told of another checkpoint than the newest.
    private func judge(_ checkpoint: UInt64, _ lane: Int, committed: UInt64) {
        journal.met(.catalogueMadeFromEarlier)
        // One that no device takes is not told, as long as it gives nothing back.
        let faults = parameters.faults
        let isExcused = faults.writeErrorOneIn + faults.absenceOneIn > 0
        if checkpoint > committed || checkpoint + 1 < committed && !isExcused {
            journal.report(
                .rebuilds,
                "lane \(lane) is told of checkpoint \(checkpoint), \(committed) is committed"
            )
        }
    }

    /// Whether there is a reason that the catalogue cannot be made anew.
    private func judge(_ error: MirrorError) {
        let isExcused: Bool
        switch error {
        case .notWhole(let lane):
            journal.met(.mirrorNotWhole)
            let committed = catalogue.tables.positionRows.first { $0.lane == lane }
            isExcused =
                committed.map { $0.mirror.begin == nil } ?? false
                || mirrorsWhole[lane]?.contains(false) ?? false
        case .damaged(let lane, let place):
            journal.met(.mirrorDamaged)
            isExcused = isMirrorDamaged(lane, around: place)
        case .laneCount, .witnessMissing, .contradiction: isExcused = false
        }
        if !isExcused { journal.report(.rebuilds, "the catalogue is not made anew: \(error)") }
    }

    private func isDamaged(_ device: Int, _ block: Int) -> Bool {
        devices[device].harmed.contains(block) || devices[device].unreadable.contains(block)
            || devices[device].faults?.isDamaged(block) ?? false
    }

    /// Whether the record at a place is damaged, or the one before: where that was lost, an older
    /// one may be there.
    private func isMirrorDamaged(_ lane: LaneIndex, around place: UInt64) -> Bool {
        let ring = mirrorRing(of: lane)
        let most = parameters.configuration.mirrorRecordBlockMax
        let first = place - min(place, UInt64(most))
        return ring.pieces(from: first, count: min(2 * most, ring.blockCount)).contains { piece in
            (0..<piece.blockCount).contains {
                isDamaged(Int(piece.device.rawValue), Int(piece.block) + $0)
            }
        }
    }

    /// Whether two places of a witness are damaged on a flash device: then it may not be the newest
    /// one that is left.
    private var areWitnessesDamaged: Bool {
        geometries.filter { $0.role == .flash }.contains { geometry in
            (0..<parameters.laneCount).contains { lane in
                let places = (0..<Witness.placeCount).map {
                    Int(DeviceLayout.witnessBlock(lane: LaneIndex(UInt16(lane)), place: $0))
                }
                return places.count { isDamaged(Int(geometry.index.rawValue), $0) } > 1
            }
        }
    }

    /// A mirror with ample room becomes whole when nothing breaks any more.
    func awaitMirrors() {
        converge("the mirrors of the catalogue are whole") {
            self.lanes.allSatisfy { $0.isReadOnly || $0.isMirrorWhole || !$0.hasRoomForMirror }
        }
    }
}
