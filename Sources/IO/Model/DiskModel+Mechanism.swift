// What the mechanism of a modelled disk does next, and how long it is at it.

extension DiskModel {
    mutating func startWork() {
        while job == nil {
            if let position = readBuffer.streamPosition(at: now, mechanism) {
                mechanism.settle(before: position)
            }
            answerWhatWasReadMeanwhile()
            switch choose() {
            case .queued(let index): start(queue.remove(at: index))
            case .run(let index): startBuffered(index)
            case nil: return
            }
        }
    }

    /// Reads in the queue that reading ahead has passed in the meantime.
    mutating func answerWhatWasReadMeanwhile() {
        for index in queue.indices.reversed() where queue[index].kind == .read {
            guard readBuffer.holds(queue[index].sectors, at: now, mechanism) else { continue }
            answerFromBuffer(queue.remove(at: index))
        }
    }

    func choose() -> Choice? {
        var best: Choice?
        var bestTime = Int64.max
        for index in queue.indices {
            let age = now - queue[index].arrival
            let overdue = age > profile.deadline ? (age - profile.deadline) / 20 : 0
            let time = Int64(positioningTime(of: queue[index])) - Int64(overdue)
            if time < bestTime {
                bestTime = time
                best = .queued(index)
            }
        }
        guard !writeBuffer.runs.isEmpty else { return best }
        let mustDrain = !flushes.isEmpty
        let penalty =
            queue.isEmpty || mustDrain || writeBuffer.isPressing ? 0 : Self.bufferedPenalty
        for index in runCandidates() {
            let run = writeBuffer.runs[index]
            if let flush = flushes.first, run.oldestWrite > flush.write { continue }
            let time = Int64(
                penalty
                    + mechanism.positioningTime(to: run.start, isWrite: true, at: now)
            )
            if time < bestTime {
                bestTime = time
                best = .run(index)
            }
        }
        return best
    }

    /// The buffered runs to choose from: those about the head; one that a flush waits for, if none
    /// of these is.
    func runCandidates() -> Range<Int> {
        let near = writeBuffer.runs(about: mechanism.nextSector, count: Self.runCandidateCount)
        guard let flush = flushes.first,
            !near.contains(where: { writeBuffer.runs[$0].oldestWrite <= flush.write }),
            let wanted = writeBuffer.runs.firstIndex(where: { $0.oldestWrite <= flush.write })
        else { return near }
        return wanted..<(wanted + 1)
    }

    func positioningTime(of command: Command) -> UInt64 {
        if command.kind == .read, continuesStream(command) { return 0 }
        return mechanism.positioningTime(
            to: command.sectors.lowerBound,
            isWrite: command.kind == .write,
            at: now
        )
    }

    /// The head is reading ahead into this command's sectors.
    func continuesStream(_ command: Command) -> Bool {
        guard let stream = readBuffer.stream else { return false }
        let start = command.sectors.lowerBound
        return readBuffer.segments[stream.segment].start <= start && start < stream.limit
    }

    mutating func start(_ command: Command) {
        if command.kind == .read {
            startRead(command)
            return
        }
        readBuffer.stop(at: now, mechanism)
        let start = max(now, command.arrival + profile.writeOverhead)
        // The data comes over the interface while the arm moves.
        let count = UInt64(command.sectors.count)
        let moved = count * profile.sectorTransfer * UInt64(profile.writeStartPercent) / 100
        let ready = command.arrival + profile.writeOverhead + profile.sectorTransfer + moved
        let time =
            mechanism.positioningTime(
                to: command.sectors.lowerBound,
                isWrite: true,
                at: start,
                ready: ready
            )
            + mechanism.transferTime(from: command.sectors.lowerBound, count: count)
        let end = slowed(start, time)
        mechanism.settle(before: command.sectors.upperBound)
        job = Job(work: .command(command), end: end, finish: end)
    }

    mutating func startRead(_ command: Command) {
        let sectors = command.sectors
        let start = max(now, command.arrival + profile.readOverhead)
        let isRun = readBuffer.segment(before: sectors.lowerBound) != nil
        var first = sectors.lowerBound
        var mediaStart = start
        var mediaEnd: UInt64
        if continuesStream(command), let stream = readBuffer.stream,
            let position = readBuffer.streamPosition(at: now, mechanism), position < stream.limit
        {
            // The head is on its way through: no positioning, only the rest of the run.
            mediaEnd =
                stream.instant
                + mechanism.transferTime(
                    from: stream.start,
                    count: max(stream.start, sectors.upperBound) - stream.start
                )
            mediaEnd = max(mediaEnd, start)
            readBuffer.stop(at: now, mechanism)
        } else {
            readBuffer.stop(at: start, mechanism)
            // What is held of its beginning need not be read again.
            if let index = readBuffer.segment(before: first) {
                first = max(first, min(readBuffer.segments[index].end, sectors.upperBound - 1))
            }
            mediaStart = start + mechanism.positioningTime(to: first, isWrite: false, at: start)
            mediaEnd =
                mediaStart + mechanism.transferTime(from: first, count: sectors.upperBound - first)
            mediaEnd = slowed(start, mediaEnd - start)
        }
        mechanism.settle(before: sectors.upperBound)
        let ahead =
            isRun || profile.readsAheadAlways
            ? readAheadSectorCount
            : min(readAheadSectorCount, mechanism.sectorsToTrackEnd(from: sectors.upperBound))
        readBuffer.note(
            first..<sectors.upperBound,
            limit: min(mechanism.sectorCount, sectors.upperBound + ahead),
            at: mediaEnd
        )
        // The interface moves a sector when it has been read, and may be slower than the platter.
        let waited = (mediaEnd - mediaStart) * UInt64(profile.readStartPercent) / 100
        let finish = max(
            mediaEnd + profile.sectorTransfer,
            mediaStart + waited + UInt64(sectors.count) * profile.sectorTransfer
        )
        job = Job(work: .command(command), end: mediaEnd, finish: finish)
    }

    mutating func startBuffered(_ index: Int) {
        // A write that has only just come is first moved over the interface.
        let isGoingOn = writeBuffer.runs[index].start == mechanism.nextSector
        let start = queue.isEmpty && !isGoingOn ? max(now, interfaceFree) : now
        readBuffer.stop(at: start, mechanism)
        let oldestWrite = writeBuffer.runs[index].oldestWrite
        let sectors = writeBuffer.begin(
            index,
            countMax: UInt64(Self.runByteCountMax / profile.sectorByteCount)
        )
        let time =
            mechanism.positioningTime(to: sectors.lowerBound, isWrite: true, at: start)
            + mechanism.transferTime(from: sectors.lowerBound, count: UInt64(sectors.count))
        mechanism.settle(before: sectors.upperBound)
        let end = slowed(start, time)
        job = Job(work: .buffered(sectors, oldestWrite: oldestWrite), end: end, finish: end)
    }

    var readAheadSectorCount: UInt64 {
        UInt64(profile.readAheadByteCount / profile.sectorByteCount)
    }

    /// The end of work that takes `time` from `start`: later in a slow second.
    func slowed(_ start: UInt64, _ time: UInt64) -> UInt64 {
        guard profile.slowSecondsPerMillion > 0 else { return start + time }
        // A fixed scatter of the seconds, so that the same run is slow at the same times.
        var x = (start / 1_000_000_000) &+ 0x9E37_79B9_7F4A_7C15
        x = (x ^ x >> 30) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ x >> 27) &* 0x94D0_49BB_1331_11EB
        x ^= x >> 31
        let isSlow = x % 1_000_000 < UInt64(profile.slowSecondsPerMillion)
        return start + (isSlow ? time * UInt64(max(1, profile.slowFactor)) : time)
    }
}
