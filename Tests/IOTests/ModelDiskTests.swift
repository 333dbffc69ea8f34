internal import IO
internal import Testing
internal import Units

/// The modelled disk in virtual time: what it answers to known loads.
@Suite struct ModelDiskTests {
    struct Load {
        var requestsPerSecond: Double
        /// Milliseconds, sorted.
        var latencies: [Double]
        func percentile(_ part: Double) -> Double {
            latencies[min(latencies.count - 1, Int(Double(latencies.count) * part))]
        }
        var mean: Double { latencies.reduce(0, +) / Double(latencies.count) }
    }

    struct Generator {
        var state: UInt64
        mutating func next(below bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 11) % bound
        }
    }

    /// `depth` requests are always with the disk; each that is done is replaced at once.
    static func run(
        _ profile: DiskProfile,
        depth: Int,
        count: Int,
        kind: DiskModel.Kind = .read,
        byteCount: UInt64 = 4096,
        delay: UInt64 = 0,
        isForced: Bool = false,
        next: (inout Generator, Int) -> UInt64
    ) -> Load {
        var model = DiskModel(profile: profile)
        var generator = Generator(state: 12_345)
        var starts: [UInt64] = []
        var latencies: [Double] = []
        func submit(at instant: UInt64) {
            let token = starts.count
            starts.append(instant)
            model.submit(
                kind,
                offset: next(&generator, token),
                byteCount: byteCount,
                token: UInt64(token),
                isForced: isForced,
                at: Instant(nanoseconds: instant)
            )
        }
        for _ in 0..<depth { submit(at: 0) }
        var end: UInt64 = 0
        while latencies.count < count, let event = model.nextEvent {
            model.advance(to: event)
            while let done = model.nextFinished() {
                let instant = done.instant.nanoseconds
                latencies.append(Double(instant - starts[Int(done.token)]) / 1e6)
                end = instant
                submit(at: max(event.nanoseconds, instant + delay))
            }
        }
        return Load(
            requestsPerSecond: Double(latencies.count) / (Double(end) / 1e9),
            latencies: latencies.sorted()
        )
    }

    static let diskByteCount: UInt64 = 1 << 40

    /// Rates and tails that a queue with shortest positioning time first gives such a disk.
    @Test(arguments: [(1, 86.0), (2, 102), (4, 122), (8, 145), (16, 176), (32, 214)])
    func `random reads are as fast as the depth of the queue allows`(
        _ depth: Int,
        _ expected: Double
    ) {
        let blocks = Self.diskByteCount / 4096
        let load = Self.run(
            .hdd7200(byteCount: Self.diskByteCount),
            depth: depth,
            count: 10_000
        ) { generator, _ in generator.next(below: blocks) * 4096 }
        print(
            "depth \(depth): \(load.requestsPerSecond) a second, p50 \(load.percentile(0.5))"
                + " p99 \(load.percentile(0.99)) max \(load.latencies.last ?? 0) ms"
        )
        // The deadline costs a depth of 32 some of its rate, for a tail that ends before half a
        // second.
        #expect(abs(load.requestsPerSecond - expected) < expected * (depth == 32 ? 0.06 : 0.03))
        if depth == 1 {
            #expect(abs(load.percentile(0.5) - 11.7) < 0.3)
            #expect(abs(load.percentile(0.99) - 19.5) < 0.4)
        }
        #expect(load.latencies.last ?? 0 < 600)
    }

    @Test(arguments: [UInt64(64) << 20, 1 << 30, 16 << 30, 20 << 40])
    func `a small disk seeks as far as a large one, and its rates are the same`(
        _ byteCount: UInt64
    ) {
        let profile = DiskProfile.hdd7200(byteCount: byteCount)
        #expect(DiskModel(profile: profile).byteCount >= byteCount)
        let blocks = byteCount / 4096
        let random = Self.run(profile, depth: 1, count: 4000) { generator, _ in
            generator.next(below: blocks) * 4096
        }
        let outer = Self.sequentialRate(profile, from: 0)
        let inner = Self.sequentialRate(profile, from: byteCount / 10 * 9)
        print("\(byteCount >> 20) MiB: mean \(random.mean) ms, \(outer) and \(inner) MB/s")
        // What fits the read buffer is answered from it.
        if byteCount > 1 << 30 { #expect(abs(random.mean - 11.6) < 0.6) }
        // 285 and 130 MB/s at the edges, less a twelfth for the switches between tracks.
        #expect(outer > 240 && outer < 285)
        #expect(inner > 115 && inner < 155)
    }

    /// MB/s of requests in a row, with 20 microseconds of the host's time between them, not
    /// counting the way to the first.
    static func sequentialRate(
        _ profile: DiskProfile,
        from start: UInt64,
        kind: DiskModel.Kind = .read,
        isForced: Bool = false,
        byteCount: UInt64 = 256 << 10,
        count: Int = 24
    ) -> Double {
        let load = run(
            profile,
            depth: 1,
            count: count,
            kind: kind,
            byteCount: byteCount,
            delay: 20_000,
            isForced: isForced
        ) { _, index in start + UInt64(index) * byteCount }
        let milliseconds =
            Double(count) / load.requestsPerSecond * 1000 - (load.latencies.last ?? 0)
        return Double(count - 1) * Double(byteCount) / milliseconds / 1000
    }

    @Test func `a buffered read takes a tenth of a millisecond`() {
        let load = Self.run(
            .hdd7200(byteCount: Self.diskByteCount),
            depth: 1,
            count: 40,
            byteCount: 4096,
            delay: 20_000_000
        ) { _, index in UInt64(index) * 4096 }
        // After the first, the rest of the track has been read ahead.
        #expect(load.percentile(0.9) < 0.2)
        #expect(load.latencies.last ?? 0 > 0.5)
    }

    @Test func `large reads cost their positioning and their length`() {
        for (byteCount, expected) in [(64 << 10, 11.8), (1 << 20, 16.5), (4 << 20, 33.0)] {
            let places = Self.diskByteCount / UInt64(byteCount)
            let load = Self.run(
                .hdd7200(byteCount: Self.diskByteCount),
                depth: 1,
                count: 3000,
                byteCount: UInt64(byteCount)
            ) { generator, _ in generator.next(below: places) * UInt64(byteCount) }
            print("\(byteCount >> 10) KiB: \(load.mean) ms")
            #expect(abs(load.mean - expected) < expected * 0.06)
        }
    }

    @Test func `the write cache answers at once until it is full, then at the platter's rate`() {
        let blocks = Self.diskByteCount / 4096
        let profile = DiskProfile.hdd7200(byteCount: Self.diskByteCount)
        let scattered = Self.run(profile, depth: 16, count: 20_000, kind: .write) {
            generator,
            _ in generator.next(below: blocks) * 4096
        }
        let burst = Self.run(profile, depth: 1, count: 500, kind: .write) { generator, _ in
            generator.next(below: blocks) * 4096
        }
        print("writes: burst \(burst.mean) ms, then \(scattered.requestsPerSecond) a second")
        #expect(burst.latencies.last ?? 0 < 0.2)
        #expect(scattered.requestsPerSecond > 400 && scattered.requestsPerSecond < 700)
        let run = Self.sequentialRate(
            profile,
            from: 0,
            kind: .write,
            byteCount: 1 << 20,
            count: 2000
        )
        print("sequential writes \(run) MB/s")
        #expect(run > 240 && run < 300)
    }

    @Test func `without the cache a run of writes loses a revolution each time`() {
        let profile = DiskProfile.hdd7200(byteCount: Self.diskByteCount, hasWriteCache: false)
        let load = Self.run(
            profile,
            depth: 1,
            count: 200,
            kind: .write,
            delay: 50_000
        ) { _, index in UInt64(index) * 4096 }
        #expect(abs(load.percentile(0.5) - 8.3) < 0.2)
        let forced = Self.run(
            .hdd7200(byteCount: Self.diskByteCount),
            depth: 1,
            count: 200,
            kind: .write,
            delay: 50_000,
            isForced: true
        ) { _, index in UInt64(index) * 4096 }
        #expect(abs(forced.percentile(0.5) - 8.3) < 0.2)
    }

    /// Writes, one flush, more writes: the flush is answered when the first are on the platter, and
    /// does not wait for the second.
    @Test func `a flush waits for the writes before it and for no others`() {
        var model = DiskModel(profile: .hdd7200(byteCount: Self.diskByteCount))
        let stride = Self.diskByteCount / 256
        for index in UInt64(0)..<100 {
            model.submit(
                .write,
                offset: index * stride,
                byteCount: 4096,
                token: index,
                at: Instant(nanoseconds: index * 1000)
            )
        }
        model.submit(
            .flush,
            offset: 0,
            byteCount: 0,
            token: 1000,
            at: Instant(nanoseconds: 200_000_000)
        )
        for index in UInt64(100)..<200 {
            model.submit(
                .write,
                offset: index * stride,
                byteCount: 4096,
                token: index,
                at: Instant(nanoseconds: 200_000_000 + index * 1000)
            )
        }
        var flushInstant: UInt64 = 0
        var end: UInt64 = 0
        var count = 0
        while let event = model.nextEvent {
            model.advance(to: event)
            end = event.nanoseconds
            while let done = model.nextFinished() {
                count += 1
                if done.token == 1000 { flushInstant = done.instant.nanoseconds }
            }
        }
        #expect(count == 201)
        #expect(model.isIdle)
        print("flush after \(flushInstant / 1_000_000) ms, all written after \(end / 1_000_000) ms")
        #expect(flushInstant > 300_000_000)
        #expect(flushInstant < end - 200_000_000)
    }

    @Test func `the same requests are done at the same instants, and each once`() {
        func instants() -> [UInt64] {
            var model = DiskModel(profile: .hdd7200(byteCount: 1 << 30))
            var generator = Generator(state: 3)
            var done: [UInt64: UInt64] = [:]
            var clock: UInt64 = 0
            for token in UInt64(0)..<3000 {
                clock += generator.next(below: 8_000_000)
                let kinds: [DiskModel.Kind] = [.read, .write, .read, .write, .flush, .discard]
                let kind = kinds[Int(generator.next(below: 100) < 95 ? token % 4 : 4 + token % 2)]
                model.submit(
                    kind,
                    offset: generator.next(below: 1 << 18) * 4096,
                    byteCount: (1 + generator.next(below: 64)) * 4096,
                    token: token,
                    isForced: generator.next(below: 10) == 0,
                    at: Instant(nanoseconds: clock)
                )
                while let finished = model.nextFinished() {
                    #expect(
                        done.updateValue(finished.instant.nanoseconds, forKey: finished.token)
                            == nil
                    )
                }
            }
            while let event = model.nextEvent {
                model.advance(to: event)
                while let finished = model.nextFinished() {
                    #expect(finished.instant <= event)
                    #expect(
                        done.updateValue(finished.instant.nanoseconds, forKey: finished.token)
                            == nil
                    )
                }
            }
            #expect(model.isIdle)
            return (UInt64(0)..<3000).compactMap { done[$0] }
        }
        let first = instants()
        #expect(first.count == 3000)
        #expect(first == instants())
    }

    @Test func `slow seconds are as many and as slow as the profile says`() {
        var profile = DiskProfile.hdd7200(byteCount: Self.diskByteCount)
        profile.slowSecondsPerMillion = 200_000
        profile.slowFactor = 3
        let blocks = Self.diskByteCount / 4096
        let load = Self.run(profile, depth: 1, count: 10_000) { generator, _ in
            generator.next(below: blocks) * 4096
        }
        // A fifth of the time at a third of the rate: 86.7 x (0.8 + 0.2 / 3) = 75.
        #expect(abs(load.requestsPerSecond - 75) < 5)
    }
}
