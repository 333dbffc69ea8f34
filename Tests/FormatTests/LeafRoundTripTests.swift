import Format
import Testing
import Units

@Suite struct LeafRoundTripTests {
    @Test(arguments: 0..<8)
    func `random leaves come back as they were`(part: Int) throws {
        for seed in 0..<250 {
            var generator = LeafGenerator(seed: UInt64(part * 250 + seed))
            let (states, writers) = generator.leaf()
            let bytes = Leaf.encode(states, writers: writers)
            let back = try Leaf.decode(bytes)
            #expect(back.states == states, "seed \(part * 250 + seed)")
            #expect(back.writers == writers, "seed \(part * 250 + seed)")
        }
    }

    @Test func `the sample leaf comes back as it was`() throws {
        let back = try Leaf.decode(Sample.leaf())
        #expect(back.states == Sample.states)
        #expect(back.writers == Sample.writers)
    }

    /// A leaf of one run whose columns are as `flash`, `disk` and `sequence` say.
    private func leaf(
        flash: (UInt64) -> UInt64?,
        disk: (UInt64) -> UInt64?,
        sequence: (UInt64) -> UInt64
    ) -> [BlockState] {
        (0..<512).map { block in
            BlockState(
                kind: .stored,
                flash: flash(block).map { Location(device: DeviceIndex(0), block: $0) } ?? .nowhere,
                disk: disk(block).map { Location(device: DeviceIndex(1), block: $0) } ?? .nowhere,
                sequence: SequenceNumber(sequence(block)),
                checksum: UInt32(block),
                writer: 0
            )
        }
    }

    @Test func `what is sequential takes few bytes and what is scattered eight a block`() {
        // Header 40, one writer 16, one run 8, checksums 4 a block.
        let fixed = 40 + 16 + 8 + 512 * 4
        let group = 2 + 8
        let scattered = 2 + 512 * 8
        func size(_ states: [BlockState]) -> Int {
            Leaf.encode(states, writers: [Sample.volume]).count
        }
        let sequential = leaf(flash: { 9 + $0 }, disk: { _ in nil }, sequence: { _ in 7 })
        #expect(size(sequential) == fixed + group * 2)
        let demoted = leaf(flash: { _ in nil }, disk: { 9 + $0 }, sequence: { $0 * 9 })
        #expect(size(demoted) == fixed + group + scattered)
        let random = leaf(flash: { $0 * 3 }, disk: { $0 * 5 }, sequence: { $0 * 7 })
        #expect(size(random) == fixed + scattered * 3)
        let counted = leaf(flash: { 9 + $0 }, disk: { 5 + $0 }, sequence: { 1000 + $0 })
        #expect(size(counted) == fixed + group * 3)
    }

    @Test func `an ascending group ends where a device does`() throws {
        var states = [BlockState](repeating: .absent, count: 512)
        let end: UInt64 = 1 << 40
        for (block, place) in [(0, (0, end - 2)), (1, (0, end - 1)), (2, (1, 0)), (3, (1, 1))] {
            states[block] = BlockState(
                kind: .stored,
                flash: Location(device: DeviceIndex(UInt8(place.0)), block: place.1),
                disk: .nowhere,
                sequence: SequenceNumber(.max - 1 &+ UInt64(block)),
                checksum: 1,
                writer: 0
            )
        }
        let bytes = Leaf.encode(states, writers: [Sample.volume])
        #expect(try Leaf.decode(bytes).states == states)
    }

    @Test func `every state of every kind is well formed or refused before it is written`() {
        var state = Sample.states[0]
        #expect(state.isWellFormed)
        state.reserved = 1
        #expect(!state.isWellFormed)
        state = Sample.states[0]
        state.flash = .nowhere
        #expect(!state.isWellFormed)
        state = Sample.states[5]
        state.checksum = 1
        #expect(!state.isWellFormed)
        state = .absent
        state.sequence = SequenceNumber(1)
        #expect(!state.isWellFormed)
        state = .absent
        state.kindCode = 0
        #expect(!state.isWellFormed)
        #expect(BlockState.unknown.isWellFormed && BlockState.unknown.isPoisoned)
    }

    @Test func `a state that is not well formed is never written`() async {
        await #expect(processExitsWith: .failure) {
            var states = Sample.states
            states[0].flash.rawValue = 0
            _ = Leaf.encode(states, writers: Sample.writers)
        }
        await #expect(processExitsWith: .failure) {
            _ = Leaf.encode(Sample.states, writers: [Sample.volume])
        }
    }
}
