internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

// Devices that do other than they were told: where faults come from, and what follows of them for
// the world.
extension SimulatedWorld {
    /// The faults of each device; nil for a seed that has none.
    static func makeAtlas(
        _ parameters: SeedParameters,
        _ geometries: [DeviceGeometry],
        _ devices: [SimulatedDevice],
        _ journal: Journal
    ) -> FaultAtlas? {
        guard parameters.faults.isAnyOn else { return nil }
        let faults = geometries.map {
            DeviceFaults(
                rates: parameters.faults,
                geometry: $0,
                seed: parameters.seed,
                journal: journal
            )
        }
        for (device, its) in zip(devices, faults) { device.faults = its }
        if parameters.faults.hasLies { faults[0].random.pick(faults).lies = true }
        return FaultAtlas(faults: faults, journal: journal)
    }

    /// New faults come from here on, or come no more.
    func arm(_ isArmed: Bool) {
        atlas?.arm(isArmed, now: now)
        catalogue.errorOneIn = isArmed ? parameters.faults.catalogueErrorOneIn : 0
    }

    /// What an operation is for, as the matrix names it.
    func site(of operation: Operation, _ purpose: OperationPurpose) -> FaultSite? {
        let geometry = geometries[Int(operation.device.rawValue)]
        let onFlash = geometry.role == .flash
        if operation.kind == .write, purpose != .witness, purpose != .mirror {
            let block = Int(operation.offset / 4096) - Int(DeviceGeometry.firstSegmentBlock)
            if block % geometry.segmentBlockCount == 0 { return .segmentHeaderWrite }
        }
        switch purpose {
        case .hostRead: return onFlash ? .hostFlashRead : .hostDiskRead
        case .mergeRead: return .mergeRead
        case .hostRecord: return .hostRecordWrite
        case .moveRead: return onFlash ? .moveFlashRead : .moveDiskRead
        case .moveRecord: return onFlash ? .matureWrite : .coldWrite
        case .verifyRead: return .verifyRead
        case .scanRead: return onFlash ? .flashScan : .diskScan
        case .mirrorRead: return .mirrorScrub
        case .scrubRead: return onFlash ? .flashScrub : .diskScrub
        case .recordFlush: return .recordFlush
        case .checkpointFlush: return .checkpointFlush
        case .moveFlush: return .moveFlush
        case .witness: return .witnessWrite
        case .mirror: return .mirrorWrite
        case .discard: return nil
        }
    }

    // MARK: The atlas

    /// The state of a block by the map in memory; nil when its leaf is not there.
    func look(_ index: Int, _ block: UInt64) -> BlockState? {
        lanes[volumes[index].lane].look(at: block, of: volumes[index].slot)?.state
    }

    /// Whether a lane is copying the chunk of a block.
    func isMoving(_ index: Int, _ block: UInt64) -> Bool {
        lanes[volumes[index].lane].look(at: block, of: volumes[index].slot)?.isMoving ?? false
    }

    /// Looks at the watched blocks after a lane did something.
    func refreshAtlas() {
        guard let atlas, !lanes.isEmpty else { return }
        atlas.noteFences(
            lanes,
            freeFlashSegmentCount: pool?.freeSegmentCount(.flash) ?? 0,
            hasCatalogueFailed: catalogue.failureCount > 0
        )
        if atlas.faults.contains(where: \.isNewlyMarked) || hasNamedDamaged(atlas) {
            for device in atlas.faults { device.isNewlyMarked = false }
            watchAllDamaged()
        }
        guard !atlas.watched.isEmpty else { return atlas.noteDropped(lanes) }
        atlas.refresh(lanes, now: now, laneOf: { self.volumes[$0].lane }) { one in
            guard self.volumes[one.volume].life == .live else { return .absent }
            return self.look(one.volume, one.block)
        }
    }

    /// Whether a copy on disk may have been damaged before the map named it: by a write that went
    /// astray, while the copy waited for a flush.
    private func hasNamedDamaged(_ atlas: FaultAtlas) -> Bool {
        let count = lanes.reduce(0) {
            $0 + $1.statistics.blocksDemoted + $1.statistics.blocksRelocated
        }
        guard count != namedOnDiskCount else { return false }
        namedOnDiskCount = count
        return atlas.faults.contains { !$0.isOfFlash && !$0.isClean }
    }

    /// Finds all blocks of which a copy is damaged.
    func watchAllDamaged() {
        guard let atlas, atlas.isNeeded else { return }
        for lane in lanes {
            lane.walkBlocks { identifier, block, state in
                if let index = self.volumes.firstIndex(where: { $0.row.identifier == identifier }) {
                    atlas.watchIfDamaged(index, block, state, now: self.now)
                }
            }
        }
        for key in catalogue.tables.leafKeys {
            guard let index = volumes.firstIndex(where: { $0.row.tree == key.tree }),
                volumes[index].life == .live,
                !lanes[volumes[index].lane].hasInMemory(volumes[index].slot, leaf: key.index),
                let states = order.states(of: key, catalogue.tables)
            else { continue }
            for (place, state) in states.enumerated()
            where state.isStored || state.kind == .poisoned {
                let block = key.index * UInt64(Geometry.blocksPerLeaf) + UInt64(place)
                atlas.watchIfDamaged(index, block, state, now: now)
            }
        }
    }

    // MARK: Errors that hosts see

    /// Whether there is a reason for the error.
    func isExcused(_ finished: Finished, _ request: OutstandingRequest, lane: Int) -> Bool {
        guard let atlas else { return false }
        // A lane that changes nothing any more says so.
        let isFenced = lanes[lane].isReadOnly && atlas.mayBeFenced(lane)
        if case .strayRead = request.kind { return true }
        if finished.status == .readOnly, isBesideFenced(atlas) {
            journal.met(.refusedBesideFenced)
            return true
        }
        // Of a resize that such a lane has not answered nobody knows whether it was done.
        if finished.status == .invalid { return isFenced }
        switch request.kind {
        case .read, .verify, .finalRead:
            guard finished.status == .mediaError else { return false }
            if finished.failedOffset == 0, hasMissedLeaf(isFenced) { return true }
            let block = finished.failedOffset / 4096
            let blocks = request.offset / 4096...(request.offset + request.byteCount - 1) / 4096
            return blocks.contains(block) && isExcused(block, of: request, atlas)
        case .strayRead: return true
        case .change:
            return isFenced || finished.status == .mediaError && hasBadEdge(request, atlas)
        case .extents, .promote: return hasMissedLeaf(isFenced)
        case .flush, .create, .resize, .shrink, .lateWrite, .destroy, .shutDown: return isFenced
        }
    }

    /// Whether a lane keeps its segments, as it rightly changes nothing any more: what waits for
    /// one in vain is refused.
    private func isBesideFenced(_ atlas: FaultAtlas) -> Bool {
        lanes.indices.contains { lanes[$0].isReadOnly && atlas.mayBeFenced($0) }
    }

    /// Whether the catalogue may not have given a leaf that a request needed, of which no offset
    /// is to blame.
    private func hasMissedLeaf(_ isFenced: Bool) -> Bool { isFenced && catalogue.failureCount > 0 }

    /// Whether a block that the request covers in part cannot be read.
    private func hasBadEdge(_ request: OutstandingRequest, _ atlas: FaultAtlas) -> Bool {
        let end = request.offset + request.byteCount
        let edges = [request.offset, end].filter { $0 % 4096 != 0 }.map { $0 / 4096 }
        return edges.contains { isExcused($0, of: request, atlas) }
    }

    private func isExcused(
        _ block: UInt64,
        of request: OutstandingRequest,
        _ atlas: FaultAtlas
    ) -> Bool {
        atlas.excuses(request.volume, block, since: request.begunAt)
            || atlas.wasRefused(request.volume, block, since: request.begunAt)
            || atlas.wereAway(since: request.begunAt) && mayHaveBeenAway(block, of: request, atlas)
    }

    /// Whether a device that was away since a request began had the only good copy of a block: the
    /// map says so, or does not tell any more where it was.
    private func mayHaveBeenAway(
        _ block: UInt64,
        of request: OutstandingRequest,
        _ atlas: FaultAtlas
    ) -> Bool {
        guard movedCount(request.lane) == request.movedCount,
            !isMoving(request.volume, block), let state = look(request.volume, block),
            state.isStored, state.sequence < request.nextSequence
        else { return true }
        return atlas.wasAway(state, since: request.begunAt, now: now)
    }

    /// Blocks of which the lane has changed the place, or given one up, in this life.
    func movedCount(_ lane: Int) -> UInt64 {
        guard atlas != nil else { return 0 }
        let statistics = lanes[lane].statistics
        return statistics.blocksPromoted + statistics.blocksKept + statistics.blocksDemoted
            + statistics.blocksRelocated + statistics.blocksDropped + statistics.copiesGivenUp
    }

    /// Whether the block of a verifying read is damaged, and not on a device that hung meanwhile:
    /// that may give it later.
    private func isLost(_ request: OutstandingRequest) -> Bool {
        let block = request.offset / 4096
        guard let atlas else { return true }
        guard atlas.excuses(request.volume, block, since: request.begunAt) else { return false }
        guard let state = look(request.volume, block), state.isStored else { return true }
        return ![state.flash, state.disk].contains {
            $0.isPlace
                && atlas.faults[Int($0.device.rawValue)].wasSilent(since: request.begunAt)
        }
    }

    /// A request ended with an error that has its reason.
    func endExcused(_ request: OutstandingRequest, _ status: RequestStatus, lane: Int) {
        if atlas?.isAnySilent(now: now) ?? false { journal.met(.answeredForSilent) }
        if now == request.begunAt { verificationRestsUntil = now + 900_000_000 }
        let index = request.volume
        let model = volumes[index].model
        switch request.kind {
        case .read(let bound), .extents(let bound): model.endRead(bound)
        case .finalRead(let bound):
            model.endRead(bound)
            readOneByOne(request)
        case .verify:
            if request.byteCount > 4096 {
                readOneByOne(request)
            } else if isLost(request) {
                model.observeLost(block: request.offset / 4096)
            } else {
                // It is not lost, but away.
                let block = request.offset / 4096
                volumes[index].unverified.append(block..<(block + 1))
            }
        case .change(let order) where status == .invalid:
            // It was turned away before it began.
            model.refuse(order, leavesNothing: true)
        case .change(let order):
            // A lane that is fenced may have it in its log: it is there after a restart, or not.
            guard !lanes[lane].isReadOnly else { return }
            model.refuse(order)
            rereadDoubtful(index)
        case .lateWrite(let order): model.refuse(order, leavesNothing: true)
        case .resize, .shrink, .destroy: endPlanStep(index)
        case .flush, .promote, .create, .strayRead, .shutDown: break
        }
        journal.met(.excusedError)
    }

    /// Reads the blocks of a read that failed one by one: each but the damaged ones is right.
    private func readOneByOne(_ request: OutstandingRequest) {
        guard request.byteCount > 4096 else { return }
        let first = request.offset / 4096
        for block in (first..<(first + request.byteCount / 4096)).reversed() {
            volumes[request.volume].unverified.append(block..<(block + 1))
        }
        volumes[request.volume].isVerifying = true
    }

    /// Looks whether a read waited for a disk that hangs, longer than anybody need.  Where flash
    /// hangs, so do checkpoints, and who needs room for a leaf may wait for them.
    func checkPatience(_ request: OutstandingRequest) {
        switch request.kind {
        case .read, .verify, .finalRead, .strayRead: break
        default: return
        }
        let patience = 2 * parameters.configuration.silenceMax
        let flashHung = atlas?.isFlashSilent(since: request.begunAt) ?? false
        guard now - request.begunAt > patience, !flashHung,
            lanes[request.lane].statistics.readsWithoutBuffer == 0
        else { return }
        journal.report(
            .liveness,
            "\(request.kind) of volume \(volumes[request.volume].model.number) waits "
                + "\((now - request.begunAt) / 1_000_000_000) s; " + describeWaiting()
        )
    }

    // MARK: Fenced lanes

    var isFenced: Bool { atlas != nil && lanes.contains { $0.isReadOnly } }

    /// Clients give up an engine that changes nothing any more; then it comes to rest.
    var isGivenUp: Bool { fencedRounds > 200 }

    /// Somebody restarts an engine that changes nothing any more, sooner or later; true when that
    /// is now.
    func restartFenced(isIdle: Bool) -> Bool {
        guard isFenced, !isOver, journal.isEmpty else {
            fencedRounds = 0
            return false
        }
        fencedRounds += 1
        guard isIdle || crashes.isOne(in: 300) else { return false }
        fencedRounds = 0
        // An operation that takes its time may still end.
        if isIdle && events.isEmpty { reportUnansweredByFenced() }
        journal.met(.fencedRestart)
        crash()
        return true
    }

    /// A lane that changes nothing any more answers all that it is asked, be it with an error.
    private func reportUnansweredByFenced() {
        for (context, request) in outstanding.sorted(by: { $0.key < $1.key })
        where lanes[request.lane].isReadOnly {
            journal.report(
                .liveness,
                "a read-only lane never answers request \(context), \(request.kind); "
                    + describeWaiting()
            )
        }
    }
}
