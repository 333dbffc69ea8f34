internal import Policy
internal import Testing

@Suite struct HeatTests {
    private let scale = HeatScale(
        shortHalfLifeTicks: 100,
        longHalfLifeTicks: 2400,
        ticksPerHour: 100
    )

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
}
