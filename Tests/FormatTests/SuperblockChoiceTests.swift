import Format
import Testing
import Units

/// Which of four copies opens a device; the small space of states is enumerated.
@Suite struct SuperblockChoiceTests {
    private static let torn = FormatError.checksum(structure: "superblock", expected: 1, found: 2)

    private static func superblock(_ generation: UInt64, lanes: UInt16 = 2) -> Superblock {
        var superblock = Sample.superblock
        superblock.generation = generation
        superblock.laneCount = lanes
        return superblock
    }

    private static let old = SuperblockCopy.good(superblock(6))
    private static let new = SuperblockCopy.good(superblock(7))
    private static let bad = SuperblockCopy.bad(torn)

    private func generation(_ copies: [SuperblockCopy]) -> UInt64? {
        (try? Superblock.choose(copies: copies))?.superblock.generation
    }

    @Test func `four copies that agree are whole`() throws {
        let choice = try Superblock.choose(copies: .init(repeating: Self.old, count: 4))
        #expect(choice.superblock == Self.superblock(6))
        #expect(choice.isWhole)
        #expect(choice.writeOrder == [0, 1, 2, 3])
    }

    /// Every mixture of old, new, bad and unreadable copies in four places.
    @Test func `the highest generation of which there are two copies opens the device`() {
        let kinds = [Self.old, Self.new, Self.bad, .unreadable]
        for code in 0..<256 {
            let copies = (0..<4).map { kinds[code >> (2 * $0) & 3] }
            let newCount = copies.count { $0 == Self.new }
            let oldCount = copies.count { $0 == Self.old }
            let expected: UInt64? = newCount >= 2 ? 7 : oldCount >= 2 ? 6 : nil
            #expect(generation(copies) == expected, "code \(code)")
        }
    }

    @Test func `a single newer copy is ignored and reported`() throws {
        let choice = try Superblock.choose(copies: [Self.old, Self.new, Self.old, Self.bad])
        #expect(choice.superblock.generation == 6)
        #expect(!choice.isWhole)
        let found: [SuperblockChoice.Finding] = [
            .agrees, .newer(generation: 7), .agrees, .bad(Self.torn),
        ]
        #expect(choice.findings == found)
        #expect(choice.writeOrder == [1, 3, 0, 2])
        #expect(choice.describe().contains("copy 1: newer(generation: 7)"))
    }

    @Test func `an older copy is reported`() throws {
        let choice = try Superblock.choose(copies: [Self.new, Self.old, Self.new, .unreadable])
        #expect(
            choice.findings == [.agrees, .older(generation: 6), .agrees, .unreadable]
        )
    }

    @Test func `fewer than two good copies open nothing and say why`() {
        let copies = [Self.bad, Self.old, .unreadable, Self.bad]
        #expect(throws: SuperblockError.tooFewGood(goodCount: 1, copies: copies)) {
            try Superblock.choose(copies: copies)
        }
        let text = SuperblockError.tooFewGood(goodCount: 1, copies: copies).describe()
        #expect(text.contains("1 of 4 superblocks are good; two are needed"))
        #expect(text.contains("copy 1: good, generation 6"))
        #expect(text.contains("copy 2: unreadable"))
        #expect(text.contains("copy 3: bad: checksum"))
        #expect(throws: SuperblockError.tooFewGood(goodCount: 0, copies: [])) {
            try Superblock.choose(copies: [])
        }
    }

    @Test func `good copies that all differ open nothing`() {
        let copies = [Self.old, Self.new, Self.bad, .good(Self.superblock(8))]
        #expect(throws: SuperblockError.noTwoAgree(goodCount: 3, copies: copies)) {
            try Superblock.choose(copies: copies)
        }
    }

    @Test func `two pairs of one generation contradict each other`() throws {
        let other = SuperblockCopy.good(Self.superblock(6, lanes: 3))
        let copies = [Self.old, other, other, Self.old]
        #expect(throws: SuperblockError.contradiction(generation: 6, copies: copies)) {
            try Superblock.choose(copies: copies)
        }
        let choice = try Superblock.choose(copies: [Self.old, other, Self.old, Self.old])
        #expect(choice.findings[1] == .differs)
    }

    @Test func `pairs of two pools open nothing and a single foreign copy is reported`() throws {
        var stranger = Self.superblock(99)
        stranger.poolIdentifier = Sample.volume
        let foreign = SuperblockCopy.good(stranger)
        let copies = [Self.old, Self.old, foreign, foreign]
        #expect(throws: SuperblockError.twoIdentities(copies: copies)) {
            try Superblock.choose(copies: copies)
        }
        let choice = try Superblock.choose(copies: [Self.old, Self.old, foreign, Self.old])
        #expect(choice.findings[2] == .foreign)
    }

    @Test func `copies are taken as the device returned them`() {
        let bytes = Bytes.block { Self.superblock(6).encode(into: &$0) }
        #expect(SuperblockCopy(decoding: bytes.raw) == Self.old)
        let zeros = [UInt8](repeating: 0, count: 4096)
        #expect(SuperblockCopy(decoding: zeros.raw) == .bad(.noMagic(structure: "superblock")))
    }

    /// An update with every pattern of at most two bad copies before it, cut off at every step, the
    /// copy that is being written torn or not, and at most one further cut in the repair after it.
    @Test func `no crash in an update leaves a device that can not be opened`() throws {
        for pattern in 0..<16 where pattern.nonzeroBitCount <= 2 {
            let before = (0..<4).map { pattern >> $0 & 1 == 1 ? Self.bad : Self.old }
            for cut in 0..<8 {
                let after = write(7, over: before, order: try order(before), cut: cut)
                let opened = try Superblock.choose(copies: after)
                #expect(opened.superblock.generation == (cut >= 4 ? 7 : 6), "\(pattern) \(cut)")
                for again in 0..<8 {
                    let repaired = write(
                        opened.superblock.generation,
                        over: after,
                        order: opened.writeOrder,
                        cut: again
                    )
                    let reopened = try Superblock.choose(copies: repaired)
                    #expect(reopened.superblock == opened.superblock)
                }
            }
        }
    }

    private func order(_ copies: [SuperblockCopy]) throws(SuperblockError) -> [Int] {
        try Superblock.choose(copies: copies).writeOrder
    }

    /// Writes the first `cut / 2` copies of `order`, and tears the next if `cut` is odd.
    private func write(
        _ generation: UInt64,
        over copies: [SuperblockCopy],
        order: [Int],
        cut: Int
    ) -> [SuperblockCopy] {
        var copies = copies
        for step in 0..<(cut / 2) { copies[order[step]] = .good(Self.superblock(generation)) }
        if cut % 2 == 1 { copies[order[cut / 2]] = Self.bad }
        return copies
    }
}
