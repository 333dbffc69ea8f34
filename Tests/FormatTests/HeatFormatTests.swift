import Format
import Testing

@Suite struct HeatFormatTests {
    @Test func `heat comes back as it was`() throws {
        let heat = Sample.heat
        let bytes = HeatFormat.encode(heat.span)
        var words = [UInt32](repeating: 0, count: HeatFormat.wordCount)
        var span = words.mutableSpan
        try HeatFormat.decode(bytes.raw, into: &span)
        #expect(words == heat)
    }

    @Test func `heat of another size is refused and changes nothing`() {
        let heat = Sample.heat
        var bytes = HeatFormat.encode(heat.span)
        bytes[10] = 95
        Bytes.fixChecksum(&bytes)
        var words = heat
        func decode(_ bytes: [UInt8]) throws(FormatError) {
            var span = words.mutableSpan
            try HeatFormat.decode(bytes.raw, into: &span)
        }
        #expect(throws: FormatError.field(structure: "heat", field: "wordCount", found: 95)) {
            try decode(bytes)
        }
        #expect(throws: FormatError.truncated(structure: "heat", needed: 400, found: 399)) {
            try decode(Array(bytes.dropLast()))
        }
        #expect(throws: FormatError.truncated(structure: "heat", needed: 400, found: 401)) {
            try decode(bytes + [0])
        }
        #expect(words == heat)
    }

    @Test func `its text shows the chunks that have heat`() throws {
        var heat = [UInt32](repeating: 0, count: HeatFormat.wordCount)
        heat[5 * 3 + 1] = 0xAB
        let text = try HeatFormat.describe(HeatFormat.encode(heat.span).raw)
        #expect(text == "heat version 1\n  chunk 5: 0x00000000 0x000000ab 0x00000000")
    }
}
