internal import Catalogue
internal import Engine
internal import Format
internal import Units

// The scrubs of an open pool: one a lane and tier, answered for as one.
extension PoolService {
    func scrub(_ request: ControlRequest) throws(ControlError) -> [JSONValue] {
        switch try request.text("action") {
        case "start" where !request.flag("dryRun"): try eachLane { $0.startScrub() }
        case "pause" where !request.flag("dryRun"): try eachLane { $0.pauseScrub() }
        case "start", "pause", "status": break
        default: throw .protocolViolation(fact: "scrubs are started, paused or looked at")
        }
        return try scrubItems()
    }

    func scrubItems() throws(ControlError) -> [JSONValue] {
        var figures: [ScrubFigures] = []
        for index in 0..<pool.engine.laneCount {
            figures += try inquiry.look(at: LaneIndex(UInt16(index))) { lane, _ in
                lane.scrubFigures
            }
        }
        return ScrubReport(
            lanes: figures,
            isOpen: true,
            pool: directory.name,
            isModelled: isModelled,
            roles: DeviceRole.allCases.filter { pool.engine.segmentCount($0) > 0 }
        ).items
    }

    private func eachLane(_ body: @escaping @Sendable (Lane) -> Void) throws(ControlError) {
        for index in 0..<pool.engine.laneCount {
            try inquiry.look(at: LaneIndex(UInt16(index))) { lane, _ in body(lane) }
        }
    }
}
