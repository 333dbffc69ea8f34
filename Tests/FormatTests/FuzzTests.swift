import Format
import Testing
import Units

/// Valid bytes are changed at random and given a checksum that fits.  What is accepted all the same
/// must be something that a writer would write: it encodes to the same bytes.
@Suite struct FuzzTests {
    /// Changes one to four places of `bytes` below `end`.
    private func mutate(
        _ bytes: inout [UInt8],
        below end: Int,
        _ random: inout SeededGenerator
    ) {
        for _ in 0...random.number(below: 4) {
            let place = random.number(below: end)
            switch random.number(below: 4) {
            case 0: bytes[place] ^= 1 << UInt8(random.number(below: 8))
            case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes[place] = random.once(in: 2) ? 0 : 0xFF
            default: bytes[place] = bytes[random.number(below: end)]
            }
        }
    }

    /// Changes `bytes` `count` times over; returns how many changes were accepted.
    ///
    /// - Parameter again: decodes and encodes, or throws.
    private func fuzz(
        _ bytes: [UInt8],
        _ count: Int,
        start: UInt32? = 0,
        below end: Int? = nil,
        _ again: ([UInt8]) throws(FormatError) -> [UInt8]
    ) -> Int {
        var accepted = 0
        for seed in 0..<count {
            var random = SeededGenerator(seed: UInt64(seed))
            var changed = bytes
            mutate(&changed, below: end ?? bytes.count, &random)
            if let start { Bytes.fixChecksum(&changed, from: start) }
            do throws(FormatError) {
                #expect(try again(changed) == changed, "seed \(seed)")
                accepted += 1
            } catch {
                continue
            }
        }
        return accepted
    }

    @Test func `a segment header that is accepted is one that is written`() {
        let bytes = Bytes.block { Sample.segment.encode(into: &$0) }
        let accepted = fuzz(bytes, 4000, below: 112) { changed throws(FormatError) in
            let header = try SegmentHeader(decoding: changed.raw)
            return Bytes.block { header.encode(into: &$0) }
        }
        #expect(accepted > 100)
    }

    @Test func `a superblock that is accepted is one that is written`() {
        let bytes = Bytes.block { Sample.superblock.encode(into: &$0) }
        let accepted = fuzz(bytes, 4000, below: 320) { changed throws(FormatError) in
            let superblock = try Superblock(decoding: changed.raw)
            return Bytes.block { superblock.encode(into: &$0) }
        }
        #expect(accepted > 100)
    }

    @Test func `a record header that is accepted is one that is written`() {
        let accepted = fuzz(Sample.record(), 4000, start: Sample.nonceStart, below: 300) {
            changed throws(FormatError) in
            let header = try RecordHeader(decoding: changed.raw, nonce: Sample.nonce)
            let end = RecordHeader.tableOffset + Int(header.tableByteCount)
            var again = changed
            var offset = RecordHeader.tableOffset
            for _ in 0..<min(header.entryCount, 200) {
                let entry = try RecordEntry(decoding: changed.raw, at: offset, end: end)
                Bytes.change(&again) { entry.store(into: &$0, at: offset) }
                offset += entry.byteCount
                #expect(offset <= end)
            }
            _ = header.describe(entriesIn: changed.raw)
            Bytes.change(&again) { header.seal(into: &$0, nonce: Sample.nonce) }
            return again
        }
        #expect(accepted > 100)
    }

    @Test func `a volume that is accepted is one that is written`() {
        let accepted = fuzz(Sample.control.encode(), 4000, start: nil) {
            changed throws(FormatError) in
            try VolumeControl(decoding: changed.raw).encode()
        }
        #expect(accepted > 100)
    }

    @Test func `heat that is accepted is what is written`() {
        let heat = Sample.heat
        let accepted = fuzz(HeatFormat.encode(heat.span), 2000) { changed throws(FormatError) in
            var words = [UInt32](repeating: 0, count: HeatFormat.wordCount)
            var span = words.mutableSpan
            try HeatFormat.decode(changed.raw, into: &span)
            return HeatFormat.encode(words.span)
        }
        #expect(accepted > 100)
    }

    /// A leaf may be grouped in more ways than the one in which it is written, so what is accepted
    /// is compared as states: all well formed, and the same when written and read again.
    @Test(arguments: 0..<4)
    func `a changed leaf is refused or is a leaf`(part: Int) {
        var accepted = 0
        for number in 0..<1500 {
            let seed = UInt64(part * 1500 + number)
            var generator = LeafGenerator(seed: seed / 16)
            let leaf = generator.leaf()
            var bytes = Leaf.encode(leaf.states, writers: leaf.writers)
            var random = SeededGenerator(seed: ~seed)
            let dense = 40 + 16 * leaf.writers.count + 100
            mutate(
                &bytes,
                below: random.once(in: 3) ? bytes.count : min(dense, bytes.count),
                &random
            )
            if random.once(in: 10) { bytes.removeLast(random.number(below: bytes.count)) }
            Bytes.fixChecksum(&bytes)
            guard let back = try? Leaf.decode(bytes) else { continue }
            accepted += 1
            #expect(back.states.allSatisfy { $0.isWellFormed }, "seed \(seed)")
            let again = try? Leaf.decode(Leaf.encode(back.states, writers: back.writers))
            #expect(again?.states == back.states, "seed \(seed)")
            #expect(again?.writers == back.writers, "seed \(seed)")
        }
        #expect(accepted > 10)
    }

    @Test func `random bytes behind a good preamble are refused or are a leaf`() {
        for seed in 0..<3000 {
            var random = SeededGenerator(seed: UInt64(seed))
            var bytes = Array(Sample.leaf()[0..<32])
            for _ in 0..<random.number(below: 300) {
                let byte = UInt8(truncatingIfNeeded: random.next())
                bytes.append(random.once(in: 2) ? byte & 3 : byte)
            }
            Bytes.fixChecksum(&bytes)
            guard let back = try? Leaf.decode(bytes) else { continue }
            #expect(back.states.allSatisfy { $0.isWellFormed }, "seed \(seed)")
        }
    }
}
