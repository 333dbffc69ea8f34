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
            guard openAtLast() else { return }
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
        if open(isRequired: false) == .opened {
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

    enum OpeningResult { case opened, refused, cut }

    /// Opens the pool with the newest catalogue; at times that is cut off, and begun anew.
    private func openAtLast() -> Bool {
        let isCut = parameters.cutsOpenings && crashes.isOne(in: 8)
        var cutCount = isCut ? crashes.number(in: 1...2) : 0
        while cutCount > 0, journal.isEmpty {
            cutCount -= 1
            // Flushes, commits, witnesses, what is missing; at times all is done, and it ends then.
            let most = 12 + 6 * devices.count + 4 * devices.count * parameters.laneCount
            if open(isRequired: true, eventsLeft: crashes.below(most)) == .refused { return false }
            cutOpening()
        }
        while let cut = exactCuts.first, cut.isInOpening {
            exactCuts = exactCuts.dropFirst()
            let result = open(
                isRequired: true,
                eventsLeft: cut.event,
                doesLast: cut.keepsCommits
            )
            if result == .refused { return false }
            cutOpening(exactly: cut)
        }
        return open(isRequired: true) == .opened
    }

    /// Opens the pool, up to the moment when it serves, or is cut off before.
    ///
    /// - Parameters:
    ///   - isRequired: the catalogue is the newest: it must not be refused.
    ///   - eventsLeft: writes, flushes and commits before the power goes; nil when it does not.
    ///   - doesLast: whether the last of them is done; nil leaves it to chance.
    func open(
        isRequired: Bool,
        eventsLeft: Int? = nil,
        doesLast: Bool? = nil
    ) -> OpeningResult {
        lanes = []
        pool = nil
        leftHalves = []
        restartClock()
        let opening = makeOpening(randomSeed: identities.next(), wallSeconds: wallSeconds())
        let place = SimulatedPlace(
            SimulatedSource(devices: devices, catalogue: catalogue),
            journal,
            SimulationRandom(seed: identities.next(), stream: .crash),
            eventsLeft: eventsLeft,
            doesLast: doesLast
        )
        for device in atlas?.faults ?? [] { device.beginOpening() }
        defer {
            for device in atlas?.faults ?? [] { device.endOpening() }
            if place.isWitnessed { openingCount += 1 }
            isFlushedForOpening = place.isFlushed
            openingEventCount = place.eventCount
        }
        do throws(OpeningError<SimulatedPlace.Failure>) {
            let opened = try opening.open(on: place, now: Instant(nanoseconds: now))
            pool = opened.pool
            lanes = opened.lanes
            journal.trace("opened: \(opened.report)")
            compareScrubs(with: opening.contents.scrubs)
            for (device, block) in place.missing { noteLeftHalf(besides: block, of: device) }
            return .opened
        } catch {
            return judge(error, place, isRequired: isRequired)
        }
    }

    private func judge(
        _ error: OpeningError<SimulatedPlace.Failure>,
        _ place: SimulatedPlace,
        isRequired: Bool
    ) -> OpeningResult {
        // What was not written any more is no answer of a device.
        if place.isCut {
            journal.trace("cut at event \(place.eventCount) of the opening")
            return .cut
        }
        switch error {
        case .place: return .cut
        case .recovery(.deviceAway(let device))
        where atlas?.faults[Int(device.rawValue)].wasAwayInOpening ?? false:
            // It is there again when somebody starts the pool once more.
            journal.trace("refused, as device \(device.rawValue) is away")
            journal.met(.awayWhenOpened)
            return open(isRequired: isRequired)
        case .recovery(let error):
            journal.trace("refused: \(error)")
            if isRequired { journal.report(.recovers, "the pool does not open: \(error)") }
            return .refused
        }
    }

    /// The opening was cut off, or the process killed at its end.
    private func cutOpening() {
        journal.met(.crashDuringRecovery)
        lanes = []
        pool = nil
        // What a device that lies has lost then is told where all power cuts are.
        let isPowerCut = !parameters.faults.hasLies && !crashes.isOne(in: 4)
        // Who restores the half of a record cannot have the other one damaged as well.
        let modes = CrashMode.powerCuts.filter { $0 != .neighbours }
        let mode = crashes.pick(modes)
        journal.trace("CRASH \(isPowerCut ? mode : .processKill) while the pool is opened")
        let isEachItsOwn = crashes.isOne(in: 4)
        for device in devices {
            let own = isEachItsOwn ? crashes.pick(modes) : mode
            if isPowerCut { device.cutPower(own) } else { device.killProcess() }
        }
        noteCutOpening(isPowerCut: isPowerCut, isFlushed: isFlushedForOpening)
    }

    private func cutOpening(exactly cut: PowerCut) {
        lanes = []
        pool = nil
        cutDevices(cut)
        noteCutOpening(isPowerCut: true, isFlushed: isFlushedForOpening)
    }

    /// What was not flushed by then may be gone; what was read behind the flush may not.
    func noteCutOpening(isPowerCut: Bool, isFlushed: Bool) {
        countCrash()
        guard isPowerCut, !isFlushed else { return }
        for volume in volumes where volume.life != .gone {
            volume.model.crash(isPowerCut: true, wasServed: false)
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
