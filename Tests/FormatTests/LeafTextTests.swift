import Format
import Testing

@Suite struct LeafTextTests {
    @Test func `a leaf's text has a line for each run`() throws {
        let text = try LeafFormat.describe(Sample.leaf().raw)
        #expect(text.contains("tree  77, leaf 12345"))
        #expect(text.contains("writer 1: \(Sample.clone)"))
        #expect(
            text.contains("blocks 0..<4: first stored, flash device 0 block 1000, disk nowhere")
        )
        #expect(text.contains("blocks 5..<6: zero, "))
        #expect(text.contains("blocks 510..<512: first poisoned"))
        #expect(BlockState.absent.describe() == "absent")
        var state = BlockState.absent
        state.kindCode = 3
        #expect(state.describe() == "damaged state, kind 0x03")
    }

    @Test func `a leaf tells whose it is`() throws {
        let identity = try LeafFormat.identity(of: Sample.leaf().raw)
        #expect(identity.tree == Sample.tree)
        #expect(identity.index == Sample.leafIndex)
    }
}
