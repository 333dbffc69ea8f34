internal import Catalogue
internal import Engine
internal import Units

// The two phases of a seed.  Safety: load and crashes.  Liveness: no more of either, and everything
// must come to an end, read right, and add up.
extension SimulatedWorld {
    /// Virtual time in which the second phase must get through each of its stages.
    private static var patienceNanoseconds: UInt64 { 600_000_000_000 }
    /// Rounds that it may take.  Lanes look at their work every 100 us while they wait, and one
    /// slow flush of a disk takes ten seconds: more than 60,000 rounds.  What cannot be read is
    /// given up after a minute of waiting.
    private static var patienceRounds: Int { 2_000_000 }

    /// Runs the whole seed.
    package func run() {
        journal.trace("\(parameters)")
        recover()
        while volumes.count < parameters.volumeCount, journal.isEmpty { createVolume() }
        converge("the first volumes are made") { self.outstanding.isEmpty }
        if parameters.fillsVolumes { fillVolumes() }
        let loadedAt = parameters.fillsVolumes ? journal.step : 0
        isLoaded = true
        arm(true)
        while journal.step - loadedAt < parameters.stepsMax, journal.isEmpty, !isOver {
            guard advance() else {
                journal.report(.liveness, "nothing will happen any more: \(describeWaiting())")
                break
            }
            validateAtTimes()
        }
        isLoaded = false
        crashCountdown = nil
        // Nothing new breaks from here on; what is broken stays so.
        arm(false)
        finish()
    }

    private func finish() {
        if !isOver { comeToAnEnd() }
        // A lie that comes out ends the seed, at whatever moment; what it has left is read.
        if isOver { converge("what is left is read") { self.isQuiet } }
        countLaneProbes()
    }

    private func comeToAnEnd() {
        if crashes.isOne(in: 4) { stopAndStart(isLoadedMeanwhile: true) }
        converge("all requests are answered") { self.isQuiet }
        guard !isOver else { return }
        validate()
        readAll()
        converge("all volumes are read back") { self.isQuiet }
        guard !isOver else { return }
        checkSpace()
        guard !isOver else { return }
        awaitMirrors()
        guard !isOver else { return }
        if atlas == nil, crashes.isOne(in: 4) { findRot() }
        switch crashes.below(3) {
        // What is lost cannot be read back after another start.
        case 0 where !rot.isAnywhere: stopAndStart(isLoadedMeanwhile: false)
        case 1: destroyAll()
        default: break
        }
        guard !isOver else { return }
        validate()
    }

    var isQuiet: Bool {
        outstanding.isEmpty && held.allSatisfy { $0 == nil }
            && volumes.allSatisfy { !$0.isVerifying && $0.plan == nil }
    }

    /// Lets time go on until a fact holds, or a lie comes out; not reaching it is a failure.
    func converge(_ fact: String, until holds: () -> Bool) {
        let end = now + Self.patienceNanoseconds
        let wasOver = isOver
        var rounds = 0
        while journal.isEmpty, isOver == wasOver, !holds() {
            rounds += 1
            guard advance(), now < end, rounds < Self.patienceRounds else {
                guard journal.isEmpty, !holds() else { return }
                return journal.report(
                    .liveness,
                    "never reached: \(fact); \(describeWaiting())"
                )
            }
        }
    }

    /// What the world waits for, in words.
    func describeWaiting() -> String {
        let waiting = outstanding.keys.sorted().prefix(5).compactMap { context in
            outstanding[context].map {
                "\(context) \($0.kind) volume \(volumes[$0.volume].model.number) "
                    + "\($0.offset)+\($0.byteCount)"
            }
        }
        let free = pool.map {
            "free \($0.freeSegmentCount(.flash)) flash \($0.freeSegmentCount(.disk)) disk, charged "
                + "\($0.chargedBlocks) of \($0.capacityBlockCount)"
        }
        return "\(outstanding.count) requests wait [\(waiting.joined(separator: "; "))], "
            + "\(events.count) events, \(free ?? "no pool"); "
            + lanes.map { $0.describe() }.joined(separator: "; ")
    }

    func readAll() {
        for index in volumes.indices where volumes[index].life == .live {
            let model = volumes[index].model
            volumes[index].unverified = ranges(
                of: model.knownBlocks.filter { $0 < model.blockCount }
            )
            volumes[index].isVerifying = true
        }
    }

    // MARK: Space

    private var liveVolumes: [SimulatedVolume] { volumes.filter { $0.life == .live } }

    /// What the engine counts as owned is what the model counts.
    private func checkSpace() {
        // Destroyed volumes give their blocks back in the background.  One whose destruction a lane
        // refused that had to be restarted is there again.
        converge("destroyed volumes give their space back") {
            let most = self.liveVolumes.reduce(0) { $0 + $1.model.chargedBlockCount.most }
            return (self.pool?.chargedBlocks ?? 0) <= most
        }
        guard journal.isEmpty, !isOver, let pool else { return }
        let least = liveVolumes.reduce(0) { $0 + $1.model.chargedBlockCount.least }
        if pool.chargedBlocks < least {
            journal.report(
                .space,
                "\(pool.chargedBlocks) blocks are charged, at least \(least) are owned"
            )
        }
    }

    /// Destroys every volume: the pool must become empty.
    private func destroyAll() {
        converge("all volumes are destroyed, all segments free") {
            // One whose destruction a lane refused or lost, and was restarted, is there again.
            for index in self.volumes.indices
            where self.volumes[index].life == .live && self.volumes[index].plan == nil {
                self.volumes[index].plan = .destroy
            }
            guard let pool = self.pool, self.isQuiet, pool.chargedBlocks == 0 else { return false }
            // Each lane keeps its open segments: one a stream.
            let lanes = self.parameters.laneCount
            return pool.freeSegmentCount(.flash) >= pool.segmentCount(.flash) - 2 * lanes
                && pool.freeSegmentCount(.disk) >= pool.segmentCount(.disk) - lanes
        }
        if journal.isEmpty, !isOver { journal.met(.emptiedPoolChecked) }
    }

    // MARK: Stopping

    /// Stops the engine as a terminal signal does, at times under load, starts it, and reads
    /// everything again.
    private func stopAndStart(isLoadedMeanwhile: Bool) {
        guard stop(isLoadedMeanwhile: isLoadedMeanwhile) else { return }
        if isFenced { crash() } else { restartAfterStop() }
        converge("the volumes are served again") { self.isQuiet }
        guard !isOver else { return }
        readAll()
        converge("all volumes are read back") { self.isQuiet }
    }

    /// Stops the engine; false when it did not come to that.
    func stop(isLoadedMeanwhile: Bool) -> Bool {
        guard journal.isEmpty, let volume = volumes.indices.first else { return false }
        converge("the lanes have room for a request") {
            self.lanes.allSatisfy { $0.admits(.shutDown, byteCount: 0) }
        }
        guard journal.isEmpty else { return false }
        isStopping = true
        for lane in lanes {
            let context = note(.shutDown, volume, 0..<0)
            outstanding[context]?.lane = Int(lane.index.rawValue)
            lane.beginShutdown(context: context)
        }
        isLoaded = isLoadedMeanwhile
        var rounds = crashes.below(100)
        while isLoaded, rounds > 0, journal.isEmpty, advance() { rounds -= 1 }
        isLoaded = false
        for index in volumes.indices { volumes[index].plan = nil }
        converge("the lanes stop") {
            self.outstanding.isEmpty && self.held.allSatisfy { $0 == nil }
        }
        // A crash may have come between.
        guard journal.isEmpty, isStopping else { return false }
        journal.met(isLoadedMeanwhile ? .shutDownUnderLoad : .shutDownCleanly)
        return true
    }

    /// The process has ended: what it answered must be there, even if the power goes at once.
    func restartAfterStop() {
        events.removeAll()
        lanes = []
        catalogue.crash()
        for device in devices { device.cutPower(.dropAll) }
        for volume in volumes where volume.life != .gone {
            volume.model.crash(isPowerCut: false, wasServed: true)
        }
        for index in volumes.indices {
            volumes[index].isPlanUnderWay = false
            volumes[index].latePayload = nil
            volumes[index].isVerifying = false
        }
        isStopping = false
        if hasLieComeOut { return endWithLie() }
        recover()
    }

    /// Counts all that the engine keeps counts of anew, and compares with what the model knows.
    func validate() {
        guard let pool, journal.isEmpty else { return }
        var owned = 0
        for lane in lanes {
            let recount = lane.recount { self.catalogue.tables.leaf($0).bytes }
            owned += recount.ownedBlockCount
            if let difference = recount.differences.first {
                journal.report(.space, "lane \(lane.index.rawValue): \(difference)")
            }
        }
        if owned != pool.chargedBlocks {
            journal.report(
                .space,
                "volumes own \(owned) blocks, \(pool.chargedBlocks) are charged"
            )
        }
        // Behind a lie the models know more than the pool can.
        if !isOver { for lane in lanes { compareWithModels(lane) } }
        checkScrubs()
        checkRecounts()
        journal.met(.recountedWhileServing)
    }

    /// A volume owns no more and no less than its requests so far can have made it own.
    private func compareWithModels(_ lane: Lane) {
        for (_, row) in lane.volumeList {
            guard let volume = volumes.first(where: { $0.row.identifier == row.identifier }) else {
                continue
            }
            let (least, most) = volume.model.chargedBlockCount
            if row.ownedBlockCount < least || row.ownedBlockCount > most {
                journal.report(
                    .space,
                    "volume \(volume.model.number) owns \(row.ownedBlockCount) blocks, and must "
                        + "own from \(least) to \(most)"
                )
            }
        }
    }

    private func validateAtTimes() {
        guard spinCount == 0, schedule.isOne(in: 100) else { return }
        validate()
    }
}
