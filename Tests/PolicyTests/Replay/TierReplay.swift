internal import Policy
internal import Units

/// What a replay did, in counts and bytes.
struct ReplayFigures {
    var byteCount = 0
    var hitByteCount = 0
    var readByteCount = 0
    var readHitByteCount = 0
    /// Reads that reached the disk, each one run of neighbouring chunks.
    var diskReadCount = 0
    var diskReadByteCount = 0
    /// Bytes appended to flash for promotions and for what reclaim kept.
    var promotedByteCount = 0
    var keptByteCount = 0
    var demotedByteCount = 0

    var hitPercent: Double { 100 * Double(hitByteCount) / Double(max(1, byteCount)) }
    var readHitPercent: Double { 100 * Double(readHitByteCount) / Double(max(1, readByteCount)) }
    /// Seconds of disk time: 11.6 ms for each read and 250 MB/s.
    var diskSeconds: Double {
        Double(diskReadCount) * 0.0116 + Double(diskReadByteCount) / 250e6
    }
}

let chunkByteCount: UInt64 = 64 << 10

extension TraceRequest {
    var chunks: ClosedRange<UInt64> {
        offset / chunkByteCount...(offset + UInt64(max(1, byteCount)) - 1) / chunkByteCount
    }

    /// Bytes of the request that lie in `chunk`.
    func byteCount(in chunk: UInt64) -> Int {
        let start = max(offset, chunk * chunkByteCount)
        let end = min(offset + UInt64(byteCount), (chunk + 1) * chunkByteCount)
        return Int(end - start)
    }
}

/// A queue of flash segments ruled by a policy, at the grain of whole chunks: the engine's tiering
/// without its log.  A write to a chunk on flash changes it in place; one to a chunk on disk brings
/// it to flash whole.
struct TierReplay<Policy: TieringPolicy>: ~Copyable {
    private struct Chunk {
        var heat = Heat()
        /// Number of the segment that holds it; -1 when it is on disk only.
        var segment = -1
        var isDirty = false
    }

    private(set) var policy: Policy
    private(set) var figures = ReplayFigures()
    private let scale: HeatScale
    private let segmentChunkCount: Int
    private let segmentCount: Int
    private var chunks: [UInt64: Chunk] = [:]
    /// Segments by number, in the order in which they were opened.
    private var segments: [[UInt64]] = [[], []]
    /// When each segment was opened.
    private var segmentTicks: [UInt32] = [0, 0]
    private var oldestSegment = 0
    private var hostSegment = 0
    private var matureSegment = 1
    private var ghosts: GhostList
    private var detector = SequentialDetector()
    private let marks = FreeSegmentMarks(high: 3, reserve: 1)
    private var isReclaiming = false

    init(chunkCapacity: Int, policy: Policy, scale: HeatScale = .standard) {
        self.policy = policy
        self.scale = scale
        segmentChunkCount = max(1, chunkCapacity / 64)
        segmentCount = max(8, chunkCapacity / segmentChunkCount)
        ghosts = GhostList(capacity: chunkCapacity)
    }

    private var freeSegments: Int { segmentCount - (segments.count - oldestSegment) }

    mutating func apply(_ request: TraceRequest) {
        let isSequential =
            request.isRead && detector.note(offset: request.offset, byteCount: request.byteCount)
        // The disk reads a run of neighbouring chunks in one go.
        var lastDiskChunk: UInt64?
        for index in request.chunks {
            let byteCount = request.byteCount(in: index)
            var chunk = chunks[index] ?? Chunk()
            let isHit = chunk.segment >= 0
            chunk.heat.touch(
                request.isRead ? .read : .write,
                tick: request.tick,
                isSequential: isSequential,
                blockCount: (byteCount + 4095) / 4096,
                scale: scale
            )
            chunks[index] = chunk
            count(request, byteCount, isHit)
            if !request.isRead {
                if !isHit { place(index, inMature: false, tick: request.tick) }
                chunks[index]?.isDirty = true
            } else if !isHit {
                if lastDiskChunk.map({ $0 + 1 != index }) ?? true { figures.diskReadCount += 1 }
                lastDiskChunk = index
                figures.diskReadByteCount += byteCount
                decideRead(index, request, byteCount, isSequential)
            }
        }
    }

    private mutating func count(_ request: TraceRequest, _ byteCount: Int, _ isHit: Bool) {
        figures.byteCount += byteCount
        if isHit { figures.hitByteCount += byteCount }
        guard request.isRead else { return }
        figures.readByteCount += byteCount
        if isHit { figures.readHitByteCount += byteCount }
    }

    private mutating func decideRead(
        _ index: UInt64,
        _ request: TraceRequest,
        _ byteCount: Int,
        _ isSequential: Bool
    ) {
        var facts = ReadFacts(heat: chunks[index]?.heat ?? Heat(), tick: request.tick)
        facts.isSequential = isSequential
        facts.isGhost = ghosts.contains(key(index))
        facts.flashPressure = marks.pressure(freeSegments: freeSegments)
        guard case .promote(let groupChunkCount, _) = policy.onDiskRead(facts) else { return }
        figures.diskReadByteCount -= byteCount
        let group = UInt64(groupChunkCount)
        let first = index / group * group
        for neighbour in first..<(first + group) where (chunks[neighbour]?.segment ?? -1) < 0 {
            // Nothing is known of a neighbour that was never touched; it may not exist.
            guard neighbour == index || chunks[neighbour] != nil else { continue }
            figures.diskReadByteCount += Int(chunkByteCount)
            figures.promotedByteCount += Int(chunkByteCount)
            ghosts.remove(key(neighbour))
            place(neighbour, inMature: true, tick: request.tick)
        }
    }

    private func key(_ index: UInt64) -> UInt64 {
        GhostList.key(tree: TreeIdentifier(1), chunk: index)
    }

    private mutating func place(_ index: UInt64, inMature: Bool, tick: UInt32) {
        var segment = inMature ? matureSegment : hostSegment
        if segments[segment].count >= segmentChunkCount {
            open(tick: tick)
            segment = segments.count - 1
            if inMature { matureSegment = segment } else { hostSegment = segment }
        }
        segments[segment].append(index)
        chunks[index, default: Chunk()].segment = segment
        reclaim(tick: tick)
    }

    private mutating func open(tick: UInt32) {
        segments.append([])
        segmentTicks.append(tick)
    }

    /// Empties the oldest closed segments until enough are free; bounded by going round once.
    private mutating func reclaim(tick: UInt32) {
        guard !isReclaiming else { return }
        isReclaiming = true
        var roundsLeft = 2 * segmentCount
        while freeSegments < marks.high && roundsLeft > 0 {
            roundsLeft -= 1
            let victim = oldestSegment
            if victim == hostSegment || victim == matureSegment {
                // An open segment at the end of the queue is closed by opening a new one.
                open(tick: tick)
                if victim == hostSegment {
                    hostSegment = segments.count - 1
                } else {
                    matureSegment = segments.count - 1
                }
            }
            oldestSegment += 1
            let members = segments[victim]
            segments[victim] = []
            for index in members where chunks[index]?.segment == victim {
                decideReclaim(index, tick, isLast: roundsLeft < segmentCount)
            }
        }
        isReclaiming = false
    }

    private mutating func decideReclaim(_ index: UInt64, _ tick: UInt32, isLast: Bool) {
        guard let chunk = chunks[index] else { return }
        var facts = ReclaimFacts(
            heat: chunk.heat,
            tick: tick,
            isDirty: chunk.isDirty,
            liveBlockCount: 16
        )
        facts.segmentTick = segmentTicks[chunk.segment]
        facts.flashPressure = isLast ? 1 : marks.pressure(freeSegments: freeSegments + 1)
        switch policy.onReclaim(facts) {
        case .keep:
            figures.keptByteCount += Int(chunkByteCount)
            place(index, inMature: true, tick: tick)
            return
        case .demote:
            figures.demotedByteCount += Int(chunkByteCount)
            chunks[index]?.isDirty = false
        case .drop:
            break
        }
        chunks[index]?.segment = -1
        ghosts.insert(key(index))
    }
}
