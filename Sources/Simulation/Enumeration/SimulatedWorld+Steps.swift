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
        eventSignatures = []
        exactCuts = cuts[...]
        crashCountdown = cuts.first?.event
        for step in workload.steps where journal.isEmpty && crashCount == 0 {
            journal.trace("STEP \(step)")
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
            write(0..<8192, of: index, isDurable: true)
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
                write(start..<(start + 60 << 10), of: 0, isDurable: chunk % 4 == 3)
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
        case .writeBlock: write((5 * block)..<(6 * block), of: 0, isDurable: false)
        case .writePart: write((5 * block + 512)..<(6 * block + 1024), of: 0, isDurable: false)
        case .writeLarge: write((4 * block)..<(20 * block), of: 0, isDurable: false)
        case .writeDurable: write((6 * block)..<(7 * block), of: 0, isDurable: true)
        case .flush: flush(0)
        case .trim: trim((4 * block)..<(7 * block), of: 0)
        case .zeroes: zero((5 * block)..<(8 * block), of: 0)
        case .promote: promote(0..<(24 * block), of: 0)
        case .rest: rest()
        case .grow: volumes[0].plan = .grow(to: volumes[0].model.byteCount + 8 * block)
        case .shrink: volumes[0].plan = .shrink(to: 6 * block)
        case .createVolume: createVolume()
        case .writeOtherVolume:
            if let other { write((5 * block)..<(6 * block), of: other, isDurable: false) }
        case .destroyOtherVolume:
            if let other { volumes[other].plan = .destroy }
        }
        isStirred = true
    }

    private func write(_ whole: Range<UInt64>, of volume: Int, isDurable: Bool) {
        let model = volumes[volume].model
        let range = whole.clamped(to: 0..<model.byteCount)
        guard !range.isEmpty, admits(.write, volume, byteCount: range.count) else { return }
        let order = model.beginWrite(
            offset: range.lowerBound,
            byteCount: range.count,
            isDurable: isDurable
        )
        let payload = fillPayload(range, model, order: order)
        let context = note(.change(order: order), volume, range)
        outstanding[context]?.isDurable = isDurable
        lanes[volumes[volume].lane].write(
            volumes[volume].slot,
            offset: range.lowerBound,
            payload: payload,
            isDurable: isDurable,
            context: context
        )
    }

    private func flush(_ volume: Int) {
        let context = note(.flush(bound: volumes[volume].model.flushBound), volume, 0..<0)
        lanes[volumes[volume].lane].flush(volumes[volume].slot, context: context)
    }

    private func trim(_ whole: Range<UInt64>, of volume: Int) {
        let range = whole.clamped(to: 0..<volumes[volume].model.byteCount)
        guard !range.isEmpty else { return }
        let order = volumes[volume].model.beginTrim(
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            isDurable: false
        )
        let context = note(.change(order: order), volume, range)
        outstanding[context]?.isTrim = true
        lanes[volumes[volume].lane].trim(
            volumes[volume].slot,
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            isDurable: false,
            context: context
        )
    }

    private func zero(_ whole: Range<UInt64>, of volume: Int) {
        let range = whole.clamped(to: 0..<volumes[volume].model.byteCount)
        guard !range.isEmpty else { return }
        let order = volumes[volume].model.beginZeroes(
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            keepsSpace: true,
            isDurable: false
        )
        let context = note(.change(order: order), volume, range)
        lanes[volumes[volume].lane].writeZeroes(
            volumes[volume].slot,
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            keepsSpace: true,
            isDurable: false,
            context: context
        )
    }

    private func promote(_ whole: Range<UInt64>, of volume: Int) {
        let range = whole.clamped(to: 0..<volumes[volume].model.byteCount)
        guard !range.isEmpty else { return }
        let context = note(.promote, volume, range)
        lanes[volumes[volume].lane].promote(
            volumes[volume].slot,
            offset: range.lowerBound,
            byteCount: UInt64(range.count),
            context: context
        )
    }

    /// Cuts the power exactly so, and opens the pool again.
    func cutExactly(_ cut: PowerCut) {
        volatileBlocksAtCut = devices.reduce(0) { $0 + $1.volatileBlockCount }
        hadCommitsAtCut = catalogue.hasCommitInFlight
        countCrash()
        journal.trace("CUT \(cut) of \(volatileBlocksAtCut) volatile blocks")
        recoveries["exact", default: 0] += 1
        forgetRequests()
        lanes = []
        pool = nil
        events.removeAll()
        catalogue.crash(keepingCommits: cut.keepsCommits)
        var place = 0
        for device in devices {
            let count = device.volatileBlockCount
            device.cutPower(keeping: cut.kept, from: place)
            place += count
        }
        for volume in volumes where volume.life != .gone {
            volume.model.crash(isPowerCut: true, wasServed: wasServed)
        }
        wasServed = false
        exactCuts = exactCuts.dropFirst()
        recover()
        crashCountdown = exactCuts.first?.event
    }
}
