internal import Catalogue
internal import Engine
internal import Format
internal import Glibc
internal import IO
internal import NBD
internal import Policy
internal import Units

// What only looks.
extension PoolService {
    private static var blockByteCount: UInt64 { UInt64(Geometry.blockByteCount) }

    /// What one lane says of itself.
    private struct LaneFigures: Sendable {
        var statistics: LaneStatistics
        var decisions: DecisionCounters
        var isReadOnly: Bool
        var isMirrorWhole: Bool
        var volumes: [VolumeRow]
        var devices: [DeviceStatistics]
    }

    private func laneFigures() throws(ControlError) -> [LaneFigures] {
        var figures: [LaneFigures] = []
        let pool = pool
        let deviceCount = pool.devices.count
        for index in 0..<pool.engine.laneCount {
            let lane = LaneIndex(UInt16(index))
            figures.append(
                try inquiry.look(at: lane) { lane, _ in
                    LaneFigures(
                        statistics: lane.statistics,
                        decisions: lane.decisions,
                        isReadOnly: lane.isReadOnly,
                        isMirrorWhole: lane.isMirrorWhole,
                        volumes: lane.volumeList.map(\.row),
                        devices: (0..<deviceCount).map {
                            pool.statistics(of: DeviceIndex(UInt8($0)), on: lane.index)
                        }
                    )
                }
            )
        }
        return figures
    }

    // MARK: Status

    func status() throws(ControlError) -> JSONValue {
        let lanes = try laneFigures()
        let devices = pool.devices.map { device in
            let isOnlyOne = pool.devices.count { $0.role == device.role } == 1
            let failed = lanes.reduce(UInt64(0)) {
                $0 + $1.devices[Int(device.index.rawValue)].failedCount
            }
            return DeviceFigures(
                row: device,
                state: failed == 0 ? .online : .degraded,
                freeSegmentCount: isOnlyOne
                    ? UInt64(pool.engine.freeSegmentCount(device.role)) : nil,
                errorCount: failed
            )
        }
        var figures = PoolFigures(
            directory: directory,
            pool: pool.row,
            devices: devices,
            volumes: lanes.flatMap(\.volumes)
        )
        figures.usedSegmentCounts = [.flash, .disk].reduce(into: [:]) { counts, role in
            counts[role] = UInt64(
                pool.engine.segmentCount(role) - pool.engine.freeSegmentCount(role)
            )
        }
        if lanes.contains(where: \.isReadOnly) {
            figures.state = .readOnly
            figures.reasons.append(
                PoolFigures.Reason(
                    text: "A flush or the catalogue failed; no change is accepted since.",
                    action: "Mend the device or make room, then stop and start the daemon."
                )
            )
        }
        if !directory.isReserveWhole {
            figures.reasons.append(
                PoolFigures.Reason(
                    text: "The file system of \(directory.path) is full, or nearly: room that is "
                        + "kept there for the catalogue is in use, or was never found.",
                    action: "Make room there; without it the pool accepts no changes, sooner or "
                        + "later."
                )
            )
        }
        figures.catalogueByteCount = FileSize.of(directory.cataloguePath)
        figures.live = live(lanes)
        figures.scrubs = try scrubItems()
        return figures.json
    }

    private func live(_ lanes: [LaneFigures]) -> PoolFigures.Live {
        let sums = LaneSums(lanes: lanes.map(\.statistics))
        return PoolFigures.Live(
            processIdentifier: getpid(),
            secondsServed: Clock.now().nanoseconds(since: openedAt) / 1_000_000_000,
            clientCount: pool.state.openConnectionCount,
            uris: exportNames.flatMap { endpoints.attachStrings($0) },
            chargedByteCount: UInt64(max(0, pool.engine.chargedBlocks)) * Self.blockByteCount,
            capacityByteCount: UInt64(max(0, pool.engine.capacityBlockCount))
                * Self.blockByteCount,
            counters: sums.counters,
            reads: sums.reads,
            moves: sums.moves,
            decisions: DecisionFigures(lanes: lanes.map(\.decisions)).json,
            isMirrorWhole: lanes.allSatisfy(\.isMirrorWhole)
        )
    }

    // MARK: Volumes

    func volumeItems() throws(ControlError) -> [JSONValue] {
        var items: [JSONValue] = []
        let lanes = try laneFigures()
        let rows = lanes.flatMap(\.volumes).sorted { $0.name < $1.name }
        for row in rows {
            guard let entry = volumes.withLock({ $0[row.name] }) else { continue }
            let figures = VolumeFigures(
                pool: directory.name,
                row: row,
                state: lanes[Int(row.lane.rawValue)].isReadOnly ? .readOnly : .online,
                clientCount: try inquiry.clientCount(of: entry.slot, on: row.lane),
                isModelled: isModelled
            )
            items.append(figures.json)
        }
        return items
    }

    // MARK: Heat

    func heat(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        let name = try request.text("volume")
        let entry = try volume(name)
        let lineCount = Int(clamping: request.arguments["lines"]?.unsigned ?? 8)
        var map = HeatMap(
            volume: "\(directory.name)/\(name)",
            byteCount: entry.row.byteCount,
            lineCount: lineCount
        )
        var ranking = request.arguments["top"]?.unsigned.map {
            HeatRanking(countMax: Int(clamping: $0))
        }
        var offset: UInt64 = 0
        while offset < map.byteCount {
            let before = offset
            for extent in try inquiry.extents(
                of: entry.slot,
                on: entry.row.lane,
                offset: offset,
                byteCount: map.byteCount - offset
            ) {
                let (place, level) = (Self.place(extent.state), extent.state.heatBucket)
                map.add(
                    offset: offset,
                    byteCount: extent.byteCount,
                    place: place,
                    level: level,
                    isPinned: extent.state.contains(.pinned)
                )
                ranking?.add(
                    offset: offset,
                    byteCount: extent.byteCount,
                    place: place,
                    level: level
                )
                offset += extent.byteCount
            }
            guard offset > before else {
                throw .protocolViolation(fact: "a lane answered without an extent")
            }
        }
        ranking?.finish()
        guard case .object(let fields) = map.json, let ranking else { return map.json }
        return .object(fields + ranking.fields(of: map.volume))
    }

    private static func place(_ state: ExtentState) -> HeatMap.Place {
        switch (state.contains(.flash), state.contains(.disk)) {
        case (true, true): .both
        case (true, false): .flash
        case (false, true): .disk
        case (false, false): .hole
        }
    }

    // MARK: Explanation

    func explain(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        let name = try request.text("volume")
        let offset = try request.unsigned("offset")
        let entry = try volume(name)
        guard offset < entry.row.byteCount else {
            throw .addressBeyondEnd(
                path: "\(directory.name)/\(name)",
                offset: offset,
                byteCount: entry.row.byteCount
            )
        }
        let chunkByteCount = UInt64(Geometry.chunkByteCount)
        let chunk = offset / chunkByteCount
        let start = chunk * chunkByteCount
        let slot = entry.slot
        let byteCount = min(chunkByteCount, entry.row.byteCount - start)
        let view = try inquiry.request(of: entry.row.lane) { lane, context in
            lane.extents(slot, offset: start, byteCount: byteCount, countMax: 16, context: context)
        } _: { lane, _ in
            lane.view(of: slot, chunk: chunk)
        }
        return ChunkExplanation(
            volume: "\(directory.name)/\(name)",
            chunk: chunk,
            byteCount: byteCount,
            view: view,
            devices: pool.devices
        ).json
    }
}
