internal import Units

/// Which leaves of a tree the catalogue holds: one bit a leaf, in pages that exist where a bit is
/// set.  A leaf that is neither here nor in memory is wholly absent, and costs no look-up.
struct Presence {
    /// Leaves of one page: 512 words of 64.
    private static var leavesPerPage: UInt64 { 32_768 }
    private var pages: [UInt64: [UInt64]] = [:]
    private(set) var count = 0

    func contains(_ leaf: UInt64) -> Bool {
        guard let page = pages[leaf / Self.leavesPerPage] else { return false }
        let bit = leaf % Self.leavesPerPage
        return page[Int(bit / 64)] >> (bit % 64) & 1 == 1
    }

    mutating func insert(_ leaf: UInt64) {
        guard !contains(leaf) else { return }
        let bit = leaf % Self.leavesPerPage
        pages[leaf / Self.leavesPerPage, default: [UInt64](repeating: 0, count: 512)][
            Int(bit / 64)
        ] |= 1 << (bit % 64)
        count += 1
    }

    mutating func remove(_ leaf: UInt64) {
        guard contains(leaf) else { return }
        let bit = leaf % Self.leavesPerPage
        pages[leaf / Self.leavesPerPage]?[Int(bit / 64)] &= ~(1 << (bit % 64))
        count -= 1
    }

    /// The lowest leaf that is present and not below `start`; nil when there is none.
    func next(from start: UInt64) -> UInt64? {
        for page in pages.keys.sorted() where (page + 1) * Self.leavesPerPage > start {
            guard let words = pages[page] else { continue }
            let first = max(start, page * Self.leavesPerPage)
            var bit = first % Self.leavesPerPage
            while bit < Self.leavesPerPage {
                let word = words[Int(bit / 64)] >> (bit % 64)
                if word == 0 {
                    bit = (bit / 64 + 1) * 64
                } else {
                    return page * Self.leavesPerPage + bit + UInt64(word.trailingZeroBitCount)
                }
            }
        }
        return nil
    }
}
