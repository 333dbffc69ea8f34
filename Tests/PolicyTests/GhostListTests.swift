internal import Policy
internal import Testing
internal import Units

@Suite struct GhostListTests {
    private func key(_ chunk: Int) -> UInt64 {
        GhostList.key(tree: TreeIdentifier(9), chunk: UInt64(chunk))
    }

    @Test(arguments: [1, 2, 7, 1000, 50_000])
    func `what was inserted last is there, what is older than the capacity is not`(
        _ capacity: Int
    ) {
        var list = GhostList(capacity: capacity)
        var lost = 0
        var kept = 0
        for chunk in 0..<(5 * capacity) { list.insert(key(chunk)) }
        let recent = (4 * capacity + capacity / 32)..<(5 * capacity)
        for chunk in recent where !list.contains(key(chunk)) { lost += 1 }
        for chunk in 0..<(4 * capacity - capacity / 32 - 1) where list.contains(key(chunk)) {
            kept += 1
        }
        print("ghost list of \(capacity): \(lost) of \(recent.count) lost early, \(kept) kept late")
        // One in a hundred is lost early; small lists vary more.
        #expect(lost <= max(2, recent.count / 50))
        #expect(kept <= 1 + 4 * capacity / 2000)
        check(list.contains(key(5 * capacity - 1)))
    }

    @Test func `false positives stay below a hundredth of a percent`() {
        let capacity = 20_000
        var list = GhostList(capacity: capacity)
        for chunk in 0..<(2 * capacity) { list.insert(key(chunk)) }
        var found = 0
        for chunk in 0..<200_000 where list.contains(key(10_000_000 + chunk)) { found += 1 }
        print("ghost list: \(found) false positives in 200,000")
        #expect(found < 20)
    }

    @Test func `what was removed is gone`() {
        var list = GhostList(capacity: 100)
        for chunk in 0..<50 { list.insert(key(chunk)) }
        for chunk in 0..<25 { list.remove(key(chunk)) }
        for chunk in 0..<25 { check(!list.contains(key(chunk))) }
        for chunk in 25..<50 { check(list.contains(key(chunk))) }
    }

    @Test func `the same chunk of another tree is another key`() {
        #expect(
            GhostList.key(tree: TreeIdentifier(1), chunk: 5)
                != GhostList.key(tree: TreeIdentifier(2), chunk: 5)
        )
    }

    @Test func `stamps that come round again find nothing`() {
        // More than 65,535 stamps: every stamp is used more than once.
        var list = GhostList(capacity: 16)
        for chunk in 0..<200_000 { list.insert(key(chunk)) }
        var found = 0
        for chunk in 0..<199_900 where list.contains(key(chunk)) { found += 1 }
        #expect(found < 40)
    }
}
