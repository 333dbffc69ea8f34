internal import Policy
internal import Testing

@Suite struct SequentialDetectorTests {
    @Test func `a run is sequential once it is long enough`() {
        var detector = SequentialDetector()
        var firstSequential = -1
        for index in 0..<100 {
            let isSequential = detector.note(offset: UInt64(index) * 65_536, byteCount: 65_536)
            if isSequential && firstSequential < 0 { firstSequential = index }
            #expect(isSequential == (index >= 4))
        }
        #expect(firstSequential == 4)
    }

    @Test func `eight streams side by side are all seen, among scattered requests`() {
        var detector = SequentialDetector()
        var sequential = 0
        for index in 0..<64 {
            for stream in 0..<7 {
                let offset = UInt64(stream) << 40 | UInt64(index) * 65_536
                if detector.note(offset: offset, byteCount: 65_536) { sequential += 1 }
            }
            let scattered = UInt64(index &* 7919 % 1000) << 24 | 1 << 50
            check(!detector.note(offset: scattered, byteCount: 4096))
        }
        #expect(sequential == 7 * 60)
    }

    @Test func `a reader that skips a little still scans, one that circles does not`() {
        var skipping = SequentialDetector()
        var isSequential = false
        for index in 0..<64 {
            isSequential = skipping.note(offset: UInt64(index) * 24_576, byteCount: 16_384)
        }
        #expect(isSequential)
        var circling = SequentialDetector()
        for index in 0..<640 {
            check(!circling.note(offset: UInt64(index % 8) * 4096, byteCount: 4096))
        }
    }

    @Test func `offsets at the end of the address space do not trap`() {
        var detector = SequentialDetector()
        check(!detector.note(offset: .max - 10, byteCount: 4096))
        check(!detector.note(offset: 0, byteCount: 4096))
    }
}
