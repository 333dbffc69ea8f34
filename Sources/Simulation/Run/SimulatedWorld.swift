internal import Catalogue
internal import Engine
internal import IO
internal import Units

// A whole pool in virtual time, on one thread.
//
//        workload ---- requests ----> lanes ---- operations ----> devices
//           ^                        |  ^ |                          |
//           |                        |  | +--- commits, loads --> catalogue
//        model <----- replies -------+  |                            |
//                                       +------ events by time ------+
//
// Each round: requests are issued, every lane that something happened to takes a turn and its
// outboxes are emptied, then time goes on to the next event, which may be a crash.

/// Memory that one seed after another uses.
package final class SimulationMemory {
    let images = (0..<4).map { _ in DurableImage() }
    let cells = CellStore()
    let blocks = Arena(byteCount: 4 * 4096, isPopulated: false)
    let payload = Arena(byteCount: 2 << 20, isPopulated: false)
    package init() {}
}

package final class SimulatedWorld {
    let parameters: SeedParameters
    let journal: Journal
    let memory: SimulationMemory
    let devices: [SimulatedDevice]
    let geometries: [DeviceGeometry]
    let catalogue: SimulatedCatalogue
    let order: DeviceOrderOracle
    /// What is damaged, and may rightly be an error; nil in a seed without faults.
    let atlas: FaultAtlas?
    let poolIdentifier: PoolIdentifier
    let deviceIdentifiers: [DeviceIdentifier]

    var pool: Pool?
    var lanes: [Lane] = []
    /// Something happened to the lane since its last turn.
    var needsTurn: [Bool] = []
    var events = EventQueue()
    /// Nanoseconds of a clock that starts anew with every process.
    var now: UInt64 = 1_000_000_000
    /// `now` when the process started, and the time that earlier ones lived.
    private var startedAt: UInt64 = 1_000_000_000
    private var elapsedBefore: UInt64 = 0
    /// Rounds without time going on.
    var spinCount = 0
    /// A reply came or went: what had to wait may go on.
    var isStirred = false

    var workload: SimulationRandom
    var schedule: SimulationRandom
    var crashes: SimulationRandom
    var identities: SimulationRandom
    var substitutions: SimulationRandom

    var volumes: [SimulatedVolume] = []
    var treeCount: UInt64 = 0
    var outstanding: [UInt64: OutstandingRequest] = [:]
    var nextContext: UInt64 = 1
    var held: [HeldReply?] = []
    /// The context that was next when the pool was last seen with no room for the largest request.
    var contextWhenFull: UInt64 = 0
    var nextArrival: UInt64 = 0
    /// Volumes are read back no sooner: a device hangs, and refuses at once.
    var verificationRestsUntil: UInt64 = 0
    /// The workload issues requests.
    var isLoaded = false

    /// Blocks that all lanes had named on disk when the atlas last looked.
    var namedOnDiskCount: UInt64 = 0

    /// Places on devices that were damaged behind the engine's back, and blocks that may be lost.
    var rot = Rot()

    /// The lanes were told to stop: requests may be turned away.
    var isStopping = false

    /// Openings of the pool that all devices were told of.
    var openingCount = 0
    /// What somebody kept of a device.
    var deviceCopy: DeviceCopy?

    /// Of the last opening: whether all devices were flushed, and its writes, flushes and commits.
    var isFlushedForOpening = false
    var openingEventCount = 0

    /// Headers and tails of records whose other half recovery has just written again.
    var leftHalves: [(device: Int, block: Int)] = []
    /// Of each lane, whether its mirror was whole at the last two checkpoints.
    var mirrorsWhole: [LaneIndex: [Bool]] = [:]
    /// A device has lost what it said to be durable: the seed ends.
    var isOver = false
    /// Recovery has succeeded since the last crash.
    var wasServed = false
    /// Events until a crash that was decided on; nil for none.
    var crashCountdown: Int?
    /// Rounds since a lane stopped changing anything.
    var fencedRounds = 0
    package private(set) var crashCount = 0
    /// Power cuts that an enumerated workload will meet, the next one first.
    var exactCuts: ArraySlice<PowerCut> = []
    /// What a cut would find after each event of an enumerated workload.
    var eventSignatures: [[Int]]?
    /// Events of it behind which its last operation is asked for; none where all are at once.
    var eventsBeforeLastStep = 0
    /// Of the last of them: volatile blocks of all devices, and whether commits were unanswered.
    var volatileBlocksAtCut = 0
    var hadCommitsAtCut = false
    package var recoveries: [String: Int] = [:]

    package init(parameters: SeedParameters, memory: SimulationMemory, journal: Journal) {
        let seed = parameters.seed
        self.parameters = parameters
        self.journal = journal
        self.memory = memory
        workload = SimulationRandom(seed: seed, stream: .workload)
        schedule = SimulationRandom(seed: seed, stream: .schedule)
        crashes = SimulationRandom(seed: seed, stream: .crash)
        identities = SimulationRandom(seed: seed, stream: .identity)
        substitutions = SimulationRandom(seed: seed, stream: .substitution)
        poolIdentifier = PoolIdentifier(from: &identities)
        var devices: [SimulatedDevice] = []
        var geometries: [DeviceGeometry] = []
        var identifiers: [DeviceIdentifier] = []
        for (index, device) in parameters.devices.enumerated() {
            let geometry = DeviceGeometry(
                index: DeviceIndex(UInt8(index)),
                role: device.role,
                segmentBlockCount: device.segmentBlockCount,
                segmentCount: device.segmentCount,
                mirrorBlockCount: device.mirrorBlockCount
            )
            let data = device.segmentBlockCount * device.segmentCount + geometry.mirrorBlockCount
            devices.append(
                SimulatedDevice(
                    index: geometry.index,
                    blockCount: Int(DeviceGeometry.firstSegmentBlock) + data + 256,
                    segmentBlockCount: geometry.segmentBlockCount,
                    character: device.character,
                    seed: seed,
                    image: memory.images[index],
                    cells: memory.cells,
                    journal: journal
                )
            )
            geometries.append(geometry)
            identifiers.append(DeviceIdentifier(from: &identities))
        }
        self.devices = devices
        self.geometries = geometries
        deviceIdentifiers = identifiers
        catalogue = SimulatedCatalogue(
            laneCount: parameters.laneCount,
            loadNanoseconds: parameters.loadNanoseconds,
            commitNanoseconds: parameters.commitNanoseconds,
            slowOneIn: parameters.slowOneIn,
            seed: seed,
            journal: journal
        )
        catalogue.keepsCopies = parameters.putsBackOldCatalogues
        order = DeviceOrderOracle(
            devices: devices,
            geometries: geometries.map {
                WatchedGeometry(
                    firstBlock: Int(DeviceGeometry.firstSegmentBlock),
                    segmentBlockCount: $0.segmentBlockCount,
                    segmentCount: $0.segmentCount,
                    mirrorBlockCount: $0.mirrorBlockCount
                )
            },
            laneCount: parameters.laneCount,
            journal: journal
        )
        atlas = Self.makeAtlas(parameters, geometries, devices, journal)
        formatDevices()
    }

    /// Returns what the world took from the memory that seeds share.
    package func close() {
        lanes = []
        pool = nil
        for device in devices { device.cutPower(.dropAll) }
    }

    // MARK: Time

    /// Nanoseconds of virtual time since the first process started.
    package var elapsedNanoseconds: UInt64 { elapsedBefore + now - startedAt }

    /// A new process has a new clock.
    func restartClock() {
        elapsedBefore = elapsedNanoseconds
        startedAt = schedule.below(UInt64(10_000_000_000))
        now = startedAt
        nextArrival = now
        verificationRestsUntil = now
    }

    /// One round: requests, turns, the next events.  False when nothing will ever happen again.
    func advance() -> Bool {
        isStirred = false
        progressPlans()
        issueVerification()
        issueLoad()
        turnLanes()
        guard journal.isEmpty else { return true }
        let next = nextTime()
        if restartFenced(isIdle: next ?? .max >= now + Self.idleNanoseconds) { return true }
        guard let next else { return false }
        if next > now {
            now = next
            spinCount = 0
        } else {
            spinCount += 1
            if spinCount > 10_000 {
                journal.report(
                    .liveness,
                    "a lane asks for turn after turn and time stands still; \(describeWaiting())"
                )
            }
        }
        deliverEvents()
        return true
    }

    /// When nothing happens for so long, then but for scrubs nothing will ever happen again.
    private static var idleNanoseconds: UInt64 { 1_000_000_000 }

    private func nextTime() -> UInt64? {
        var next = events.nextTime
        func consider(_ time: UInt64) { next = min(next ?? time, time) }
        for lane in lanes {
            if let deadline = lane.nextDeadline { consider(deadline.nanoseconds) }
        }
        if hasLoadToIssue { consider(max(nextArrival, now)) }
        if verificationRestsUntil > now { consider(verificationRestsUntil) }
        if isStirred || needsTurn.contains(true) { consider(now) }
        return next.map { max($0, now) }
    }

    private func deliverEvents() {
        var isFirst = true
        while journal.isEmpty, let at = events.nextTime {
            if at > now {
                guard !isFirst, at <= now + parameters.batchNanoseconds, schedule.isOne(in: 2)
                else {
                    break
                }
                now = at
            }
            guard let event = events.popFirst() else { break }
            deliver(event)
            refreshAtlas()
            damageAtTimes()
            isFirst = false
            journal.step += 1
            eventSignatures?.append(signature)
            if crashIsDue() { return crash() }
        }
    }

    private func deliver(_ event: Event) {
        switch event.kind {
        case .operation(let device, let tagged):
            let lane = tagged >> 32
            let completion = devices[device].finish(tagged & 0xFFFF_FFFF)
            journal.trace("device \(device) completes \(completion.token & 0xFFFF_FFFF)")
            lanes[lane].complete(completion)
            needsTurn[lane] = true
        case .catalogue(let lane):
            let (answer, request, next) = catalogue.finish(lane: LaneIndex(UInt16(lane)))
            if let next { events.add(.catalogue(lane: lane), at: now + next) }
            if case .commit(let image) = request, case .committed = answer {
                journal.trace("catalogue commits for lane \(lane)")
                order.end(image, tables: catalogue.tables)
                noteMirror(image.position)
                copyDeviceAtTimes()
            }
            if case .load(let key) = request {
                journal.trace("catalogue gives leaf \(key.tree.rawValue)/\(key.index)")
            }
            lanes[lane].answer(answer)
            needsTurn[lane] = true
        case .release(let index): releaseHeld(index)
        }
    }

    // MARK: Turns

    private func turnLanes() {
        for index in lanes.indices where journal.isEmpty {
            let lane = lanes[index]
            let isDue = lane.nextDeadline.map { $0.nanoseconds <= now } ?? false
            guard needsTurn[index] || isDue else { continue }
            needsTurn[index] = false
            noteFullness()
            let hostSegment = lane.hostSegment
            lane.turn(now: Instant(nanoseconds: now))
            if lane.hostSegment != hostSegment { checkReserve(lane) }
            refreshAtlas()
            if lane.takeWake() {
                journal.met(.laneWokeOthers)
                for other in lanes.indices where other != index { needsTurn[other] = true }
            }
            drain(lane, index)
        }
    }

    /// Empties a lane's outboxes.
    private func drain(_ lane: Lane, _ index: Int) {
        while let operation = lane.nextOperation() {
            let device = Int(operation.device.rawValue)
            let (purpose, isRepeated) = lane.purpose(of: operation)
            order.watch(operation, lane: lane.index, isRepeated: isRepeated)
            let (slot, delay) = devices[device].submit(
                operation,
                site: atlas == nil ? nil : site(of: operation, purpose),
                isRepeated: isRepeated,
                now: now
            )
            journal.trace(
                "lane \(index) submits \(devices[device].describe(operation)) as "
                    + "\(operation.token & 0xFFFF_FFFF)"
            )
            events.add(.operation(device: device, slot: index << 32 | slot), at: now + delay)
            // A flush may lose what it was to keep when it is taken.
            if atlas != nil { refreshAtlas() }
            guard journal.isEmpty else { return }
        }
        while let request = lane.nextCatalogueRequest() {
            if case .commit(let image) = request {
                journal.trace(
                    "lane \(index) asks for a commit of "
                        + image.leaves.map { "\($0.key.tree.rawValue)/\($0.key.index)" }
                        .joined(separator: " ") + ", frees "
                        + image.freedSegments.map {
                            "\($0.device.rawValue)/\($0.index.rawValue)"
                        }.joined(separator: " ")
                )
                order.begin(image)
            }
            if case .load(let key) = request {
                journal.trace("lane \(index) loads leaf \(key.tree.rawValue)/\(key.index)")
            }
            if let delay = catalogue.submit(request, lane: lane.index) {
                events.add(.catalogue(lane: index), at: now + delay)
            }
        }
        while journal.isEmpty, let finished = lane.nextFinished() {
            reply(finished, lane: index)
        }
    }

    /// A lane that gave hosts a segment in this turn left one to reclaim.
    private func checkReserve(_ lane: Lane) {
        guard let pool, lane.hostSegment >= 0 else { return }
        guard pool.freeSegmentCount(.flash) == 0, !lane.hasOpenMatureSegment else { return }
        journal.report(
            .liveness,
            "lane \(lane.index.rawValue) gives the last free flash segment to hosts"
        )
    }

    func noteFullness() {
        guard let pool else { return }
        let largest = parameters.requestByteCountMax / 4096 + 2
        if pool.chargedBlocks + largest > pool.capacityBlockCount { contextWhenFull = nextContext }
    }

    func countCrash() { crashCount += 1 }
}
