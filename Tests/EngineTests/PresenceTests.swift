import Testing

@testable import Engine

/// Which leaves the catalogue holds, also of volumes of many terabytes.
@Suite struct PresenceTests {
    /// At the edges of words and pages of 32,768 leaves, and far out.
    private let leaves: [UInt64] = [
        0, 63, 64, 511, 32_767, 32_768, 32_769, 65_535, 65_536, 98_304 + 777, 1 << 28, 1 << 40,
    ]

    @Test func `what was put in is found, in order, and nothing else`() {
        var presence = Presence()
        for leaf in leaves.reversed() + leaves { presence.insert(leaf) }
        #expect(presence.count == leaves.count)
        var found: [UInt64] = []
        var start: UInt64 = 0
        while let leaf = presence.next(from: start) {
            found.append(leaf)
            start = leaf + 1
        }
        #expect(found == leaves)
        for leaf in leaves {
            #expect(presence.contains(leaf) && presence.next(from: leaf) == leaf)
            #expect(presence.contains(leaf + 1) == leaves.contains(leaf + 1))
        }
    }

    @Test func `what was taken out is gone`() {
        var presence = Presence()
        for leaf in leaves { presence.insert(leaf) }
        for (index, leaf) in leaves.enumerated() {
            presence.remove(leaf)
            presence.remove(leaf)
            #expect(!presence.contains(leaf) && presence.count == leaves.count - index - 1)
            #expect(presence.next(from: 0) == leaves[(index + 1)...].first)
        }
    }
}
