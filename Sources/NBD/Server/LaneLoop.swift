package import Catalogue
package import Engine
package import IO
internal import Units

// The loop of one lane: sockets and devices on one ring, one thread, no lock.
//
//     +--> submitAndWait ------ one system call
//     |    every completion     received bytes become requests in the lane; sent replies give back
//     |    mail                 what they held; device completions go to the lane
//     |    those who waited     for a slot or a buffer, oldest first
//     |    lane.turn            the open record is closed, moves go on
//     |    answers              to the reply queues of their connections
//     |    operations           to the device driver; catalogue requests to the catalogue's thread
//     |    one send for each connection that has replies and none in flight
//     +----+
//
// Everything that a client can make the loop hold is bounded: connections, requests of each and of
// all, bytes in flight, received bytes, half-open handshakes.  At a bound the loop stops reading
// from that connection.  What arrives late for a connection that is gone, a completion or an
// answer, finds its slot still taken (LaneLoop+Ends.swift).

/// Owned by the thread that calls `run`.
package final class LaneLoop: @unchecked Sendable {
    // Sendable because it is made on one thread and then handed, whole, to the thread that runs it.

    let ring: Ring
    let lane: Lane
    let driver: RingDriver
    let shared: ServerState
    let limits: ServerLimits
    let mailbox: Mailbox<LaneMessage>
    /// Takes the lane's requests to the catalogue; their answers come back as mail, in order.
    let askCatalogue: @Sendable (CatalogueRequest) -> Void
    /// None but on the lane that accepts.
    let listeners: [ListeningSocket]
    /// Takes turns with the mailbox's own array.
    var mail: [LaneMessage] = []

    let connections: Slab<ConnectionSlot>
    let requests: Slab<ClientRequest>
    /// One for each connection that has served or sent; kept for the next one in its slot.
    var gathers: [RegionList?]
    /// Of connections in the handshake, and what came of it.
    var handshakes: [Handshake?]
    var negotiations: [Negotiation?]
    /// Long payloads on their way, by connection.
    var payloads: [Payload?]
    /// Receive buffer and send area of each connection, one stride each.  Memory that no client has
    /// made the loop touch costs nothing.
    let arena: Arena
    let stride: Int
    /// Zeros for holes that clients without structured replies read.
    let zeros = Arena(byteCount: 1 << 20, isPopulated: true)

    /// The lane's buffers by size, in blocks and in number, and those that clients hold.
    let bufferClassCount: Int
    let bufferClassBlockCounts: BufferCounts
    let bufferClassCounts: BufferCounts
    var heldBuffers = BufferCounts(repeating: 0)

    var firstFreeConnection: Int32 = 0
    var firstFreeRequest: Int32 = 0
    var openCount = 0
    var halfOpenCount = 0
    var sending = ConnectionQueue()
    var stalled = ConnectionQueue()
    var isRetrying = false
    var turnCount: UInt32 = 0
    /// Sends of this turn that most likely complete while they are handed over.
    var quickSendCount = 0
    /// Something was given back since those who wait were tried.
    var hasReleased = false
    var now = Clock.now()
    var nextSweep = Instant(nanoseconds: 0)
    /// Listeners that are not armed, by index, until the pause is over.
    var pausedListeners: [Int] = []
    var acceptPauseEnd = Instant.never
    var statistics = ConnectionStatistics()
    /// Who waits for a request of the control side, by index.
    var controls: [(@Sendable (Lane, Finished?) -> Void)?] = []

    var isStopping = false
    var stopBegan = Instant(nanoseconds: 0)
    var hasBegunShutdown = false
    var isFinished = false
    var isMailboxArmed = false

    package init(
        lane: Lane,
        ring: Ring,
        driver: RingDriver,
        shared: ServerState,
        listeners: [ListeningSocket],
        askCatalogue: @escaping @Sendable (CatalogueRequest) -> Void
    ) {
        self.lane = lane
        self.ring = ring
        self.driver = driver
        self.shared = shared
        self.listeners = listeners
        self.askCatalogue = askCatalogue
        limits = shared.limits
        mailbox = shared.mailbox(of: lane.index)
        let count = limits.connectionCountMax
        connections = Slab(count: count, repeating: ConnectionSlot())
        requests = Slab(count: limits.laneRequestCount, repeating: ClientRequest())
        gathers = Array(repeating: nil, count: count)
        handshakes = Array(repeating: nil, count: count)
        negotiations = Array(repeating: nil, count: count)
        payloads = Array(repeating: nil, count: count)
        stride = limits.receiveByteCount + limits.sendByteCount
        arena = Arena(byteCount: count * stride, isPopulated: false)
        let classes = lane.configuration.buffers.prefix(BufferShares.classCountMax)
        var blockCounts = BufferCounts(repeating: 0)
        var counts = BufferCounts(repeating: 0)
        for (index, each) in classes.enumerated() {
            blockCounts[index] = Int32(each.blockCount)
            counts[index] = Int32(each.count)
        }
        bufferClassCount = classes.count
        bufferClassBlockCounts = blockCounts
        bufferClassCounts = counts
        for slot in 0..<count {
            connections[slot].nextToSend = slot + 1 < count ? Int32(slot + 1) : -1
        }
        for request in 0..<limits.laneRequestCount {
            requests[request].next =
                request + 1 < limits.laneRequestCount ? Int32(request + 1) : -1
        }
    }

    deinit {
        connections.deallocate()
        requests.deallocate()
    }

    // MARK: The loop

    /// Serves until it was told to stop and the lane has shut down.
    package func run() {
        armMailbox()
        for index in 0..<listeners.count { armListener(index) }
        nextSweep = now
        while !isFinished { turn() }
        // What is in flight names memory of the mailbox and of the lane: it ends before they go.
        shared.send(.wake, to: lane.index)
        while isMailboxArmed || driver.inFlightCount > 0 {
            ring.submitAndWait(count: 1, timeoutNanoseconds: limits.sweepNanoseconds)
            now = Clock.now()
            takeCompletions()
        }
    }

    private func takeCompletions() {
        while let completion = ring.nextCompletion() { take(completion) }
        while let ended = driver.nextCompletion(now: now) { lane.complete(ended) }
    }

    private func turn() {
        wait()
        turnCount &+= 1
        now = Clock.now()
        takeCompletions()
        retryStalled()
        lane.turn(now: now)
        if lane.takeWake() { wakeOthers() }
        takeFinished()
        while driver.headroom > 0, let operation = lane.nextOperation() {
            driver.submit(operation, now: now)
        }
        while let request = lane.nextCatalogueRequest() { askCatalogue(request) }
        sendReplies()
        if now >= nextSweep {
            sweep()
            resumeListeners()
            nextSweep = now.advanced(byNanoseconds: limits.sweepNanoseconds)
        }
        if lane.hasNews { shared.report(lane.takeNews()) }
        if isStopping { continueStopping() }
    }

    /// Has the other lanes take a turn: one frees what another needs.  A full mailbox is taken soon
    /// without it.
    private func wakeOthers() {
        for index in 0..<lane.pool.laneCount where index != Int(lane.index.rawValue) {
            shared.send(.wake, to: LaneIndex(UInt16(index)))
        }
    }

    /// Waits for one completion, or until something is due.
    ///
    /// A short send completes while it is handed over, and its completion alone changes nothing
    /// that anybody waits for: the loop waits for one more than there are such sends, which at
    /// depth one saves every second system call.  Should such a send not complete at once, the time
    /// limit keeps the next event from waiting for it.
    private func wait() {
        let quickCount = quickSendCount
        quickSendCount = 0
        if !stalled.isEmpty && hasReleased { return ring.submit() }
        var deadline = lane.nextDeadline ?? .never
        if let ended = driver.nextDeadline { deadline = min(deadline, ended) }
        if openCount > 0 || isStopping || !pausedListeners.isEmpty {
            deadline = min(deadline, nextSweep)
        }
        let isEager = quickCount > 0 && stalled.isEmpty && !isStopping
        if isEager {
            deadline = min(deadline, now.advanced(byNanoseconds: limits.quickSendNanoseconds))
        }
        if deadline == .never { return ring.submitAndWait(count: 1) }
        let current = Clock.now()
        if deadline <= current { return ring.submit() }
        ring.submitAndWait(
            count: isEager ? quickCount + 1 : 1,
            timeoutNanoseconds: deadline.nanoseconds(since: current)
        )
    }

    // MARK: Memory of a connection

    @inline(__always)
    func receiveRegion(_ slot: Int) -> BufferRegion {
        let start = slot * stride
        return arena.region[start..<(start + limits.receiveByteCount)]
    }

    func sendRegion(_ slot: Int) -> BufferRegion {
        let start = slot * stride + limits.receiveByteCount
        return arena.region[start..<(start + limits.sendByteCount)]
    }
}
