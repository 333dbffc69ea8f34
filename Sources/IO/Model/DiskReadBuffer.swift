/// What a modelled disk has read and still holds: a few runs of sectors, and the run that is being
/// read ahead just now.
struct DiskReadBuffer: Sendable {
    struct Segment: Sendable {
        var start: UInt64
        var end: UInt64
        var lastUse: UInt64
    }

    /// The head goes on reading after a command: from `start`, under the head at `instant`, to
    /// `limit`, into the segment that ends at `start`.
    struct Stream: Sendable {
        var segment: Int
        var start: UInt64
        var instant: UInt64
        var limit: UInt64
    }

    private let segmentCountMax: Int
    private let segmentSectorCount: UInt64
    private(set) var segments: [Segment] = []
    private(set) var stream: Stream?
    private var useCount: UInt64 = 0

    init(segmentCount: Int, segmentSectorCount: Int) {
        segmentCountMax = segmentCount
        self.segmentSectorCount = UInt64(max(0, segmentSectorCount))
        segments.reserveCapacity(segmentCount)
    }

    /// Where the stream has got to.
    func streamPosition(at instant: UInt64, _ mechanism: DiskMechanism) -> UInt64? {
        guard let stream else { return nil }
        guard instant > stream.instant else { return stream.start }
        return stream.start
            + mechanism.sectorsPassed(
                from: stream.start,
                within: instant - stream.instant,
                countMax: stream.limit - stream.start
            )
    }

    /// All of `range` is held at `instant`.
    mutating func holds(
        _ range: Range<UInt64>,
        at instant: UInt64,
        _ mechanism: DiskMechanism
    ) -> Bool {
        for index in segments.indices {
            var end = segments[index].end
            if let stream, stream.segment == index {
                end = streamPosition(at: instant, mechanism) ?? end
            }
            if segments[index].start <= range.lowerBound && range.upperBound <= end {
                use(index)
                return true
            }
        }
        return false
    }

    /// The segment that a read beginning at `sector` continues.
    func segment(before sector: UInt64) -> Int? {
        segments.firstIndex { $0.start <= sector && sector <= $0.end }
    }

    /// The head leaves: what was read ahead until `instant` stays.  Returns where the stream was.
    @discardableResult
    mutating func stop(at instant: UInt64, _ mechanism: DiskMechanism) -> UInt64? {
        guard let stream, let position = streamPosition(at: instant, mechanism) else { return nil }
        segments[stream.segment].end = max(segments[stream.segment].end, position)
        trim(stream.segment)
        self.stream = nil
        return position
    }

    /// `range` was read from the platter; the head goes on to `limit`.
    mutating func note(_ range: Range<UInt64>, limit: UInt64, at instant: UInt64) {
        guard segmentCountMax > 0 else { return }
        let index: Int
        if let found = segment(before: range.lowerBound) {
            index = found
            segments[index].end = range.upperBound
        } else {
            index = place(Segment(start: range.lowerBound, end: range.upperBound, lastUse: 0))
        }
        trim(index)
        use(index)
        stream =
            limit > range.upperBound
            ? Stream(segment: index, start: range.upperBound, instant: instant, limit: limit) : nil
    }

    /// A run is being followed: read ahead to `limit` at least, while the head is still moving.
    mutating func extend(to limit: UInt64, at instant: UInt64, _ mechanism: DiskMechanism) {
        guard let current = stream, let position = streamPosition(at: instant, mechanism),
            position < current.limit, limit > current.limit
        else { return }
        stream?.limit = limit
    }

    /// `range` is written: what was held of it is old.
    mutating func forget(_ range: Range<UInt64>) {
        for index in segments.indices where segments[index].start < range.upperBound {
            let reach = stream.map { $0.segment == index ? $0.limit : 0 } ?? 0
            guard max(segments[index].end, reach) > range.lowerBound else { continue }
            if stream?.segment == index { stream = nil }
            segments[index].end = segments[index].start
            segments[index].lastUse = 0
        }
    }

    private mutating func use(_ index: Int) {
        useCount += 1
        segments[index].lastUse = useCount
    }

    private mutating func trim(_ index: Int) {
        let segment = segments[index]
        if segment.end - segment.start > segmentSectorCount {
            segments[index].start = segment.end - segmentSectorCount
        }
    }

    private mutating func place(_ segment: Segment) -> Int {
        if segments.count < segmentCountMax {
            segments.append(segment)
            return segments.count - 1
        }
        var oldest = 0
        for index in segments.indices where segments[index].lastUse < segments[oldest].lastUse {
            oldest = index
        }
        segments[oldest] = segment
        return oldest
    }
}
