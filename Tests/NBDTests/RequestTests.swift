import NBD
import Testing
import Units

private let size: UInt64 = 5 << 30

private func terms(
    readOnly: Bool = false,
    structured: Bool = true,
    contexts: MetaContextSet = .all,
    size: UInt64 = size
) -> ConnectionTerms {
    ConnectionTerms(
        byteCount: size,
        flags: .offered(isReadOnly: readOnly, usesStructuredReplies: structured),
        contexts: contexts,
        usesStructuredReplies: structured
    )
}

private func verdict(
    _ command: UInt16,
    flags: UInt16 = 0,
    offset: UInt64 = 0,
    length: UInt64 = 4096,
    terms: ConnectionTerms = terms()
) -> RequestVerdict {
    RequestHeader(
        flags: CommandFlags(rawValue: flags),
        command: command,
        cookie: 7,
        offset: offset,
        byteCount: length
    ).validate(against: terms)
}

/// A row of the table of ranges.
struct RangeCase: Sendable, CustomTestStringConvertible {
    var command: UInt16
    var offset: UInt64
    var length: UInt64
    var expected: RequestVerdict
    var testDescription: String { "\(command) at \(offset) for \(length)" }
    init(_ command: UInt16, _ offset: UInt64, _ length: UInt64, _ expected: RequestVerdict) {
        self.command = command
        self.offset = offset
        self.length = length
        self.expected = expected
    }
}

private let rangeCases: [RangeCase] = [
    .init(0, 0, 1, .serve(.read)), .init(0, 63 * 512, 512, .serve(.read)),
    .init(0, size - 1, 1, .serve(.read)), .init(0, size - 1, 2, .refuse(.beyondEnd)),
    .init(0, size, 1, .refuse(.beyondEnd)), .init(0, size, 0, .serveEmpty(.read)),
    .init(0, size + 1, 0, .refuse(.beyondEnd)), .init(0, .max, 1, .refuse(.beyondEnd)),
    .init(0, .max, 32 << 20, .refuse(.beyondEnd)), .init(0, 1 << 63, 4096, .refuse(.beyondEnd)),
    .init(0, 0, 32 << 20, .serve(.read)), .init(0, 0, (32 << 20) + 1, .refuse(.readTooLong)),
    .init(0, 0, (1 << 32) - 1, .refuse(.readTooLong)),
    .init(0, .max, (1 << 32) - 1, .refuse(.readTooLong)),
    .init(1, size - 4096, 4096, .serve(.write)),
    .init(1, size - 4095, 4096, .refuse(.writeBeyondEnd)),
    .init(1, .max, 4096, .refuse(.writeBeyondEnd)), .init(1, 0, 0, .serveEmpty(.write)),
    .init(1, 0, 32 << 20, .serve(.write)), .init(1, 0, (32 << 20) + 1, .refuse(.writeTooLong)),
    .init(1, 0, 64 << 20, .refuse(.writeTooLong)), .init(1, 0, (64 << 20) + 1, .close),
    .init(1, 0, (1 << 32) - 1, .close), .init(1, .max, (1 << 32) - 1, .close),
    .init(2, .max, (1 << 32) - 1, .disconnect),
    .init(3, .max, (1 << 32) - 1, .serve(.flush)), .init(3, 0, 0, .serve(.flush)),
    .init(4, 0, (1 << 32) - 1, .serve(.trim)), .init(4, 1, 1, .serve(.trim)),
    .init(4, size, 1, .refuse(.beyondEnd)), .init(4, 0, 0, .serveEmpty(.trim)),
    .init(4, size - 10, (1 << 32) - 1, .refuse(.beyondEnd)),
    .init(5, 0, (1 << 32) - 1, .serve(.cache)), .init(5, size, 1, .refuse(.beyondEnd)),
    .init(5, 5, 0, .serveEmpty(.cache)),
    .init(6, 0, (1 << 32) - 1, .serve(.writeZeroes)),
    .init(6, size, 1, .refuse(.writeBeyondEnd)), .init(6, 9, 0, .serveEmpty(.writeZeroes)),
    .init(7, 0, (1 << 32) - 1, .serve(.blockStatus)), .init(7, 0, 0, .refuse(.emptyStatusRange)),
    .init(7, size, 1, .refuse(.beyondEnd)), .init(7, size, 0, .refuse(.emptyStatusRange)),
    .init(8, 0, 4096, .refuse(.unknownCommand)), .init(9, 0, 0, .refuse(.unknownCommand)),
    .init(.max, .max, .max, .refuse(.unknownCommand)),
]

@Suite struct RequestTests {
    @Test func `a header is read field by field`() {
        let sent = ClientBytes.request(
            6,
            flags: 0x12,
            cookie: 0x0102_0304_0506_0708,
            offset: 0xFEDC_BA98_7654_3210,
            length: 0x8000_0001
        )
        let bytes = [0xEE] + sent.bytes
        let header = unsafe RequestHeader(bytes.span.bytes, at: 1)
        #expect(
            header
                == RequestHeader(
                    flags: CommandFlags(rawValue: 0x12),
                    command: 6,
                    cookie: 0x0102_0304_0506_0708,
                    offset: 0xFEDC_BA98_7654_3210,
                    byteCount: 0x8000_0001
                )
        )
    }

    @Test func `a header with another magic is none`() {
        let bytes = ClientBytes.request(0).bytes
        for position in 0..<4 {
            for bit in 0..<8 {
                var changed = bytes
                changed[position] ^= 1 << UInt8(bit)
                #expect(unsafe RequestHeader(changed.span.bytes, at: 0) == nil)
            }
        }
    }

    @Test func `only a WRITE has a payload, whatever else is wrong`() {
        for command: UInt16 in [0, 2, 3, 4, 5, 6, 7, 8, 100, .max] {
            let bytes = ClientBytes.request(command, flags: .max, length: .max).bytes
            #expect(unsafe RequestHeader(bytes.span.bytes, at: 0)?.payloadByteCount == 0)
        }
        let bytes = ClientBytes.request(1, flags: .max, offset: .max, length: .max).bytes
        #expect(unsafe RequestHeader(bytes.span.bytes, at: 0)?.payloadByteCount == 4_294_967_295)
    }

    @Test(arguments: rangeCases)
    func `a range is served inside the export and refused outside`(_ sample: RangeCase) {
        #expect(
            verdict(sample.command, offset: sample.offset, length: sample.length)
                == sample.expected
        )
    }

    /// Every set of flag bits, on every command, with everything offered and nothing: 2^16 sets
    /// are enumerated through bits 0 to 5 and each single higher bit.
    @Test func `a flag is taken with its command where it was offered, else refused`() {
        let sets = Array(UInt16(0)..<64) + (6..<16).map { 1 << UInt16($0) }
        for structured in [false, true] {
            for readOnly in [false, true] {
                for command in Command.allCases {
                    for flags in sets {
                        check(command, flags, structured: structured, readOnly: readOnly)
                    }
                }
            }
        }
    }

    private func check(_ command: Command, _ flags: UInt16, structured: Bool, readOnly: Bool) {
        var allowed: UInt16 = 1
        switch command {
        case .read: allowed |= structured ? 4 : 0
        case .writeZeroes: allowed |= readOnly ? 2 : 2 | 16
        case .blockStatus: allowed |= 8
        default: break
        }
        let contexts: MetaContextSet = structured ? .all : []
        let terms = terms(readOnly: readOnly, structured: structured, contexts: contexts)
        let found = verdict(command.rawValue, flags: flags, terms: terms)
        let isWriting = command == .write || command == .trim || command == .writeZeroes
        let expected: RequestVerdict
        if command == .disconnect {
            expected = .disconnect
        } else if flags & ~allowed != 0 {
            expected = .refuse(flags >= 32 ? .unknownFlag : .flagNotOffered)
        } else if readOnly && isWriting {
            expected = .refuse(.exportIsReadOnly)
        } else if command == .blockStatus && !structured {
            expected = .refuse(.noContextSelected)
        } else {
            expected = .serve(command)
        }
        #expect(
            found == expected,
            "\(command) flags \(flags) structured \(structured) read-only \(readOnly)"
        )
        if case .refuse(let refusal) = found, flags & ~allowed != 0 {
            #expect(refusal.error == .invalid)
        }
    }

    @Test func `an empty export serves only requests about nothing`() {
        let empty = terms(size: 0)
        #expect(verdict(0, length: 0, terms: empty) == .serveEmpty(.read))
        #expect(verdict(0, length: 1, terms: empty) == .refuse(.beyondEnd))
        #expect(verdict(1, length: 1, terms: empty) == .refuse(.writeBeyondEnd))
        #expect(verdict(3, length: 1, terms: empty) == .serve(.flush))
    }

    @Test func `refusals have the numbers of the protocol`() {
        let numbers = RequestRefusal.allCases.map(\.error.rawValue)
        #expect(numbers == [22, 22, 22, 1, 22, 22, 28, 22, 22, 22, 108])
        for refusal in RequestRefusal.allCases {
            let byteCount = refusal.text.utf8CodeUnitCount
            #expect(byteCount > 0 && byteCount <= 256)
        }
    }

    /// What is accepted lies inside the export, for any numbers at all.
    @Test func `random requests are judged without a trap`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(state: seed)
        for _ in 0..<200_000 {
            let size = generator.edge()
            let terms = terms(
                readOnly: generator.next() & 1 == 0,
                structured: generator.next() & 1 == 0,
                contexts: generator.next() & 1 == 0 ? .all : [],
                size: size
            )
            let header = RequestHeader(
                flags: CommandFlags(rawValue: UInt16(truncatingIfNeeded: generator.next()) & 31),
                command: UInt16(generator.next() % 10),
                cookie: 1,
                offset: generator.edge(),
                byteCount: generator.edge() & 0xFFFF_FFFF
            )
            guard case .serve(let command) = header.validate(against: terms) else { continue }
            if command == .flush { continue }
            let (end, overflow) = header.offset.addingReportingOverflow(header.byteCount)
            #expect(!overflow && end <= size && header.byteCount > 0, "seed \(seed)")
        }
    }
}
