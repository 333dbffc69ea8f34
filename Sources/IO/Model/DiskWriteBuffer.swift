/// Runs of sectors that a modelled disk has taken and answered, but not yet written to the platter.
/// Sorted by address; runs that touch are one.
struct DiskWriteBuffer: Sendable {
    struct Run: Sendable {
        var start: UInt64
        var end: UInt64
        /// Number of the oldest write in it, for a flush to know what it waits for.
        var oldestWrite: UInt64
    }

    private let sectorCountMax: UInt64
    private let runCountMax: Int
    private(set) var runs: [Run] = []
    /// Sectors that are held, with those of the run that is being written.
    private(set) var sectorCount: UInt64 = 0

    init(sectorCountMax: Int, runCountMax: Int) {
        self.sectorCountMax = UInt64(max(0, sectorCountMax))
        self.runCountMax = runCountMax
        runs.reserveCapacity(runCountMax + 1)
    }

    var isEnabled: Bool { sectorCountMax > 0 }
    /// Little room is left: writing matters as much as reading.
    var isPressing: Bool {
        sectorCount * 4 > sectorCountMax * 3 || runs.count * 4 > runCountMax * 3
    }

    /// Whether a write of this size can ever be taken.
    func canHold(_ count: UInt64) -> Bool { count <= sectorCountMax }

    /// Takes `range` if there is room for it.
    mutating func take(_ range: Range<UInt64>, write: UInt64) -> Bool {
        let index = firstRun(endingAtOrAfter: range.lowerBound)
        var merged = Run(start: range.lowerBound, end: range.upperBound, oldestWrite: write)
        var next = index
        var replaced: UInt64 = 0
        while next < runs.count && runs[next].start <= range.upperBound {
            merged.start = min(merged.start, runs[next].start)
            merged.end = max(merged.end, runs[next].end)
            merged.oldestWrite = min(merged.oldestWrite, runs[next].oldestWrite)
            replaced += runs[next].end - runs[next].start
            next += 1
        }
        let grown = sectorCount + (merged.end - merged.start) - replaced
        guard grown <= sectorCountMax, next > index || runs.count < runCountMax else {
            return false
        }
        runs.replaceSubrange(index..<next, with: CollectionOfOne(merged))
        sectorCount = grown
        return true
    }

    /// All of `range` is held.
    func holds(_ range: Range<UInt64>) -> Bool {
        let index = firstRun(endingAtOrAfter: range.upperBound)
        return index < runs.count && runs[index].start <= range.lowerBound
    }

    /// Indices of the runs about `sector`, at most `count` of them.
    func runs(about sector: UInt64, count: Int) -> Range<Int> {
        let middle = firstRun(endingAtOrAfter: sector)
        let lower = max(0, min(middle - count / 2, runs.count - count))
        return lower..<min(runs.count, lower + count)
    }

    /// Takes the first `countMax` sectors of run `index` out, to be written; they count as held
    /// until `finish`.
    mutating func begin(_ index: Int, countMax: UInt64) -> Range<UInt64> {
        let run = runs[index]
        let end = min(run.end, run.start + countMax)
        if end == run.end { runs.remove(at: index) } else { runs[index].start = end }
        return run.start..<end
    }

    mutating func finish(_ range: Range<UInt64>) {
        sectorCount -= range.upperBound - range.lowerBound
    }

    private func firstRun(endingAtOrAfter sector: UInt64) -> Int {
        var lower = 0
        var upper = runs.count
        while lower < upper {
            let middle = (lower + upper) / 2
            if runs[middle].end < sector { lower = middle + 1 } else { upper = middle }
        }
        return lower
    }
}
