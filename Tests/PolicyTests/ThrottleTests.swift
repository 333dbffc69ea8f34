internal import Policy
internal import Testing

@Suite struct ThrottleTests {
    @Test func `the delay goes from nothing at the slow mark to its maximum at the reserve`() {
        let marks = FreeSegmentMarks(high: 40, reserve: 8)
        #expect(marks.admissionDelay(freeSegments: marks.slow) == 0)
        #expect(marks.admissionDelay(freeSegments: 1000) == 0)
        #expect(marks.admissionDelay(freeSegments: 8) == 20_000_000)
        #expect(marks.admissionDelay(freeSegments: 0) == 20_000_000)
        #expect(marks.admissionDelay(freeSegments: 16) == 5_000_000)
    }

    @Test func `neither delay nor pressure ever jumps or falls as space runs out`() {
        let marks = FreeSegmentMarks(high: 64, reserve: 4)
        var lastDelay: UInt64 = 0
        var lastPressure: Float = 0
        for step in 0...640 {
            let free = 640 - step
            let delay = marks.admissionDelay(
                freeSegments: free / 10,
                fractionFree: Float(free % 10) / 10
            )
            #expect(delay >= lastDelay && delay - lastDelay < 150_000)
            lastDelay = delay
            let pressure = marks.pressure(freeSegments: free / 10)
            #expect(pressure >= lastPressure && pressure - lastPressure < 0.02)
            lastPressure = pressure
        }
    }

    @Test func `marks that meet still make a law`() {
        let marks = FreeSegmentMarks(high: 0, reserve: 3)
        #expect(marks.pressure(freeSegments: 3) == 1)
        #expect(marks.pressure(freeSegments: 4) == 0)
    }
}
