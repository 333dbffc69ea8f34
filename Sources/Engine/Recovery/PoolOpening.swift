package import Catalogue
internal import Format
internal import IO
package import Units

/// What a pool is opened from.
package struct PoolOpening {
    package var identifier: PoolIdentifier
    package var laneCount: Int
    package var devices: [DeviceGeometry]
    package var deviceIdentifiers: [DeviceIdentifier]
    package var contents: CatalogueContents
    package var configuration: LaneConfiguration
    package var randomSeed: UInt64
    /// Seconds since 1970, for people.
    package var wallSeconds: Int64

    package init(
        identifier: PoolIdentifier,
        laneCount: Int,
        devices: [DeviceGeometry],
        deviceIdentifiers: [DeviceIdentifier],
        contents: CatalogueContents,
        configuration: LaneConfiguration,
        randomSeed: UInt64,
        wallSeconds: Int64
    ) {
        self.identifier = identifier
        self.laneCount = laneCount
        self.devices = devices
        self.deviceIdentifiers = deviceIdentifiers
        self.contents = contents
        self.configuration = configuration
        self.randomSeed = randomSeed
        self.wallSeconds = wallSeconds
    }

    /// The number of the life of the pool that begins.
    package var incarnation: UInt32 { contents.incarnation + 1 }

    /// Recovers the pool: loads what the last checkpoint knew and replays what was logged after it.
    /// Only reads; no lane may run before the other steps of an opening (`open(on:now:)`).
    ///
    /// Every device was flushed before, so that nothing which is read here, and decides what hosts
    /// see, can be taken back by a later power cut.
    package func open(
        from source: some RecoverySource,
        now: Instant
    ) throws(RecoveryError) -> (pool: Pool, lanes: [Lane], report: RecoveryReport) {
        try watching(source) { watch throws(RecoveryError) in try open(once: watch, now: now) }
    }

    private func open(
        once source: some RecoverySource,
        now: Instant
    ) throws(RecoveryError) -> (pool: Pool, lanes: [Lane], report: RecoveryReport) {
        let pool = Pool(
            identifier: identifier,
            laneCount: laneCount,
            incarnation: incarnation,
            devices: devices,
            deviceIdentifiers: deviceIdentifiers,
            recordDataBlockMax: configuration.recordDataBlockMax
        )
        let witnesses = try witnesses(from: source)
        try check(witnesses)
        try CatalogueCheck(laneCount: laneCount, devices: devices).check(contents)
        adoptSegments(into: pool)
        var lanes: [Lane] = []
        for index in 0..<laneCount {
            lanes.append(makeLane(LaneIndex(UInt16(index)), pool, now))
        }
        var report = RecoveryReport()
        let (found, claims) = findSegments(pool, lanes, source, &report)
        for lane in lanes {
            let position = contents.positions.first { $0.lane == lane.index }
            lane.isReplaying = true
            var replay = Replay(
                lane: lane,
                position: position,
                logEnd: contents.logEnds.first { $0.lane == lane.index },
                segments: found,
                fromRecord: report.segmentsFromRecord,
                claims: claims
            )
            try replay.run(from: source, &report)
            lane.finishRecovery()
            lane.adoptAge(
                position,
                witnesses,
                witnessedIncarnation: contents.witnessedIncarnation
            )
        }
        tell(report, to: lanes.first)
        pool.beginAllocation()
        return (pool, lanes, report)
    }

    private func adoptSegments(into pool: Pool) {
        for row in contents.segments {
            var state = SegmentState()
            state.use = .sealed
            state.stream = row.stream
            state.lane = row.lane
            state.sequence = row.sequence
            state.nonce = row.nonce
            state.liveBlockCount = row.liveBlockCount
            // How far the log goes in a host segment, replay finds, or nobody knows.
            if row.stream != .host { state.writtenBlockCount = row.writtenBlockCount }
            pool.segments[pool.slot(of: row.address)] = state
        }
    }

    private func makeLane(_ index: LaneIndex, _ pool: Pool, _ now: Instant) -> Lane {
        let lane = Lane(
            index: index,
            pool: pool,
            configuration: configuration,
            randomSeed: randomSeed &+ UInt64(index.rawValue) &* 0x9E37_79B9_7F4A_7C15
        )
        lane.now = now
        lane.startedAt = now
        lane.wallSecondsAtStart = wallSeconds
        lane.heatTickAtStart = lane.heatTick(atWallSeconds: wallSeconds)
        var slots: [TreeIdentifier: Int] = [:]
        for row in contents.volumes where row.lane == index {
            let slot = lane.adopt(row)
            slots[row.tree] = slot
            pool.chargeUnconditionally(Int(row.ownedBlockCount))
        }
        for key in contents.leafKeys {
            if let slot = slots[key.tree] { lane.presence[slot].insert(key.index) }
        }
        lane.openScrubs(contents.scrubs)
        return lane
    }

    /// Finds the flash segments that the catalogue does not know and in which logs may have gone
    /// on after the last checkpoint; and what is said of the log in those that cannot be told.
    private func findSegments(
        _ pool: Pool,
        _ lanes: [Lane],
        _ source: some RecoverySource,
        _ report: inout RecoveryReport
    ) -> (headers: [SegmentHeader], claims: [DurabilityClaim]) {
        let search = SegmentSearch(
            pool: identifier,
            devices: devices,
            deviceIdentifiers: deviceIdentifiers,
            newestSequences: lanes.map { lane in
                contents.positions.first { $0.lane == lane.index }?.segmentSequence ?? 0
            }
        )
        var found: [SegmentHeader] = []
        var claims: [DurabilityClaim] = []
        for device in devices where device.role == .flash {
            for index in 0..<device.segmentCount {
                let address = SegmentAddress(
                    device: device.index,
                    index: SegmentIndex(UInt32(index))
                )
                guard pool.segments[pool.slot(of: address)].use == .free else { continue }
                switch search.find(address, from: source, &report) {
                case .segment(let header):
                    if header.stream == .host { found.append(header) }
                case .nothing: break
                case .refused(let found):
                    report.segmentsRefused.append(address)
                    claims += found
                }
            }
        }
        return (found, claims)
    }

    /// Tells people of damage that cost nothing.
    private func tell(_ report: RecoveryReport, to lane: Lane?) {
        func note(_ addresses: [SegmentAddress], _ type: String, _ what: String) {
            for address in addresses {
                lane?.note(
                    type,
                    "segment \(address.index.rawValue) of device \(address.device.rawValue): "
                        + what
                )
            }
        }
        note(
            report.segmentsFromRecord,
            "segment_header_damaged",
            "its header is damaged; what it said was taken from the first record"
        )
        note(
            report.segmentsRefused,
            "segment_header_refused",
            "its header cannot be read, and nothing durable lies behind it"
        )
    }
}

extension Lane {
    /// Heat counts in ticks since 2020, so that it goes on cooling while the pool is closed.
    func heatTick(atWallSeconds seconds: Int64) -> UInt32 {
        let sinceEpoch = UInt64(max(0, seconds - 1_577_836_800)) &* 1_000_000_000
        let start = now.nanoseconds / configuration.heatTick
        return UInt32(truncatingIfNeeded: sinceEpoch / configuration.heatTick &- start)
    }

    /// Headers and tails of records that recovery found without, and headers of segments.
    func takeMissingBlocks() -> [(Location, Arena)] {
        defer { missingBlocks = [] }
        return missingBlocks
    }

    /// Where recovery found the lane's log to end.  To be asked for before the lane runs.
    var logEnd: LogEnd {
        LogEnd(
            lane: index,
            nextRecord: host.nextNumber,
            segmentSequence: host.previous?.sequence ?? 0,
            incarnation: pool.incarnation
        )
    }

    /// Ends recovery: the lane can serve.
    func finishRecovery() {
        isReplaying = false
        for segment in 0..<pool.segments.count {
            let state = pool.segments[segment]
            guard state.use == .sealed, state.lane == index else { continue }
            sealedSegments[state.stream == .cold ? 1 : 0].append(segment)
        }
        for tier in 0..<2 {
            sealedSegments[tier].sort { pool.segments[$0].sequence < pool.segments[$1].sequence }
        }
        for segment in sealedSegments[0] + sealedSegments[1] { noteIfEmptied(segment) }
        landedThrough = RecordNumber(host.nextNumber.rawValue - 1)
        durableThrough = landedThrough
        claimedThrough = landedThrough
        checkpoint.isWanted = leaves.dirtyCount > 0 || !changedVolumes.isEmpty
        checkpoint.endedAt = now
        lastAppend = now
    }
}
