import Testing
import Units

@Suite struct IdentifierTests {
    @Test func `the text is five groups of small hexadecimal digits`() {
        let identifier = Identifier(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)
        #expect(identifier.description == "00112233-4455-6677-8899-aabbccddeeff")
        #expect(
            Identifier(high: 0, low: 1).description == "00000000-0000-0000-0000-000000000001"
        )
    }

    @Test func `every text reads back as its identity`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<1000 {
            let identifier = Identifier(from: &generator)
            #expect(Identifier(identifier.description) == identifier)
            #expect(Identifier(identifier.description.uppercased()) == identifier)
        }
    }

    @Test func `a new identity is never zero`() {
        struct Zeros: RandomNumberGenerator {
            mutating func next() -> UInt64 { 0 }
        }
        var zeros = Zeros()
        #expect(Identifier(from: &zeros) != Identifier(high: 0, low: 0))
    }

    @Test(
        arguments: [
            "", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeeffa",
            "00112233445566778899aabbccddeeff", "0011223g-4455-6677-8899-aabbccddeeff",
            "{0112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeef ",
            "+0112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-+899-aabbccddeeff",
            "0-0112233-4455-6677-8899aabbccddeeff", "----00112233445566778899aabbccddeeff",
            "001122334455-6677-8899-aabbccddeeff-", "00112233-4455-6677-8899-aabbccddee\u{FF26}",
        ])
    func `any other text is no identity`(text: String) {
        #expect(Identifier(text) == nil)
    }

    @Test func `identities are ordered by their high word first`() {
        #expect(Identifier(high: 1, low: 9) < Identifier(high: 2, low: 0))
        #expect(Identifier(high: 2, low: 0) < Identifier(high: 2, low: 1))
        #expect(!(Identifier(high: 2, low: 1) < Identifier(high: 2, low: 1)))
    }

    @Test func `a later incarnation has the higher sequence numbers`() {
        let last = SequenceNumber(incarnation: 1, count: 1 << 40 - 1)
        #expect(last < SequenceNumber(incarnation: 2, count: 0))
        #expect(SequenceNumber(incarnation: 0xFF_FFFF, count: 1).rawValue == 0xFFFF_FF00_0000_0001)
    }

    @Test func `segment addresses are ordered by device, then by place`() {
        func address(_ device: UInt8, _ index: UInt32) -> SegmentAddress {
            SegmentAddress(device: DeviceIndex(device), index: SegmentIndex(index))
        }
        #expect(address(0, 9) < address(1, 0))
        #expect(address(1, 0) < address(1, 1))
    }

    @Test func `time that goes back has passed no nanoseconds`() {
        let start = Instant(nanoseconds: 50)
        #expect(start.advanced(byNanoseconds: 7).nanoseconds(since: start) == 7)
        #expect(start.nanoseconds(since: start.advanced(byNanoseconds: 7)) == 0)
    }
}
