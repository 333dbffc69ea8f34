import Testing

@testable import Control

@Suite struct JSONTests {
    @Test(arguments: [
        "null", "true", "[]", "{}", "-9223372036854775808", "18446744073709551615", "0.5",
        #"{"a":[1,{"b":"c"}],"d":""}"#, #""\"\\\n\t\r\u0001\u007f é 𝄞""#,
    ])
    func `what is written is read back as it was`(text: String) throws {
        let value = try JSONReader.read(text)
        #expect(try JSONReader.read(value.line) == value)
        #expect(try JSONReader.read(value.indented) == value)
        #expect(!value.line.contains("\n"))
    }

    @Test func `integers stay exact to 64 bits`() throws {
        #expect(try JSONReader.read("18446744073709551615").unsigned == .max)
        #expect(try JSONReader.read("9007199254740993").unsigned == 9_007_199_254_740_993)
        #expect(JSONValue.count(UInt64.max) == .large(.max))
        #expect(JSONValue.count(UInt64(1)) == .integer(1))
    }

    @Test(arguments: [
        "", " ", "{", "[1", "\"", "\"\\", "\"\\u12", "tru", "nul", "[1,]", "{\"a\":}", "{,}",
        "{\"a\" 1}", "1 2", "01", "-", "+1", ".5", "1.", "1e", "--1", "0x1", "1.e5", "-.5", "1e+",
        "1E5.5", "00", "-01", "NaN", "1e999",
        "\"\u{1}\"", #""\ud800""#, #""\ud800A""#, #""\x""#, #""\u+123""#, "{a:1}",
        #"{"a":1,"a":2}"#, String(repeating: "9", count: 80),
    ])
    func `a text that is no JSON is refused`(text: String) {
        #expect(throws: JSONError.self) { try JSONReader.read(text) }
    }

    @Test func `nesting is bounded`() throws {
        let deepest = String(repeating: "[", count: 32) + String(repeating: "]", count: 32)
        #expect(try JSONReader.read(deepest).items != nil)
        let tooDeep = String(repeating: "[", count: 1_000_000)
        #expect(throws: JSONError.tooDeep(offset: 32)) { try JSONReader.read(tooDeep) }
    }

    @Test func `bytes that are no UTF-8 are refused`() {
        #expect(throws: JSONError.encoding) {
            try JSONReader.read(bytes: [0x22, 0xFF, 0xFE, 0x22])
        }
    }

    /// Every prefix and every single changed byte of a request: an answer or an error, no trap.
    @Test func `mutations of a request are read or refused`() {
        let request = Array(
            #"{"command":"volume.create","arguments":{"volume":"db\u0041","n":[-1.5e3,true]}}"#.utf8
        )
        for count in 0..<request.count {
            #expect(throws: JSONError.self) {
                try JSONReader.read(bytes: Array(request.prefix(count)))
            }
        }
        for index in request.indices {
            for byte: UInt8 in [0, 0x22, 0x5C, 0x7B, 0x7D, 0x80, 0xFF] {
                var changed = request
                changed[index] = byte
                // Some changes still make JSON: only a trap would be wrong.
                _ = try? JSONReader.read(bytes: changed)
            }
        }
    }

    @Test func `a document has the schema form`() throws {
        let document = Document(
            schema: "volume.list",
            seconds: 1_795_223_527,
            isModelled: false,
            items: [["a": 1]]
        )
        #expect(
            document.json.line
                == #"{"schema":"isotherm.volume.list/1","time":"2026-11-21T01:12:07Z","#
                + #""modelled":false,"items":[{"a":1}]}"#
        )
        #expect(Document(document.json) == document)
        #expect(Document(["schema": "isotherm.volume.list/2", "items": []]) == nil)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
    ])
    func `times are RFC 3339`(pair: (Int64, String)) {
        #expect(TimeText.utc(seconds: pair.0) == pair.1)
        #expect(TimeText.seconds(utc: pair.1) == pair.0)
    }

    @Test func `durations have two units at most`() {
        #expect(TimeText.duration(seconds: 14) == "14 s")
        #expect(TimeText.duration(seconds: 4_800) == "1 h 20 m")
        #expect(TimeText.duration(seconds: 100_000) == "1 d 3 h")
    }
}
