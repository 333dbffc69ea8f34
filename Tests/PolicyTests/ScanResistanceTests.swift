internal import Policy
internal import Testing

/// A hot set that fits in flash is read at random; then a scan ten times the size of flash runs
/// beside it.  The hits of the hot set may hardly fall; a least-recently-used cache shows what the
/// same scan does to a policy that takes everything in.  Counts only, no clock.
@Suite struct ScanResistanceTests {
    private static let chunkCapacity = 1024
    private static let hotChunkCount: UInt64 = 600

    private struct Generator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
    }

    /// Reads of the hot set, and after each two of them 128 KiB of the scan when there is one.
    private func requests(seed: UInt64, count: Int, from tick: UInt32, isScanning: Bool)
        -> [TraceRequest]
    {
        var generator = Generator(state: seed)
        var requests: [TraceRequest] = []
        for index in 0..<count {
            let now = tick + UInt32(index / 50)
            requests.append(
                TraceRequest(
                    isRead: true,
                    offset: generator.next() % Self.hotChunkCount * 3 * chunkByteCount,
                    byteCount: 4096,
                    tick: now
                )
            )
            guard isScanning && index % 2 == 1 else { continue }
            requests.append(
                TraceRequest(
                    isRead: true,
                    offset: 1 << 40 + UInt64(index / 2) * 2 * chunkByteCount,
                    byteCount: Int(2 * chunkByteCount),
                    tick: now
                )
            )
        }
        return requests
    }

    private struct Hits {
        var hit = 0
        var count = 0
        var percent: Double { 100 * Double(hit) / Double(max(1, count)) }
    }

    @Test func `a scan does not flush the hot set`() {
        var policy = TierReplay(chunkCapacity: Self.chunkCapacity, policy: HeatPolicy())
        var recent = LeastRecentlyUsedReplay(chunkCapacity: Self.chunkCapacity)
        let phases = [
            requests(seed: 1, count: 20_000, from: 0, isScanning: false),
            requests(seed: 2, count: 10_000, from: 400, isScanning: false),
            requests(seed: 3, count: 10_000, from: 600, isScanning: true),
        ]
        var byPolicy: [Hits] = []
        var byRecency: [Hits] = []
        for phase in phases {
            var hits = (Hits(), Hits())
            for request in phase {
                let before = (policy.figures.hitByteCount, recent.figures.hitByteCount)
                policy.apply(request)
                recent.apply(request)
                guard request.offset < 1 << 40 else { continue }
                hits.0.count += 1
                hits.1.count += 1
                if policy.figures.hitByteCount > before.0 { hits.0.hit += 1 }
                if recent.figures.hitByteCount > before.1 { hits.1.hit += 1 }
            }
            byPolicy.append(hits.0)
            byRecency.append(hits.1)
        }
        print(
            "hot set, percent hit: heat \(byPolicy.map(\.percent)), LRU \(byRecency.map(\.percent))"
        )
        #expect(byPolicy[1].percent > 99)
        #expect(byPolicy[2].percent > byPolicy[1].percent - 2)
        #expect(byRecency[2].percent < byRecency[1].percent - 20)
        #expect(policy.figures.promotedByteCount < recent.figures.promotedByteCount / 5)
    }
}
