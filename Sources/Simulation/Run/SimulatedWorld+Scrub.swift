internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

// The scrub, held against damage that only the simulator knows of.
//
// While nothing is damaged it must find nothing.  At the end of some seeds durable blocks that the
// map refers to are damaged; hosts overwrite some of them while two passes run.  Then the durable
// map refers to no damaged place any more, blocks of which one copy was good read right, the mirror
// of the catalogue can be read, and another pass finds nothing.

/// What was damaged.
struct Rot {
    struct Place {
        var location: Location
        /// Of what it held after the damage: whatever was written there since has another.
        var checksum: UInt32
    }
    var places: [Place] = []
    /// Blocks whose reading may be an error: volume and address.
    var lost: [(volume: Int, block: UInt64)] = []
    /// Blocks with a copy that was good: they are lost only if that one was dropped meanwhile.
    var mended: [(volume: Int, block: UInt64)] = []
    var isAnywhere: Bool { !places.isEmpty }
}

extension SimulatedWorld {
    // MARK: While nothing is damaged

    /// An administrator starts or stops the scrub of a lane, or has it count all anew.
    func orderScrub() {
        let index = workload.below(lanes.count)
        switch workload.below(4) {
        case 0: lanes[index].pauseScrub()
        case 1: lanes[index].startScrub()
        default: lanes[index].beginRecount()
        }
        journal.met(.scrubOrdered)
        needsTurn[index] = true
    }

    /// Where nothing is damaged nothing is found.
    func checkScrubs() {
        for lane in lanes {
            if lane.statistics.scrubDoubtsSettled > 0 { journal.met(.scrubDoubtSettled) }
            guard !rot.isAnywhere, atlas == nil else { continue }
            for figures in lane.scrubFigures {
                if figures.row.passCount > 0 { journal.met(.scrubPassEnded) }
                guard figures.row.counts.hasFindings || figures.row.lastCounts.hasFindings else {
                    continue
                }
                journal.report(
                    .scrub,
                    "lane \(lane.index.rawValue) \(figures.row.role): nothing is damaged, and "
                        + "found are \(figures.row.counts), \(figures.row.lastCounts)"
                )
            }
        }
    }

    /// Recounts that went on beside hosts have found that all is as it was counted.
    func checkRecounts() {
        for lane in lanes {
            guard case .ended(let recount) = lane.recountState else { continue }
            journal.met(.recountedBesideHosts)
            // One that met a catalogue that failed says so.
            if let difference = recount.differences.first, catalogue.failureCount == 0 {
                journal.report(.space, "counted beside hosts: \(difference)")
            }
        }
    }

    /// A lane goes on where the catalogue says that its scrubs were.
    func compareScrubs(with rows: [ScrubRow]) {
        for row in rows {
            let found = lanes[Int(row.lane.rawValue)].scrubFigures.first { $0.row.role == row.role }
            if row.counts.verified > 0 { journal.met(.scrubResumed) }
            guard found?.row != row else { continue }
            journal.report(.scrub, "a scrub goes on at \(String(describing: found)), not at \(row)")
        }
    }

    // MARK: Damage

    /// Damages blocks, and expects the scrub to deal with them.
    func findRot() {
        // A crash that was decided on may still come, be it while the engine stops: what is damaged
        // from here on it could bring back, and no model knows.
        crashCountdown = nil
        restartQuietly()
        damageBlocks()
        guard rot.isAnywhere, journal.isEmpty else { return }
        damageMirror()
        let dropped = droppedBlockCount
        passScrub { self.overwriteSome() }
        passScrub {}
        let areCopiesKept = dropped == droppedBlockCount
        countScrubs()
        awaitMirrors()
        restartQuietly()
        checkMap()
        checkMirrors()
        if !areCopiesKept { rot.lost.append(contentsOf: rot.mended) }
        readAll()
        converge("what is left is read back") { self.isQuiet }
        passScrub {}
        for lane in lanes {
            for figures in lane.scrubFigures where figures.row.lastCounts.hasFindings {
                journal.report(.scrub, "a scrub of a mended pool finds \(figures.row.lastCounts)")
            }
        }
    }

    /// Stops and starts the engine, so that the catalogue knows all that the lanes know.
    private func restartQuietly() {
        guard stop(isLoadedMeanwhile: false) else { return }
        restartAfterStop()
        for index in volumes.indices where volumes[index].isVerifying {
            volumes[index].unverified = []
            endVerificationIfDone(index)
        }
    }

    private var droppedBlockCount: UInt64 {
        lanes.reduce(0) { $0 + $1.statistics.blocksDropped }
    }

    private func countScrubs() {
        for lane in lanes {
            if lane.statistics.copiesGivenUp > 0 { journal.met(.scrubRepaired) }
            if lane.statistics.blocksPoisoned > 0 { journal.met(.scrubPoisoned) }
        }
    }

    /// Runs a full pass of every lane, and `meanwhile` as soon as it has begun.
    private func passScrub(_ meanwhile: () -> Void) {
        for index in lanes.indices {
            lanes[index].startScrub()
            // The first may have done no more than end a pause.
            if !lanes[index].scrubFigures.allSatisfy(\.row.isAsked) { lanes[index].startScrub() }
            needsTurn[index] = true
        }
        meanwhile()
        converge("every scrub ends its pass") {
            self.isQuiet
                && self.lanes.allSatisfy { lane in
                    lane.scrubFigures.allSatisfy { figures in
                        !figures.row.isAsked || self.segmentCount(figures.row.role) == 0
                    }
                }
        }
    }

    private func segmentCount(_ role: DeviceRole) -> Int { pool?.segmentCount(role) ?? 0 }

    /// Calls `body` with every block that the catalogue's map holds in a live volume.
    private func eachStored(_ body: (_ volume: Int, _ block: UInt64, BlockState) -> Void) {
        for key in catalogue.tables.leafKeys {
            guard
                let volume = volumes.firstIndex(where: {
                    $0.life == .live && $0.row.tree == key.tree
                })
            else { continue }
            var states = [BlockState](repeating: .absent, count: Geometry.blocksPerLeaf)
            do throws(FormatError) {
                var span = states.mutableSpan
                // The bytes of bytes have no padding between them.
                _ = try unsafe LeafFormat.decode(
                    catalogue.tables.leaf(key).bytes.span.bytes,
                    tree: key.tree,
                    index: key.index,
                    into: &span
                )
            } catch {
                return journal.report(.recovers, "leaf \(key) is committed damaged: \(error)")
            }
            let first = key.index * UInt64(Geometry.blocksPerLeaf)
            for (block, state) in states.enumerated() where state.isStored {
                body(volume, first + UInt64(block), state)
            }
        }
    }

    /// Damages a few copies, of blocks with two copies rather than of others.
    private func damageBlocks() {
        var single: [(volume: Int, block: UInt64, state: BlockState)] = []
        var double: [(volume: Int, block: UInt64, state: BlockState)] = []
        eachStored { volume, block, state in
            if state.isCleanCopy {
                double.append((volume, block, state))
            } else {
                single.append((volume, block, state))
            }
        }
        for _ in 0..<crashes.number(in: 1...12) {
            let isDouble = !double.isEmpty && crashes.isOne(in: 2)
            guard isDouble || !single.isEmpty else { continue }
            let victim = isDouble ? crashes.pick(double) : crashes.pick(single)
            guard !damaged.contains(where: { $0 == (victim.volume, victim.block) }) else {
                continue
            }
            damage(victim)
        }
    }

    /// Damages a block of what a lane's mirror says.
    private func damageMirror() {
        let positions = catalogue.tables.positionRows
        guard !positions.isEmpty else { return }
        let position = crashes.pick(positions)
        guard
            let begin = position.mirror.begin, begin < position.mirror.end
        else { return }
        let place = begin + crashes.below(position.mirror.end - begin)
        for piece in mirrorRing(of: position.lane).pieces(from: place, count: 1) {
            let device = devices[Int(piece.device.rawValue)]
            guard device.rot(Int(piece.block), random: &crashes) != nil else { continue }
            journal.trace("ROT of block \(place) of the mirror of lane \(position.lane.rawValue)")
            journal.met(.mirrorRotten)
        }
    }

    /// Blocks of which a copy was damaged.
    private var damaged: [(volume: Int, block: UInt64)] { rot.lost + rot.mended }

    private func damage(_ victim: (volume: Int, block: UInt64, state: BlockState)) {
        var copies: [Location] = []
        if victim.state.flash.isPlace { copies.append(victim.state.flash) }
        if victim.state.disk.isPlace { copies.append(victim.state.disk) }
        let isWhole = copies.count == 1 || crashes.isOne(in: 4)
        for location in isWhole ? copies : [crashes.pick(copies)] {
            let device = devices[Int(location.device.rawValue)]
            guard let checksum = device.rot(Int(location.block), random: &crashes) else { return }
            journal.trace("ROT \(location) of block \(victim.block)")
            rot.places.append(Rot.Place(location: location, checksum: checksum))
        }
        if isWhole {
            rot.lost.append((victim.volume, victim.block))
        } else {
            rot.mended.append((victim.volume, victim.block))
        }
    }

    /// Hosts overwrite some of the damaged blocks while they are looked at: these are good again.
    private func overwriteSome() {
        for (volume, block) in damaged where crashes.isOne(in: 2) {
            let rounds = crashes.below(6)
            for _ in 0..<rounds where journal.isEmpty { _ = advance() }
            guard journal.isEmpty, volumes[volume].isUsable,
                (block + 1) * 4096 <= volumes[volume].model.byteCount
            else { continue }
            let before = volumes[volume].model.issued
            drawWrite((block * 4096)..<((block + 1) * 4096), of: volume)
            guard volumes[volume].model.issued > before else { continue }
            journal.met(.rotOverwritten)
            rot.lost.removeAll { $0 == (volume, block) }
            rot.mended.removeAll { $0 == (volume, block) }
        }
    }

    /// No leaf that is durable refers to a damaged place.
    private func checkMap() {
        let rotten = rot.places.filter {
            devices[Int($0.location.device.rawValue)].durableChecksum(Int($0.location.block))
                == $0.checksum
        }
        eachStored { volume, block, state in
            for place in rotten where state.flash == place.location || state.disk == place.location
            {
                journal.report(
                    .scrub,
                    "volume \(volumes[volume].model.number) block \(block) still lies at the "
                        + "damaged \(place.location.block) of device "
                        + "\(place.location.device.rawValue) after a full scrub"
                )
            }
        }
    }

    /// What is left of the mirrors makes a catalogue, if all of them are whole.
    private func checkMirrors() {
        for device in devices { device.makeAllDurable() }
        do throws(MirrorError) {
            var reader = try mirrorReader()
            while try reader.next() != nil {}
        } catch {
            if case .notWhole = error { return }
            journal.report(.scrub, "mirrors after a full scrub: \(error)")
        }
    }

    // MARK: Reads that meet it

    /// Whether an error may be the answer: of more than one block, the next reads tell.
    func isRotten(_ request: OutstandingRequest) -> Bool {
        guard rot.isAnywhere, atlas == nil, case .finalRead = request.kind else { return false }
        let first = request.offset / 4096
        return request.byteCount > 4096
            || rot.lost.contains { $0.volume == request.volume && $0.block == first }
    }

    /// Reads the blocks of a range that met an error one by one.
    func metRot(_ request: OutstandingRequest) {
        guard case .finalRead(let bound) = request.kind else { return }
        volumes[request.volume].model.endRead(bound)
        guard request.byteCount > 4096 else { return }
        let first = request.offset / 4096
        for block in first..<(first + request.byteCount / 4096) {
            volumes[request.volume].unverified.append(block..<(block + 1))
        }
        volumes[request.volume].isVerifying = true
    }
}
