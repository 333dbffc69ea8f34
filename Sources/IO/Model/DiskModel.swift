package import Units

/// A hard disk as a function of time: what is asked of it when goes in, and out comes when each
/// request is done.  No clock, no I/O, no data; the same calls give the same instants.
///
///     submit ──► backlog ──► drive: buffer hit ───────────────────────► finished
///                (beyond       │    taken by the write buffer ────────► finished
///                 32)          │                      ▼
///                              └──► queue ──► mechanism: seek, ───────► finished
///                                             rotation, transfer
///
/// The mechanism does one thing at a time.  When it is free it takes the command, or the buffered
/// run of writes, that it can reach first (shortest positioning time first).  Past the deadline a
/// command's time counts for less, by a twentieth of what it has waited since: 200 ms later it goes
/// before any other.  (Were it to go first at once, a deep queue would be all overdue and served in
/// order of arrival, at less than half the rate.)  While nothing waits the disk reads ahead.
///
/// What it leaves out: sparing and bad sectors, thermal recalibration, transfers that start in the
/// middle of a track-long request, and power states.
///
/// Call `advance(to:)` with times that never go back, before every look at the results.
package struct DiskModel: Sendable {
    package enum Kind: UInt8, Sendable {
        case read, write, flush, discard
    }

    /// A request that is done at `instant`, which may lie ahead.
    package struct Finished: Sendable {
        package var token: UInt64
        package var instant: Instant
    }

    struct Command: Sendable {
        var kind: Kind
        var sectors: Range<UInt64>
        var token: UInt64
        /// When it came into the drive.
        var arrival: UInt64
        var isForced: Bool
        /// For a flush: the last write before it.
        var write: UInt64
    }

    enum Work: Sendable {
        case command(Command)
        case buffered(Range<UInt64>, oldestWrite: UInt64)
        case pause
    }

    struct Job: Sendable {
        var work: Work
        /// When the heads are done with it, and when its answer is over the interface.
        var end: UInt64
        var finish: UInt64
    }

    enum Choice {
        case queued(Int)
        case run(Int)
    }

    /// A buffered write is put off by this much against a command that a host waits for, unless the
    /// buffer is nearly full or a flush waits.
    static var bufferedPenalty: UInt64 { 4_000_000 }
    /// Buffered runs about the head that are compared with each other.
    static var runCandidateCount: Int { 64 }
    /// Longest stretch of a buffered run that is written without looking at the queue again.
    static var runByteCountMax: Int { 2 << 20 }

    let profile: DiskProfile
    var mechanism: DiskMechanism
    var readBuffer: DiskReadBuffer
    var writeBuffer: DiskWriteBuffer
    var now: UInt64 = 0
    var backlog: [Command] = []
    /// Commands that need the mechanism.
    var queue: [Command] = []
    /// Writes for which the buffer has no room yet, in order.
    var blockedWrites: [Command] = []
    var flushes: [Command] = []
    var job: Job?
    /// When the interface has moved everything that was put on it.
    var interfaceFree: UInt64 = 0
    var writeCount: UInt64 = 0
    /// Sorted by instant.
    var finished: [Finished] = []

    package init(profile: DiskProfile) {
        self.profile = profile
        mechanism = DiskMechanism(profile: profile)
        readBuffer = DiskReadBuffer(
            segmentCount: profile.readSegmentCount,
            segmentSectorCount: profile.readSegmentByteCount / profile.sectorByteCount
        )
        writeBuffer = DiskWriteBuffer(
            sectorCountMax: profile.writeBufferByteCount / profile.sectorByteCount,
            runCountMax: profile.writeRunCountMax
        )
    }

    /// Bytes that the modelled geometry holds; at least what the profile was made for.
    package var byteCount: UInt64 { mechanism.sectorCount * UInt64(profile.sectorByteCount) }

    /// Nothing is in the drive or before it, and no buffered write is left.
    package var isIdle: Bool {
        job == nil && commandCount == 0 && backlog.isEmpty && writeBuffer.runs.isEmpty
    }

    // MARK: What callers use

    /// Hands a request to the disk at `instant`, which is not before any earlier call's.
    ///
    /// - Parameter isForced: a write that is answered only when it is on the platter.
    package mutating func submit(
        _ kind: Kind,
        offset: UInt64,
        byteCount: UInt64,
        token: UInt64,
        isForced: Bool = false,
        at instant: Instant
    ) {
        advance(to: instant)
        let sector = UInt64(profile.sectorByteCount)
        let first = min(offset / sector, mechanism.sectorCount - 1)
        let end = min(
            max(first + 1, (offset + byteCount + sector - 1) / sector),
            mechanism.sectorCount
        )
        let command = Command(
            kind: kind,
            sectors: first..<end,
            token: token,
            arrival: now,
            isForced: isForced,
            write: writeCount
        )
        if commandCount < profile.queueDepth {
            enter(command)
        } else {
            backlog.append(command)
        }
        startWork()
    }

    /// Lets everything happen that happens until `instant`.
    package mutating func advance(to instant: Instant) {
        while let job, job.end <= instant.nanoseconds {
            now = max(now, job.end)
            self.job = nil
            finish(job)
            if case .pause = job.work {} else { pauseBeforeChoice() }
            startWork()
        }
        now = max(now, instant.nanoseconds)
    }

    /// When others wait, the drive takes the time of `turnaround` to report and to listen before it
    /// chooses: what the host sends in answer is in the choice.  A run that goes on does not wait.
    mutating func pauseBeforeChoice() {
        guard !queue.isEmpty else { return }
        let next = mechanism.nextSector
        if queue.contains(where: { $0.sectors.lowerBound == next || continuesStream($0) }) {
            return
        }
        job = Job(work: .pause, end: now + profile.turnaround, finish: 0)
    }

    /// When `advance` or `nextFinished` next has something to do; nil when all is quiet.
    package var nextEvent: Instant? {
        let jobEnd = job.map { Instant(nanoseconds: $0.end) }
        guard let first = finished.first?.instant else { return jobEnd }
        guard let jobEnd else { return first }
        return min(first, jobEnd)
    }

    /// The earliest request that is done at the time advanced to.
    package mutating func nextFinished() -> Finished? {
        guard let first = finished.first, first.instant.nanoseconds <= now else { return nil }
        finished.removeFirst()
        return first
    }

    // MARK: Into the drive

    var commandCount: Int { queue.count + blockedWrites.count + flushes.count }

    /// Takes a command into the drive now: answers what the buffer can answer, queues the rest.
    mutating func enter(_ command: Command) {
        var command = command
        command.arrival = now
        switch command.kind {
        case .read: enterRead(command)
        case .write: enterWrite(command)
        case .flush:
            if isDrained(through: command.write) {
                complete(command.token, at: now + profile.bufferWriteOverhead)
            } else {
                flushes.append(command)
            }
        case .discard:
            readBuffer.forget(command.sectors)
            complete(command.token, at: now + profile.bufferWriteOverhead)
        }
    }

    mutating func enterRead(_ command: Command) {
        if writeBuffer.holds(command.sectors)
            || readBuffer.holds(command.sectors, at: now, mechanism)
        {
            answerFromBuffer(command)
        } else {
            queue.append(command)
        }
    }

    mutating func answerFromBuffer(_ command: Command) {
        complete(command.token, at: overInterface(command, after: profile.bufferReadOverhead))
        readBuffer.extend(
            to: min(mechanism.sectorCount, command.sectors.upperBound + readAheadSectorCount),
            at: now,
            mechanism
        )
    }

    mutating func enterWrite(_ command: Command) {
        writeCount += 1
        readBuffer.forget(command.sectors)
        let count = UInt64(command.sectors.count)
        if command.isForced || !writeBuffer.canHold(count) {
            queue.append(command)
        } else if blockedWrites.isEmpty && writeBuffer.take(command.sectors, write: writeCount) {
            complete(command.token, at: overInterface(command, after: profile.bufferWriteOverhead))
        } else {
            blockedWrites.append(command)
        }
    }

    /// Moves a command's bytes over the interface, one command after the other.
    mutating func overInterface(_ command: Command, after overhead: UInt64) -> UInt64 {
        let start = max(now + overhead, interfaceFree)
        interfaceFree = start + UInt64(command.sectors.count) * profile.sectorTransfer
        return interfaceFree
    }

    mutating func complete(_ token: UInt64, at instant: UInt64) {
        let done = Finished(token: token, instant: Instant(nanoseconds: instant))
        let place = finished.lastIndex { $0.instant <= done.instant }.map { $0 + 1 } ?? 0
        finished.insert(done, at: place)
    }

    // MARK: Out of the mechanism

    mutating func finish(_ job: Job) {
        switch job.work {
        case .command(let command): complete(command.token, at: job.finish)
        case .buffered(let sectors, _): writeBuffer.finish(sectors)
        case .pause: return
        }
        admitWaiting()
    }

    /// Lets in what waited for room in the write buffer or in the queue, and ends flushes.
    mutating func admitWaiting() {
        while let command = blockedWrites.first,
            writeBuffer.take(command.sectors, write: writeCount)
        {
            blockedWrites.removeFirst()
            complete(command.token, at: overInterface(command, after: 0))
        }
        for index in flushes.indices.reversed() where isDrained(through: flushes[index].write) {
            complete(flushes[index].token, at: now)
            flushes.remove(at: index)
        }
        while commandCount < profile.queueDepth, !backlog.isEmpty {
            enter(backlog.removeFirst())
        }
    }

    /// No buffered write up to number `write` is left.
    func isDrained(through write: UInt64) -> Bool {
        if case .buffered(_, let oldest) = job?.work, oldest <= write { return false }
        return !writeBuffer.runs.contains { $0.oldestWrite <= write }
    }
}
