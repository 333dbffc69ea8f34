internal import Units

// The heat of a leaf's chunks as the catalogue holds it.  Little-endian.  Any change is a new
// version.
//
//     offset  size  field
//          0     8  magic      "ISOMHEAT"
//          8     2  version    1
//         10     2  wordCount  96
//         12     4  checksum   CRC-32C of all bytes, this field as zero
//         16   384  words      32 chunks x 3 words of 4 bytes; what they mean is the policy's
//
// Heat decides what is fast, never what is true: heat that can not be read is forgotten.

/// The stored form of a leaf's heat.
package enum HeatFormat {
    package enum Layout {
        package static var magic: Field<UInt64> { Preamble.Layout.magic }
        package static var version: Field<UInt16> { Preamble.Layout.version }
        package static var wordCount: Field<UInt16> { Field(at: 10) }
        package static var checksum: Field<UInt32> { Preamble.Layout.checksum }
        package static var words: Stretch { Stretch(at: 16, byteCount: 384) }

        package static var rows: [LayoutRow] {
            [
                magic.row("magic"), version.row("version"), wordCount.row("wordCount"),
                checksum.row("checksum"), words.row("words"),
            ]
        }
    }

    package static var magic: UInt64 { 0x5441_4548_4D4F_5349 }
    package static var version: UInt16 { 1 }
    package static var wordsPerChunk: Int { 3 }
    /// 32 chunks of 3 words.
    package static var wordCount: Int { Geometry.chunksPerLeaf * wordsPerChunk }
    /// 16 + 96 * 4.
    package static var byteCount: Int { Preamble.byteCount + 4 * wordCount }

    /// - Parameter words: 96 words, three for each chunk.
    package static func encode(_ words: Span<UInt32>) -> [UInt8] {
        invariant(words.count == wordCount, "heat has three words for each chunk of a leaf")
        var result = [UInt8](repeating: 0, count: byteCount)
        var span = result.mutableSpan
        // Safe: any bytes are valid elements of an array of bytes.
        var bytes = unsafe span.mutableBytes
        bytes.store(UInt16(wordCount), in: Layout.wordCount)
        for index in 0..<wordCount {
            words[index].store(into: &bytes, at: Layout.words.offset + 4 * index)
        }
        Preamble.seal(&bytes, magic: magic, version: version)
        return result
    }

    /// Reads 96 words; after an error `words` is as it was.
    package static func decode(
        _ bytes: RawSpan,
        into words: inout MutableSpan<UInt32>
    ) throws(FormatError) {
        invariant(words.count == wordCount, "heat has three words for each chunk of a leaf")
        guard bytes.byteCount == byteCount else {
            throw .truncated(structure: "heat", needed: byteCount, found: bytes.byteCount)
        }
        try Preamble.check(bytes, structure: "heat", magic: magic, version: version)
        guard bytes.load(Layout.wordCount) == UInt16(wordCount) else {
            throw .field(
                structure: "heat",
                field: "wordCount",
                found: UInt64(bytes.load(Layout.wordCount))
            )
        }
        for index in 0..<wordCount {
            words[index] = bytes.word32(at: Layout.words.offset + 4 * index)
        }
    }
}
