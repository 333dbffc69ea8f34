package import Catalogue
internal import Format
package import IO
internal import Policy
package import Units

// A lane is one log with its own map, worked by one thread.
//
//      hosts' requests          completions, catalogue's answers          time
//            |                              |                               |
//            v                              v                               v
//     +------------------------------- Lane.turn -------------------------------------+
//     |  Requests  -> map looked up, data appended to the open host record            |
//     |  Log       -> records closed, written, acknowledged in log order, flushed      |
//     |  Moves     -> reclaim, demotion, promotion: one record of copies each          |
//     |  Scrub     -> every copy read and verified, in slices, paced                   |
//     |  Checkpoint-> changed leaves encoded in slices, committed, segments freed      |
//     +-------------------------------------------------------------------------------+
//            |                              |                               |
//            v                              v                               v
//     finished requests          device operations             catalogue's requests
//
// It does no I/O and reads no clock: everything that happens to it comes in through its methods, so
// that the simulator runs the very code that serves.  The rules that keep data safe, each beside
// the code that keeps it:
//
// 1. The map changes when an entry is appended to a record; reads of blocks whose record has not
//    landed are served from its buffer.  So run-time order is log order is replay order.
// 2. A write is acknowledged when its record and all earlier ones have landed (Log/Landing).
// 3. A flush is submitted only when all earlier records have landed (Log/Flush).
// 4. A checkpoint is committed only after what it refers to was flushed, on both tiers; a segment
//    it forgets is free only when it is durable and no read is in flight to it (Checkpoint).
// 5. A move changes the map only if the whole location and the version are still what it copied
//    (Moves).

/// One log and its map.  Owned by one thread at a time; never shared.
package final class Lane: @unchecked Sendable {
    // Sendable because it is made on one thread and then handed, whole, to the thread that runs it.

    package let index: LaneIndex
    package let pool: Pool
    package let configuration: LaneConfiguration
    var random: LaneRandom
    package internal(set) var now = Instant(nanoseconds: 0)
    /// Seconds since 1970 when the lane was opened less `now` then; for people only.
    var wallSecondsAtStart: Int64 = 0
    var startedAt = Instant(nanoseconds: 0)
    package internal(set) var statistics = LaneStatistics()

    // Map
    var leaves: LeafMap
    var volumes: Slab<VolumeState>
    var volumeCount = 0
    var volumeRows: [VolumeRow] = []
    var presence: [Presence] = []
    var volumeSlots: [VolumeIdentifier: Int] = [:]
    /// Leaves that stay in memory because chunks of them are being moved.
    var movingLeafCount = 0
    var held = HeldLeaves()
    /// Leaves that were found damaged in the catalogue: they are not asked for again, so that
    /// nobody waits for them.
    var damagedLeaves: Set<LeafKey> = []
    var changedVolumes: [Int] = []
    var evictedHeat: [(key: LeafKey, bytes: [UInt8])] = []

    // Log
    let recordArena: Arena
    let records: Slab<RecordSlot>
    var host = LogStream(kind: .host)
    var mature = LogStream(kind: .mature)
    var cold = LogStream(kind: .cold)
    package internal(set) var nextSequence: SequenceNumber
    /// The host record that takes entries; -1 for none.
    var openHostRecord = -1
    /// Host records in log order, open one last: indices into `records`.
    var hostQueue: [Int] = []
    var hostRecordsWriting = 0
    var log = LogState()
    /// All host records up to here have landed.
    var landedThrough = RecordNumber(0)
    /// All host records up to here are flushed.
    package internal(set) var durableThrough = RecordNumber(0)
    /// The highest `durableThrough` that a submitted record carries.
    var claimedThrough = RecordNumber(0)
    var lastRecordIsMark = false
    var lastAppend = Instant(nanoseconds: 0)
    var loggedBlockCount = 0
    var flashIsUnflushed = false

    // Flush
    var flushWaiters = RequestList()
    var flushesInFlight = 0
    var flushCovers = RecordNumber(0)
    var flushFailed = false
    /// The flush has ended well, and waits for others.
    var flushBar: FlushBar?
    var flushCoversCheckpoint = RecordNumber(0)

    // Requests
    let requests: Slab<RequestSlot>
    var firstFreeRequest: Int32 = 0
    var requestsInUse = 0
    /// Requests that were begun and are not finished.
    var unfinishedCount = 0
    var buffers: BufferPool
    var operations: OperationTable
    /// When devices that hang were last looked for; buffers that they may still fill, and of each
    /// how many operations.
    var silenceCheckedAt = Instant(nanoseconds: 0)
    var lentBuffers: [Int32: Int] = [:]
    var finished: FinishedQueue
    var stalledWrites = RequestList()
    var stalledReads = RequestList()
    /// Of each device: requests that wait until it has answered others.
    var crowds: [RequestList]
    var conflicted = RequestList()
    /// Two blocks for each request, touched only by those that cover a block in part.
    let mergeArena: Arena
    let mergeChecks: Slab<BlockCheck>
    /// Steps in the life of volumes that wait for room in the log, in order.
    var waitingSteps: [WaitingStep] = []
    /// Writes are admitted from here on.
    var admissionGate = Instant(nanoseconds: 0)

    // Segments and moves
    var changedSegments: [Int] = []
    var emptiedSegments: [Int] = []
    /// Sealed segments of this lane, oldest first: on flash, on disk.
    var sealedSegments: [[Int]] = [[], []]
    let moves: Slab<MoveSlot>
    let moveItems: Slab<MoveItem>
    /// Of each device: copies on it that the map does not name yet.
    var diskFlushes: [DiskFlush]
    var flashReclaim: Reclaim
    var diskReclaim: Reclaim
    /// Segments that reclaim went through without gain.  They are no victims until a move has
    /// ended: it was moves under way, or queued, that held their chunks.
    var barrenSegments: Set<Int> = []
    /// Segments of flash in which too much lives to be copied within it.  They are no victims until
    /// less does, hosts wait for room, or a disk takes some of it.
    var segmentsForDisk: Set<Int> = []
    /// Segments that reclaim went through without gain, and never since with any: their records may
    /// not tell what lives in them.
    var silentSegments: Set<Int> = []
    /// The search of the map for them that is under way, when the last one ended, how many ended
    /// since a segment was emptied, and what was found, by segment, that reclaim has not taken yet.
    var mapSearch: MapSearch?
    var searchedAt = Instant(nanoseconds: 0)
    var vainSearchCount = 0
    var foundChunks: [Int: [ChunkKey]] = [:]
    /// Of flash and of disk: records of copies that were refused one after the other, and until
    /// when no more are written there.
    var refusedMoveCount: [2 of Int] = [0, 0]
    var movesRestUntil: [2 of Instant] = .init(repeating: Instant(nanoseconds: 0))
    /// Segments that a device refused to read something of, and when it last did.
    var unreadableSegments: [Int: Instant] = [:]
    var unreadBlocks: [UnreadBlock] = []
    var asking = Asking()
    /// What is asked for again.
    let askArena: Arena
    /// Chunks whose move has ended, or that are queued no more.
    var endedMoveCount = 0
    var demotions: [MoveCandidate] = []
    var keeps: [MoveCandidate] = []
    var relocations: [MoveCandidate] = []
    var promotions: [MoveCandidate] = []
    var poisons: [MoveItem] = []
    let scanArena: Arena
    var policy: HeatPolicy
    var ghosts: GhostList
    /// Of each volume: the sequential streams that its hosts read lately.
    var scans: [SequentialDetector] = []

    // Scrub: of flash, of disk
    var scrubs = [Scrub(role: .flash), Scrub(role: .disk)]
    let scrubArena: Arena
    /// Requests when the scrub last looked, and until when hosts count as active since.
    var scrubSawRequests: UInt64 = 0
    var hostsActiveUntil = Instant(nanoseconds: 0)

    // Recount beside hosts: the one under way, the last one, and loads of those given up
    var recounting: LiveRecount?
    var lastRecount: Recount?
    var staleRecountCount = 0

    // Checkpoint and catalogue
    var checkpoint = CheckpointState()
    var age = LaneAge()
    /// A bit for each device that has taken a witness of this opening.
    var openingToldTo: UInt64 = 0
    /// Two blocks for each device's witness.
    let witnessArena: Arena
    var mirror: Mirror
    /// The record of the mirror that is being filled or written.
    let mirrorArena: Arena
    var catalogueOutbox: [CatalogueRequest] = []
    var catalogueAwaited: [CatalogueAwait] = []
    var events: [EventRow] = []
    var news = LaneNews()
    var catalogueIsGood = true

    // Life
    /// Set once, with the reason in an event: nothing is changed any more.
    package internal(set) var isReadOnly = false
    var shutdown = ShutdownState()
    /// Background work went on in this turn and has more to do: the next turn need not wait.
    var hasProgressed = false
    /// Recovery is at work: a segment that is empty now may be filled by the next record.
    var isReplaying = false
    /// Headers and tails of records that recovery found without, and where they belong.
    var missingBlocks: [(place: Location, block: Arena)] = []
    /// Changes that have arrived, in all.
    var arrivals: UInt64 = 0
    /// Changes that are not wholly in the log yet, oldest first.
    var unlogged: [Int32] = []
    /// Of this turn so far, of the last one, and for whoever drives the lane: see Starvation.
    var hasFoundNoSegment = false
    var hasReleasedSegment = false
    var isStarved = false
    /// Hosts of this lane wait for a segment; and the log's next record when they began to.
    var hostsWait = false
    /// In this turn a change, or a step of an administrator, found no segment for its record.
    var hostLacksSegment = false
    var stepLacksSegment = false
    /// Flash segments that hosts had taken when what waited for another one was refused.
    var refusedAtCount: Int?
    var waitedForRecord = RecordNumber(0)
    var wakesOthers = false
    /// Administrators ask for what is appended now: hosts leave segments to it.
    var usesReserve = false

    package init(
        index: LaneIndex,
        pool: Pool,
        configuration: LaneConfiguration,
        randomSeed: UInt64
    ) {
        self.index = index
        self.pool = pool
        self.configuration = configuration
        random = LaneRandom(seed: randomSeed)
        leaves = LeafMap(count: configuration.leafCount + 1)
        volumes = Slab(count: 16, repeating: VolumeState())
        let recordCount = configuration.hostRecordCount + configuration.moveCount
        recordArena = Arena(
            byteCount: recordCount * configuration.recordBlockMax * Geometry.blockByteCount,
            isPopulated: configuration.isPopulated
        )
        records = Slab(count: recordCount, repeating: RecordSlot())
        nextSequence = SequenceNumber(incarnation: pool.incarnation, count: 1)
        requests = Slab(count: configuration.requestCount, repeating: RequestSlot())
        buffers = BufferPool(configuration.buffers, isPopulated: configuration.isPopulated)
        operations = OperationTable(
            capacity: configuration.operationCount,
            deviceCount: pool.devices.count
        )
        finished = FinishedQueue(capacity: configuration.requestCount)
        mergeArena = Arena(
            byteCount: 2 * configuration.requestCount * Geometry.blockByteCount,
            isPopulated: false
        )
        mergeChecks = Slab(count: 2 * configuration.requestCount, repeating: .none)
        moves = Slab(count: configuration.moveCount, repeating: MoveSlot())
        moveItems = Slab(
            count: configuration.moveCount * configuration.recordDataBlockMax,
            repeating: MoveItem()
        )
        diskFlushes = pool.devices.map { DiskFlush(device: $0.index) }
        crowds = pool.devices.map { _ in RequestList() }
        scanArena = Arena(
            byteCount: 2 * configuration.reclaimSliceBlockCount * Geometry.blockByteCount,
            isPopulated: configuration.isPopulated
        )
        scrubArena = Arena(
            byteCount: 2 * Scrub.bufferBlockCount * Geometry.blockByteCount,
            isPopulated: false
        )
        askArena = Arena(byteCount: Geometry.blockByteCount, isPopulated: false)
        witnessArena = Arena(
            byteCount: pool.devices.count * Witness.pairCount * Geometry.blockByteCount,
            isPopulated: configuration.isPopulated
        )
        mirror = Mirror(
            ring: MirrorRing(lane: index, laneCount: pool.laneCount, devices: pool.devices)
        )
        mirrorArena = Mirror.arena(configuration)
        flashReclaim = Reclaim(tier: .flash)
        diskReclaim = Reclaim(tier: .disk)
        policy = HeatPolicy()
        ghosts = GhostList(capacity: configuration.ghostCount)
        for request in 0..<configuration.requestCount {
            requests[request].mergeMemory = Int32(request)
            requests[request].next =
                request + 1 < configuration.requestCount ? Int32(request + 1) : -1
        }
        hostQueue.reserveCapacity(configuration.hostRecordCount)
        divideOperations()
    }

    deinit {
        leaves.deallocate()
        volumes.deallocate()
        records.deallocate()
        requests.deallocate()
        buffers.deallocate()
        operations.deallocate()
        finished.deallocate()
        mergeChecks.deallocate()
        moves.deallocate()
        moveItems.deallocate()
    }

    // MARK: What the driver of the lane calls

    /// One turn: works off what has come in and fills the outboxes.  `now` never goes back.
    package func turn(now: Instant) {
        self.now = max(self.now, now)
        operations.noteTime(self.now)
        hasProgressed = false
        watchDevices()
        believeFlush()
        landRecords()
        takeWaitingSteps()
        giveBackDestroyed()
        runDiskFlushes()
        runReclaim()
        runScrub()
        runRecount()
        runMoves()
        retryStalled()
        runCheckpoint()
        closeHostRecordIfDue()
        submitFlushIfDue()
        writeMarkIfDue()
        runShutdown()
        noteStarvation()
        askForUnread()
        searchMap()
    }

    package func nextOperation() -> Operation? { operations.next() }

    /// What an operation that was taken is for; asked before it completes.
    package func purpose(
        of operation: Operation
    ) -> (purpose: OperationPurpose, isRepeated: Bool) {
        operations.purpose(of: operation.token)
    }

    package func nextCatalogueRequest() -> CatalogueRequest? {
        catalogueOutbox.isEmpty ? nil : catalogueOutbox.removeFirst()
    }

    package func nextFinished() -> Finished? {
        guard let request = finished.next() else { return nil }
        return describeFinished(request)
    }

    /// Ends one operation.  Its effects show at the next turn, save that a read may finish at once.
    package func complete(_ completion: Completion) {
        let slot = operations.end(completion.token)
        let device = slot.location.device
        if operations.silentDevices != 0, operations.noteAnswer(of: device) {
            noteAnswer(of: device)
        }
        let isGood = completion.result == .done
        let owner = Int(slot.ownerIndex)
        switch slot.owner {
        case .free: break
        case .request, .merge, .moveRead, .scan, .ask: completePiece(slot, completion.result)
        case .record, .moveWrite: completeRecordWrite(slot, completion.result)
        case .moveVerify: completeMoveVerify(owner, isGood: isGood)
        case .scrub:
            completeScrub(owner, slot, isGood: isGood)
            endReading(Int(slot.segment))
        case .flush: completeFlush(slot, isGood: isGood)
        case .checkpointFlush: completeCheckpointFlush(slot, isGood: isGood)
        case .moveFlush: completeDiskFlush(slot, isGood: isGood)
        case .witness: completeWitness(owner, isGood: isGood)
        case .mirror: completeMirrorWrite(slot, isGood: isGood)
        case .mirrorLook: completeMirrorLook(slot, isGood: isGood)
        case .discard: break
        case .orphan: completeOrphan(slot)
        }
        if _slowPath(crowds[Int(device.rawValue)].first >= 0) { retryCrowd(of: device) }
    }

    /// Nothing is in flight and nothing waits.
    package var isIdle: Bool {
        operations.inFlightCount == 0 && catalogueAwaited.isEmpty && requestsInUse == 0
            && hostQueue.isEmpty && !hasMovesInFlight
    }

    // MARK: Time

    var wallSeconds: Int64 {
        wallSecondsAtStart + Int64(now.nanoseconds(since: startedAt) / 1_000_000_000)
    }

    /// The clock of heat.
    var tick: UInt32 {
        UInt32(
            truncatingIfNeeded: UInt64(heatTickAtStart) + now.nanoseconds / configuration.heatTick
        )
    }
    var heatTickAtStart: UInt32 = 0

    /// Stops changing anything: a device no longer does what it was told.
    func fence(_ reason: String) {
        guard !isReadOnly else { return }
        isReadOnly = true
        pool.noteReadOnly()
        wakesOthers = true
        note("lane_read_only", reason)
        statistics.fences += 1
        // Changes that wait are refused by the next turn.
        hasProgressed = true
    }
}

/// xoshiro256** by Blackman and Vigna (public domain algorithm), seeded by splitmix64.
struct LaneRandom: RandomNumberGenerator {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    init(seed: UInt64) {
        var z = seed
        func next() -> UInt64 {
            z &+= 0x9E37_79B9_7F4A_7C15
            var x = z
            x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
            x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
            return x ^ (x >> 31)
        }
        state = (next(), next(), next(), next())
    }

    mutating func next() -> UInt64 {
        func rotate(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
        let result = rotate(state.1 &* 5, 7) &* 9
        let t = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= t
        state.3 = rotate(state.3, 45)
        return result
    }
}
