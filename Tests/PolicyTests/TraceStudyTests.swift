internal import Policy
internal import Testing

/// Replays recorded workloads against `HeatPolicy` and a least-recently-used cache of the same
/// size, and prints hits beside what they cost.  Runs where `ISOTHERM_TRACES` names a directory of
/// traces.
@Suite(.enabled(if: TraceFile.directory != nil), .serialized)
struct TraceStudyTests {
    struct Study: Sendable {
        var name: String
        var read: @Sendable () throws -> [TraceRequest]
    }

    static let studies = [
        Study(name: "CloudPhysics") { try TraceFile.virtualDisk("cloudphysics-2h.vscsi.gz") },
        Study(name: "P3") {
            try TraceFile.list("P3.lis.zst", unitByteCount: 512, requestsPerSecond: 5)
        },
        Study(name: "P6") {
            try TraceFile.list("P6.lis.zst", unitByteCount: 512, requestsPerSecond: 5)
        },
        Study(name: "OLTP") {
            try TraceFile.list("OLTP.lis.zst", unitByteCount: 4096, requestsPerSecond: 254)
        },
    ]

    /// A tenth of the different 4 KiB blocks that the trace touches, in chunks.
    static func chunkCapacity(_ requests: [TraceRequest]) -> Int {
        var blocks: Set<UInt64> = []
        for request in requests {
            let last = (request.offset + UInt64(max(1, request.byteCount)) - 1) / 4096
            for block in request.offset / 4096...last { blocks.insert(block) }
        }
        return max(64, blocks.count / 10 / 16)
    }

    @Test(arguments: studies.indices)
    func `a tenth of the footprint on flash`(_ index: Int) throws {
        let study = Self.studies[index]
        let requests = try study.read()
        let capacity = Self.chunkCapacity(requests)
        var recent = LeastRecentlyUsedReplay(chunkCapacity: capacity)
        for request in requests { recent.apply(request) }
        print("\(study.name): \(requests.count) requests, \(capacity) chunks of flash")
        Self.show("LRU", recent.figures)
        for group in [1, 4, 16] {
            var limits = HeatPolicyLimits()
            limits.groupChunkCount = group
            var replay = TierReplay(chunkCapacity: capacity, policy: HeatPolicy(limits: limits))
            for request in requests { replay.apply(request) }
            Self.show("heat, groups of \(group)", replay.figures)
            #expect(replay.figures.byteCount == recent.figures.byteCount)
        }
    }

    static func show(_ name: String, _ figures: ReplayFigures) {
        func mebibytes(_ count: Int) -> String { "\(count >> 20) MiB" }
        func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
        print(
            "  \(name): hit \(tenths(figures.hitPercent)) %,"
                + " reads \(tenths(figures.readHitPercent))"
                + " %; disk \(figures.diskReadCount) reads,"
                + " \(mebibytes(figures.diskReadByteCount)),"
                + " \(tenths(figures.diskSeconds)) s; promoted"
                + " \(mebibytes(figures.promotedByteCount)), kept"
                + " \(mebibytes(figures.keptByteCount)), demoted"
                + " \(mebibytes(figures.demotedByteCount))"
        )
    }
}
