internal import Catalogue
internal import Engine
internal import IO
internal import NBD
internal import Units

// What changes volumes.  Each verb has one planner: the dry run stops behind it, the act goes on.
extension PoolService {
    func createVolume(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        let name = try ObjectName.volume(try request.text("volume")).text
        let byteCount = try request.unsigned("byteCount")
        try VolumeSize.validate(byteCount)
        return try changing { () throws(ControlError) in
            guard volumes.withLock({ $0[name] == nil && !$0.isInDoubt(name) }) else {
                throw .volumeExists(path: "\(directory.name)/\(name)")
            }
            let lane = volumes.withLock { $0.quietestLane(laneCount: pool.engine.laneCount) }
            let answer: JSONValue = [
                "volume": .text("\(directory.name)/\(name)"), "byteCount": .count(byteCount),
                "lane": .count(lane.rawValue),
                "warning": .text(orNull: promiseWarning(adding: byteCount)),
                "uris": .list(
                    endpoints.attachStrings("\(directory.name)/\(name)").map { .text($0) }
                ),
            ]
            if request.flag("dryRun") { return answer }
            var random = RandomSource()
            let row = VolumeRow(
                identifier: VolumeIdentifier(from: &random),
                name: name,
                byteCount: byteCount,
                lane: lane,
                tree: volumes.withLock { $0.nextTree() },
                state: .live,
                createdSeconds: WallClock.seconds
            )
            // A creation that got no answer, or an error, may be in the log all the same: until the
            // pool is opened anew nobody else gets the name.
            volumes.withLock { $0.setInDoubt(name, true) }
            try inquiry.change(on: lane) { $0.createVolume(row, context: $1) }
            let slot = try inquiry.look(at: lane) { lane, _ in lane.slot(of: row.identifier) }
            guard let slot else { throw .shuttingDown(pool: directory.name) }
            volumes.withLock {
                $0.insert(row, slot)
                $0.setInDoubt(name, false)
            }
            publish(row, slot)
            return answer
        }
    }

    /// Volumes own what is written, so more may be promised than there is; said once it is so.
    func promiseWarning(adding byteCount: UInt64) -> String? {
        let capacity =
            UInt64(max(0, pool.engine.capacityBlockCount))
            * UInt64(Geometry.blockByteCount)
        let promised = volumes.withLock { $0.all }.reduce(byteCount) { $0 + $1.row.byteCount }
        guard promised > capacity else { return nil }
        return "volumes are promised \(ByteCountText.short(promised)), the pool holds "
            + "\(ByteCountText.short(capacity)); writes fail with 'no space' when it is full"
    }

    func resizeVolume(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        let name = try request.text("volume")
        let byteCount = try request.unsigned("byteCount")
        try VolumeSize.validate(byteCount)
        return try changing { () throws(ControlError) in
            let entry = try volume(name)
            let row = entry.row
            let clients = try inquiry.clientCount(of: entry.slot, on: row.lane)
            let answer: JSONValue = [
                "volume": .text("\(directory.name)/\(name)"),
                "byteCountBefore": .count(row.byteCount), "byteCount": .count(byteCount),
                "clientCount": .count(clients),
            ]
            if request.flag("dryRun") { return answer }
            var resized = row
            resized.byteCount = byteCount
            if byteCount < row.byteCount {
                guard clients == 0 || request.flag("force") else {
                    throw .volumeAttached(
                        path: "\(directory.name)/\(name)",
                        clientCount: clients
                    )
                }
                // Clients are told the end before the lane refuses what lies behind it.
                announce(resized, entry.slot)
            }
            let slot = entry.slot
            do throws(ControlError) {
                try inquiry.change(on: row.lane) {
                    $0.resizeVolume(slot, byteCount: byteCount, context: $1)
                }
            } catch {
                // It is as large as it was, as far as anybody knows.
                announce(row, slot)
                throw error
            }
            announce(resized, slot)
            volumes.withLock { $0.insert(resized, slot) }
            return answer
        }
    }

    /// Tells clients, those that are there and those that come, how large a volume is.
    private func announce(_ row: VolumeRow, _ slot: VolumeSlot) {
        publish(row, slot)
        pool.state.send(.resize(slot, byteCount: row.byteCount), to: row.lane)
    }

    func destroyVolume(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        let name = try request.text("volume")
        return try changing { () throws(ControlError) in
            let entry = try volume(name)
            let (slot, lane) = (entry.slot, entry.row.lane)
            let clients = try inquiry.clientCount(of: slot, on: lane)
            let owned = try inquiry.look(at: lane) { lane, _ in
                lane.volumeList.first { $0.slot == slot }?.row.ownedBlockCount ?? 0
            }
            let answer: JSONValue = [
                "volume": .text("\(directory.name)/\(name)"),
                "byteCount": .count(entry.row.byteCount),
                "ownedByteCount": .count(owned * UInt64(Geometry.blockByteCount)),
                "clientCount": .count(clients),
            ]
            guard clients == 0 || request.flag("force") else {
                throw .volumeAttached(path: "\(directory.name)/\(name)", clientCount: clients)
            }
            if request.flag("dryRun") { return answer }
            pool.state.exports.remove(named: "\(directory.name)/\(name)")
            do throws(ControlError) {
                try endClients(of: slot, on: lane)
                try inquiry.change(on: lane) { $0.destroyVolume(slot, context: $1) }
            } catch {
                // It is still there, as far as anybody knows.
                publish(entry.row, slot)
                throw error
            }
            volumes.withLock { $0.remove(name) }
            return answer
        }
    }

    /// Ends every connection of a volume that has no export any more, also those that had chosen it
    /// just before, and waits until the lane has finished what they had asked.
    private func endClients(of slot: VolumeSlot, on lane: LaneIndex) throws(ControlError) {
        for _ in 0..<3 {
            pool.state.send(.endConnections(slot), to: lane)
            try inquiry.change(on: lane) { $0.flush(slot, context: $1) }
            Clock.pause(milliseconds: 20)
        }
    }

    /// Runs `body` while no other change runs.
    private func changing(
        _ body: () throws(ControlError) -> JSONValue
    ) throws(ControlError) -> JSONValue {
        try changes.withLock { (_) throws(ControlError) in try body() }
    }
}
