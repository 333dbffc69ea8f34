import Format
import Units

/// The choice among a device's superblocks, and updates that crash: whatever four copies hold, if
/// they open the device then so does every state in which an update can leave them, as the old
/// superblock or as the new one.
enum CopiesTarget: FuzzTarget {
    static var name: String { "copies" }
    static var byteCountMax: Int { 64 }

    static func seeds() -> [[UInt8]] {
        [[1, 1, 1, 1, 1, 1, 1, 1], [1, 2, 1, 2, 0, 0, 1, 3], [0, 0, 0x12, 1, 1, 1, 1, 1]]
    }

    static func run(_ input: RawSpan) {
        var reader = InputReader(input)
        let copies = (0..<4).map { _ in copy(&reader) }
        guard let choice = try? Superblock.choose(copies: copies) else { return }
        check(choice, copies)
        var next = choice.superblock
        next.generation =
            1
            + copies.reduce(0) { newest, copy in
                if case .good(let superblock) = copy {
                    max(newest, superblock.generation)
                } else {
                    newest
                }
            }
        var state = copies
        for place in choice.writeOrder {
            var torn = state
            torn[place] = .unreadable
            expect(torn, choice.superblock, next)
            state[place] = .good(next)
            expect(state, choice.superblock, next)
        }
        let end = try? Superblock.choose(copies: state)
        invariant(
            end?.superblock == next && end?.isWhole == true,
            "an update ends with four copies"
        )
    }

    /// One of a few superblocks, or none.
    private static func copy(_ reader: inout InputReader) -> SuperblockCopy {
        let kind = reader.byte()
        let generation = UInt64(reader.byte() % 4) + 1
        if kind == 0 { return .unreadable }
        var superblock = Sample.superblock
        superblock.generation = generation
        if kind & 0x10 != 0 { superblock.createdSeconds += 1 }
        if kind & 0x60 == 0x60 { superblock.poolIdentifier = Sample.flash }
        return .good(superblock)
    }

    private static func check(_ choice: SuperblockChoice, _ copies: [SuperblockCopy]) {
        let holders = copies.count { $0 == .good(choice.superblock) }
        invariant(holders >= 2, "two copies hold what is chosen")
        invariant(choice.findings.count == copies.count, "every copy is judged")
        invariant(choice.writeOrder.sorted() == [0, 1, 2, 3], "every copy is written once")
    }

    private static func expect(_ copies: [SuperblockCopy], _ old: Superblock, _ new: Superblock) {
        let found = try? Superblock.choose(copies: copies).superblock
        invariant(found == old || found == new, "an update that was cut leaves the old or the new")
    }
}
