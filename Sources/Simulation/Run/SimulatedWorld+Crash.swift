internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

// Crashes, and what comes after them.
extension SimulatedWorld {
    /// Whether this is the event after which the world ends.
    func crashIsDue() -> Bool {
        if let left = crashCountdown {
            crashCountdown = left - 1
            return left <= 0
        }
        return isLoaded && parameters.crashOneIn > 0 && crashes.isOne(in: parameters.crashOneIn)
    }

    /// Bugs follow points of persistence: a crash often comes right behind one.
    func considerCrashAfterFlush() {
        guard isLoaded, crashCountdown == nil,
            crashes.chance(permille: parameters.crashAfterFlushPermille)
        else { return }
        crashCountdown = crashes.below(4)
        journal.met(.crashAfterFlushReply)
    }

    func crash() {
        if let cut = exactCuts.first { return cutExactly(cut) }
        countCrash()
        crashCountdown = nil
        if isStopping { journal.met(.crashWhileStopping) }
        isStopping = false
        countProbes()
        let mode = crashes.pick(parameters.crashModes)
        journal.trace("CRASH \(mode)")
        recoveries[mode.description, default: 0] += 1
        forgetRequests()
        let wasFenced = isFenced
        lanes = []
        pool = nil
        events.removeAll()
        catalogue.crash()
        // The devices of a pool lose power together, but not in the same way.
        let isEachItsOwn = crashes.isOne(in: 4)
        for device in devices {
            if mode.isPowerCut {
                device.cutPower(isEachItsOwn ? crashes.pick(CrashMode.powerCuts) : mode)
            } else {
                device.killProcess()
            }
        }
        // What a flush that failed has lost, a process that is killed has lost as well.
        let isPowerCut = mode.isPowerCut || atlas?.hasLost ?? false
        for volume in volumes where volume.life != .gone {
            volume.model.crash(isPowerCut: isPowerCut, wasServed: wasServed, wasFenced: wasFenced)
        }
        wasServed = false
        if !mode.isPowerCut, crashes.isOne(in: 4) { cutPowerBeforeRecovery() }
        if hasLieComeOut { return endWithLie() }
        recover()
        if crashes.chance(permille: parameters.crashAgainPermille) {
            crashCountdown = crashes.below(24)
            journal.met(.crashRightAfterRecovery)
        }
    }

    /// The machine goes down before the killed process is started again.
    private func cutPowerBeforeRecovery() {
        let mode = crashes.pick(CrashMode.powerCuts)
        journal.trace("CRASH \(mode) before recovery")
        journal.met(.crashDuringRecovery)
        for device in devices { device.cutPower(mode) }
        for volume in volumes where volume.life != .gone {
            volume.model.crash(isPowerCut: true, wasServed: false)
        }
    }

    /// Counts what the lanes of this life have met, which ends.
    func countLaneProbes() {
        for lane in lanes {
            let statistics = lane.statistics
            if statistics.writesHealed > 0 { journal.met(.refusedWriteHealed) }
            if statistics.recordsAppendedAgain > 0 { journal.met(.recordAppendedAgain) }
            if statistics.segmentsContinued > 0 { journal.met(.segmentContinued) }
            if statistics.blocksTakenForLost > 0 { journal.met(.unreadableTakenForLost) }
            if statistics.requestsCrowdedOut > 0 { journal.met(.requestCrowdedOut) }
            if statistics.mapSearches > 0 { journal.met(.mapSearched) }
            if statistics.mirrorRounds > 0 { journal.met(.mirrorRoundEnded) }
            if statistics.mirrorsGivenUp > 0 { journal.met(.mirrorGivenUp) }
            if statistics.mirrorBlocksScrubbed > 0 { journal.met(.mirrorScrubbed) }
        }
    }

    private func countProbes() {
        countLaneProbes()
        if devices.contains(where: { $0.volatileWriteCount > 0 }) {
            journal.met(.crashWithVolatileWrites)
        }
        if devices.contains(where: { $0.inFlightWriteCount > 0 }) {
            journal.met(.crashWithWritesInFlight)
        }
        if devices.contains(where: \.hasFlushInFlight) { journal.met(.crashWithFlushInFlight) }
        if volumes.contains(where: \.isVerifying) { journal.met(.crashBeforeVerification) }
        if !outstanding.isEmpty { journal.met(.crashWithRequestsInFlight) }
        if outstanding.values.contains(where: \.isControl) { journal.met(.controlCutByCrash) }
        if let pool, pool.chargedBlocks * 100 >= pool.capacityBlockCount * 97 {
            journal.met(.crashWhenFull)
        }
    }

    /// Requests in flight end without an answer.
    func forgetRequests() {
        outstanding.removeAll()
        held.removeAll()
        for index in volumes.indices {
            volumes[index].outstandingCount = 0
            volumes[index].unverified = []
            volumes[index].isVerifying = false
            volumes[index].plan = nil
            volumes[index].isPlanUnderWay = false
            volumes[index].latePayload = nil
        }
    }

    // MARK: Recovery

    /// Opens the pool from what the devices and the catalogue hold; often more than once.
    func recover() {
        openSuperblocks()
        loseCatalogueAtTimes()
        substituteDevices()
        copyDeviceAtTimes()
        if !mayPutBack || !crashes.isOne(in: 3) || !openFromOlderCatalogue() {
            var openings = crashes.isOne(in: 8) ? 2 : 1
            while openings > 0, journal.isEmpty {
                openings -= 1
                guard open(isRequired: true, isCut: openings > 0) else { return }
                if openings > 0 { journal.met(.crashDuringRecovery) }
            }
        }
        atlas?.restart()
        wasServed = true
        needsTurn = Array(repeating: true, count: lanes.count)
        order.restart(catalogue.tables)
        noteMirrors()
        adoptVolumes()
        damageLeftHalves()
        watchAllDamaged()
    }

    /// Not where the catalogue is to know all that the lanes know.
    private var mayPutBack: Bool { parameters.putsBackOldCatalogues && isLoaded }

    /// Somebody puts an older copy of the catalogue back.  It must be refused, or be as good.
    private func openFromOlderCatalogue() -> Bool {
        guard let copy = catalogue.olderCopy() else { return false }
        let newest = catalogue.tables
        catalogue.putBack(copy)
        if open(isRequired: false, isCut: false) {
            journal.met(.oldCatalogueOpened)
            return true
        }
        journal.met(.oldCatalogueRefused)
        catalogue.putBack(newest)
        return false
    }

    /// Seconds since 1970, by a clock that at times is set ten years on or back.
    private func wallSeconds() -> Int64 {
        let tenYears: Int64 = 315_360_000
        let jump = crashes.pick([0, 0, 0, tenYears, -tenYears])
        return 1_700_000_000 + Int64(elapsedNanoseconds / 1_000_000_000) + jump
    }

    func makeOpening(randomSeed: UInt64, wallSeconds: Int64) -> PoolOpening {
        PoolOpening(
            identifier: poolIdentifier,
            laneCount: parameters.laneCount,
            devices: geometries,
            deviceIdentifiers: deviceIdentifiers,
            contents: catalogue.tables.contents,
            configuration: parameters.configuration,
            randomSeed: randomSeed,
            wallSeconds: wallSeconds
        )
    }

    /// Opens the pool, up to the moment when it serves, or is cut off before.
    ///
    /// - Parameter isRequired: the catalogue is the newest: it must not be refused.
    func open(isRequired: Bool, isCut: Bool) -> Bool {
        lanes = []
        pool = nil
        leftHalves = []
        // Whoever opens a device flushes it first: nothing that recovery reads, and decides by, can
        // be taken back later.
        for device in devices { device.makeAllDurable() }
        restartClock()
        let opening = makeOpening(randomSeed: identities.next(), wallSeconds: wallSeconds())
        let source = SimulatedSource(devices: devices, catalogue: catalogue)
        for device in atlas?.faults ?? [] { device.beginOpening() }
        defer { for device in atlas?.faults ?? [] { device.endOpening() } }
        do throws(RecoveryError) {
            try opening.checkAge(from: source)
            let opened = try opening.open(from: source, now: Instant(nanoseconds: now))
            pool = opened.pool
            lanes = opened.lanes
            journal.trace("opened: \(opened.report)")
            compareScrubs(with: opening.contents.scrubs)
            // Cut off before the catalogue knows of it, or at some moment after.
            let isCutSoon = isCut && crashes.isOne(in: 2)
            writeMissingBlocks(isCut: isCutSoon)
            if isCutSoon { return true }
            catalogue.begin(incarnation: opened.pool.incarnation, logEnds: lanes.map(\.logEnd))
            tellDevices(isCut: isCut)
            return true
        } catch .deviceAway(let device)
            where atlas?.faults[Int(device.rawValue)].wasAwayInOpening ?? false
        {
            // It is there again when somebody starts the pool once more.
            journal.trace("refused, as device \(device.rawValue) is away")
            journal.met(.awayWhenOpened)
            return open(isRequired: isRequired, isCut: isCut)
        } catch {
            journal.trace("refused: \(error)")
            if isRequired { journal.report(.recovers, "the pool does not open: \(error)") }
            return false
        }
    }

    /// Writes the lanes' witnesses, as whoever opens a pool does, and notes that they were.
    private func tellDevices(isCut: Bool) {
        // How many places are written before the cut.
        let roles = (0..<(Witness.placeCount / Witness.pairCount)).flatMap { _ in
            [DeviceRole.flash, .disk]
        }
        let told = isCut ? crashes.below(roles.count + 1) : roles.count
        // Of each device and lane, one place at most is not taken: others may be damaged later.
        var refused: [[Int]] = devices.map { _ in lanes.map { _ in 0 } }
        for (time, role) in roles[..<told].enumerated() {
            // The last time for some lanes, devices and places only.
            let isLast = isCut && time == told - 1
            let laneCount = isLast ? 1 + crashes.below(lanes.count) : lanes.count
            for lane in lanes[..<laneCount] {
                lane.writeOpeningWitness(to: role) { device, block, region in
                    if isLast && crashes.isOne(in: 3) { return true }
                    let (index, owner) = (Int(device.rawValue), Int(lane.index.rawValue))
                    if refused[index][owner] == 0,
                        atlas?.faults[index].refusesWitness() ?? false
                    {
                        refused[index][owner] += 1
                        return false
                    }
                    devices[Int(device.rawValue)].writeNow(offset: block * 4096, from: region)
                    return true
                }
            }
        }
        guard !isCut else { return }
        catalogue.noteWitnessed()
        openingCount += 1
    }

    /// Writes what recovery missed of records, as whoever opens a pool does; some of it, when that
    /// is cut off.
    private func writeMissingBlocks(isCut: Bool) {
        for lane in lanes {
            lane.writeMissingBlocks { device, block, region in
                guard !isCut || crashes.isOne(in: 2) else { return }
                journal.met(.missingBlockRestored)
                devices[Int(device.rawValue)].writeNow(offset: block * 4096, from: region)
                noteLeftHalf(besides: Int(block), of: Int(device.rawValue), region)
            }
        }
    }

    /// Compares the volumes that recovery found with those that there must be.
    private func adoptVolumes() {
        var found: [VolumeIdentifier: (lane: Int, slot: VolumeSlot, byteCount: UInt64)] = [:]
        for (index, lane) in lanes.enumerated() {
            for (slot, row) in lane.volumeList {
                found[row.identifier] = (index, slot, row.byteCount)
            }
        }
        for index in volumes.indices {
            let volume = volumes[index]
            let one = found.removeValue(forKey: volume.row.identifier)
            switch volume.life {
            case .gone:
                if one != nil {
                    journal.report(.flushedSurvives, "volume \(volume.row.name) is back")
                }
                continue
            case .live:
                if one == nil {
                    journal.report(.flushedSurvives, "volume \(volume.row.name) is lost")
                }
            case .creating, .destroying: break
            }
            guard let one else {
                volumes[index].life = .gone
                continue
            }
            volumes[index].life = .live
            volumes[index].slot = one.slot
            volume.model.observe(byteCount: one.byteCount)
            beginVerification(index)
        }
        if !found.isEmpty { journal.report(.prefix, "recovery found volumes that nobody made") }
    }
}

/// What recovery reads, outside of virtual time.
struct SimulatedSource: RecoverySource {
    let devices: [SimulatedDevice]
    let catalogue: SimulatedCatalogue

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        let blocks = Int(block)..<(Int(block) + region.byteCount / 4096)
        if devices[Int(device.rawValue)].refusesNow(blocks) { return false }
        devices[Int(device.rawValue)].readNow(offset: block * 4096, into: region)
        return true
    }

    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf { catalogue.tables.leaf(key) }

    func pause() { for device in devices { device.faults?.pauseOpening() } }
}
