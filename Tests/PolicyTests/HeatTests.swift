internal import Policy
internal import Testing

@Suite struct HeatTests {
    private let scale = HeatScale(
        shortHalfLifeTicks: 100,
        longHalfLifeTicks: 2400,
        ticksPerHour: 100
    )

    private func near(_ value: Float, _ expected: Float, within part: Float = 0.02) -> Bool {
        abs(value - expected) <= part * expected
    }

    @Test func `heat takes exactly twelve bytes and its words round trip`() {
        #expect(MemoryLayout<Heat>.size == 12)
        #expect(MemoryLayout<Heat>.stride == 12)
        var heat = Heat()
        #expect(heat.isUntouched)
        heat.touch(.read, tick: 0, isSequential: false, scale: scale)
        #expect(!heat.isUntouched)
        heat.touch(.write, tick: 77, isSequential: true, scale: scale)
        #expect(Heat(words: heat.words) == heat)
        #expect(heat.lastTouch == 77)
    }

    @Test func `any three words are a heat that can be read and touched`() {
        var state: UInt64 = 7
        func next() -> UInt32 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt32(truncatingIfNeeded: state >> 32)
        }
        var wrong = 0
        for _ in 0..<20_000 {
            var heat = Heat(words: [next(), next(), next()])
            let tick = next()
            let before = heat.value(tick: tick, scale: scale)
            if !(before.isFinite && before >= 0) { wrong += 1 }
            heat.touch(.read, tick: tick, isSequential: false, scale: scale)
            if heat.value(tick: tick, scale: scale) < before { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test func `a touch loses half its weight in a half-life, and the long average keeps it`() {
        var heat = Heat()
        for _ in 0..<100 { heat.touch(.read, tick: 1000, isSequential: false, scale: scale) }
        #expect(near(heat.readsPerHour(tick: 1000, scale: scale), 69.3))
        #expect(near(heat.readsPerHour(tick: 1100, scale: scale), 34.66))
        #expect(near(heat.readsPerHour(tick: 1300, scale: scale), 8.66))
        // After ten short half-lives the long average speaks: 100 ln 2 / 24 x 2^(-1000/2400).
        #expect(near(heat.readsPerHour(tick: 2000, scale: scale), 2.16))
        #expect(heat.writesPerHour(tick: 2000, scale: scale) == 0)
    }

    @Test func `a steady rate is read back, whatever it is up to the limit`() {
        for touchesPerHundredTicks in [1, 10, 50, 100, 400, 1000] {
            var heat = Heat()
            var touched = 0
            for tick in 0..<UInt32(20_000) {
                let due = (Int(tick) + 1) * touchesPerHundredTicks / 100
                for _ in touched..<due {
                    heat.touch(.read, tick: tick, isSequential: false, scale: scale)
                }
                touched = due
            }
            let rate = heat.readsPerHour(tick: 20_000, scale: scale)
            // A slow rate is seen at a random phase between two touches.
            let tolerance: Float = touchesPerHundredTicks < 10 ? 0.5 : 0.08
            #expect(near(rate, Float(touchesPerHundredTicks), within: tolerance), "\(rate)")
        }
    }

    @Test func `many short waits cool as much as one long wait`() {
        var busy = Heat()
        var idle = Heat()
        for _ in 0..<1000 {
            busy.touch(.read, tick: 0, isSequential: false, scale: scale)
            idle.touch(.read, tick: 0, isSequential: false, scale: scale)
        }
        // Writes decay the reads on the way; they may not heat or freeze them.
        for tick in UInt32(1)...600 {
            busy.touch(.write, tick: tick, isSequential: false, scale: scale)
        }
        let busyRate = busy.readsPerHour(tick: 600, scale: scale)
        #expect(near(busyRate, idle.readsPerHour(tick: 600, scale: scale), within: 0.03))
    }

    @Test func `a scan that reads a chunk in sixteen blocks counts once`() {
        var scanned = Heat()
        for _ in 0..<16 { scanned.touch(.read, tick: 5, isSequential: true, scale: scale) }
        var once = Heat()
        once.touch(.read, tick: 5, isSequential: false, scale: scale)
        #expect(scanned.value(tick: 5, scale: scale) == once.value(tick: 5, scale: scale))
    }

    @Test func `a scan that reads a chunk at one go counts once`() {
        var scanned = Heat()
        scanned.touch(.read, tick: 5, isSequential: true, blockCount: 16, scale: scale)
        var once = Heat()
        once.touch(.read, tick: 5, isSequential: false, scale: scale)
        #expect(scanned == once)
    }

    @Test func `time that goes back changes nothing but the count`() {
        var heat = Heat()
        heat.touch(.read, tick: 500, isSequential: false, scale: scale)
        heat.touch(.read, tick: 100, isSequential: false, scale: scale)
        #expect(heat.lastTouch == 500)
        #expect(near(heat.readsPerHour(tick: 500, scale: scale), 2 * 0.693))
        #expect(heat.value(tick: 0, scale: scale) == heat.value(tick: 500, scale: scale))
    }

    @Test func `averages stay at their limit`() {
        var heat = Heat()
        for _ in 0..<10_000 { heat.touch(.write, tick: 9, isSequential: false, scale: scale) }
        #expect(near(heat.writesPerHour(tick: 9, scale: scale), 4095 * 0.693))
    }

    @Test func `buckets grow with value, and people see eight of them`() {
        var last: UInt8 = 0
        var value: Float = 0.001
        while value < 10_000 {
            let bucket = Heat.bucket(ofValue: value)
            #expect(bucket >= last)
            last = bucket
            value *= 1.01
        }
        #expect(last == 255)
        #expect(Heat.bucket(ofValue: 0) == 1)
        #expect(Heat().bucket(tick: 3, scale: scale) == 0)
        #expect(Heat().heatBucket(tick: 3, scale: scale) == 0)
        var heat = Heat()
        var levels: Set<UInt8> = []
        for _ in 0..<4096 {
            heat.touch(.read, tick: 0, isSequential: false, scale: scale)
            for tick in stride(from: UInt32(0), to: 40_000, by: 4000) {
                levels.insert(heat.heatBucket(tick: tick, scale: scale))
            }
        }
        #expect(levels == [1, 2, 3, 4, 5, 6, 7])
    }
}
