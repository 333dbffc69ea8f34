internal import Engine
internal import IO
internal import Units

// A world that runs an enumerated workload instead of a drawn one.
extension SimulatedWorld {
    /// Nanoseconds in which the engine does what it does by itself: a mark, a checkpoint, reclaim.
    private static var restNanoseconds: UInt64 { 30_000_000 }
    /// Rounds behind the last reply, or behind a recovery, in which cuts are still tried.
    private static var tailRounds: Int { 32 }

    /// Runs a workload and cuts the power as told.
    func play(_ workload: EnumeratedWorkload, cuts: [PowerCut]) {
        journal.trace("\(workload)")
        recover()
        createVolume()
        converge("the volume is made") { self.isQuiet }
        if workload.isUsed { use() }
        invariant(crashCount == 0, "the operations come before any cut")
        eventSignatures = []
        exactCuts = cuts[...]
        crashCountdown = cuts.first?.event
        for step in workload.steps where journal.isEmpty && crashCount == 0 {
            journal.trace("STEP \(step)")
            if !workload.isTogether { eventsBeforeLastStep = eventSignatures?.count ?? 0 }
            ask(step)
            if !workload.isTogether { converge("\(step) is answered") { self.isQuiet } }
        }
        converge("all operations are answered") { self.isQuiet }
        var rounds = 0
        while cuts.isEmpty || !exactCuts.isEmpty, journal.isEmpty, rounds < Self.tailRounds,
            advance()
        {
            rounds += 1
        }
        exactCuts = []
        crashCountdown = nil
        converge("the volumes are read back") { self.isQuiet }
        verify()
    }

    /// Numbers of which one differs when a cut would find anything else: other blocks volatile,
    /// other requests answered, other commits done.
    var signature: [Int] {
        var parts = [outstanding.count, Int(nextContext), catalogue.requestCount]
        for device in devices {
            parts += [device.volatileWriteCount, device.inFlightWriteCount]
        }
        return parts
    }

    /// The volume goes on being used: what is read and written must be right.
    private func verify() {
        validate()
        for index in volumes.indices where volumes[index].life == .live {
            ask(.write, 0, 8192, of: index, isDurable: true)
        }
        converge("writes are answered") { self.isQuiet }
        readAll()
        converge("all volumes are read back") { self.isQuiet }
        validate()
    }

    /// Writes until segments were reclaimed and chunks demoted.
    private func use() {
        let count: UInt64 = 16
        for round in 0..<UInt64(3) {
            for chunk in 0..<(UInt64(parameters.blocksPerIsland) / count) {
                guard (chunk + round) % 3 != 2 else { continue }
                let start = (chunk * count + round) * 4096
                ask(.write, start, 60 << 10, isDurable: chunk % 4 == 3)
                converge("a write is answered") { self.isQuiet }
            }
        }
        rest()
    }

    /// Lets time go on.
    private func rest() {
        let end = now + Self.restNanoseconds
        while journal.isEmpty, crashCount == 0, now < end, advance() {}
    }

    /// Asks for one operation.
    private func ask(_ step: EnumeratedStep) {
        let block: UInt64 = 4096
        let other = volumes.indices.last { $0 > 0 && volumes[$0].life == .live }
        switch step {
        case .writeBlock: ask(.write, 5 * block, block)
        case .writePart: ask(.write, 5 * block + 512, block + 512)
        case .writeLarge: ask(.write, 4 * block, 16 * block)
        case .writeDurable: ask(.write, 6 * block, block, isDurable: true)
        case .flush: flush(0)
        case .trim: ask(.trim, 4 * block, 3 * block)
        case .zeroes: ask(.writeZeroes, 5 * block, 3 * block)
        case .promote: ask(.promote, 0, 24 * block)
        case .rest: rest()
        case .grow: volumes[0].plan = .grow(to: volumes[0].model.byteCount + 8 * block)
        case .shrink: volumes[0].plan = .shrink(to: 6 * block)
        case .createVolume: createVolume()
        case .writeOtherVolume:
            if let other { ask(.write, 5 * block, block, of: other) }
        case .destroyOtherVolume:
            if let other { volumes[other].plan = .destroy }
        }
        isStirred = true
    }

    /// Asks for a write, trim, write of zeros or promotion of what the volume has of a range.
    private func ask(
        _ kind: RequestKind,
        _ offset: UInt64,
        _ byteCount: UInt64,
        of volume: Int = 0,
        isDurable: Bool = false
    ) {
        let range = (offset..<(offset + byteCount)).clamped(to: 0..<volumes[volume].model.byteCount)
        guard !range.isEmpty, admits(kind, volume, byteCount: range.count) else { return }
        switch kind {
        case .trim: trim(range, of: volume, isDurable: isDurable)
        case .writeZeroes: zero(range, of: volume, keepsSpace: true, isDurable: isDurable)
        case .promote: promote(range, of: volume)
        default: write(range, of: volume, isDurable: isDurable)
        }
    }

    /// Cuts the power exactly so, and opens the pool again.
    func cutExactly(_ cut: PowerCut) {
        hadCommitsAtCut = catalogue.hasCommitInFlight
        countCrash()
        recoveries["exact", default: 0] += 1
        forgetRequests()
        lanes = []
        pool = nil
        events.removeAll()
        catalogue.crash(keepingCommits: cut.keepsCommits)
        cutDevices(cut)
        for volume in volumes where volume.life != .gone {
            volume.model.crash(isPowerCut: true, wasServed: wasServed)
        }
        wasServed = false
        exactCuts = exactCuts.dropFirst()
        recover()
        crashCountdown = exactCuts.first?.event
    }

    /// Takes the power from all devices, exactly so.
    func cutDevices(_ cut: PowerCut) {
        volatileBlocksAtCut = devices.reduce(0) { $0 + $1.volatileBlockCount }
        journal.trace("CUT \(cut) of \(volatileBlocksAtCut) volatile blocks")
        var place = 0
        for device in devices {
            let count = device.volatileBlockCount
            device.cutPower(keeping: cut.kept, from: place)
            place += count
        }
    }
}
