import IO
import Testing
import Units

@Suite struct RandomSourceTests {
    @Test func `a seed repeats its sequence`() {
        var first = RandomSource(seed: 1)
        var second = RandomSource(seed: 1)
        var other = RandomSource(seed: 2)
        let numbers = (0..<100).map { _ in first.next() }
        #expect(numbers == (0..<100).map { _ in second.next() })
        #expect(numbers != (0..<100).map { _ in other.next() })
    }

    @Test func `the system's seeds differ`() {
        var numbers = Set<UInt64>()
        for _ in 0..<100 {
            var source = RandomSource()
            numbers.insert(source.next())
        }
        #expect(numbers.count == 100)
    }

    @Test func `every bit is set about half of the time`() {
        var source = RandomSource(seed: 3)
        var counts = [Int](repeating: 0, count: 64)
        for _ in 0..<10_000 {
            let number = source.next()
            for bit in 0..<64 where number >> UInt64(bit) & 1 == 1 { counts[bit] += 1 }
        }
        // Six standard deviations of a fair coin: 6 * sqrt(10000) / 2 = 300.
        #expect(counts.allSatisfy { abs($0 - 5000) < 300 })
    }
}
