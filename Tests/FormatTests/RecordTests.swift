import Format
import Testing
import Units

@Suite struct RecordTests {
    private func header(_ bytes: [UInt8], nonce: UInt64 = Sample.nonce) throws(FormatError)
        -> RecordHeader
    {
        try RecordHeader(decoding: bytes.raw, nonce: nonce)
    }

    private func error(
        saysPool: Bool = true,
        _ change: (inout [UInt8]) -> Void
    ) -> FormatError? {
        var bytes = Sample.record(saysPool: saysPool)
        change(&bytes)
        Bytes.fixChecksum(&bytes, from: Sample.nonceStart)
        do throws(FormatError) {
            _ = try header(bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [false, true])
    func `a header comes back as it was`(isTail: Bool) throws {
        let bytes = Sample.record(isTail: isTail)
        #expect(try header(bytes) == Sample.recordHeader(isTail: isTail))
    }

    @Test func `its entries come back as they were`() throws {
        let bytes = Sample.record()
        let end = RecordHeader.tableOffset + Int(Sample.recordHeader().tableByteCount)
        var offset = RecordHeader.tableOffset
        for entry in Sample.entries {
            #expect(try RecordEntry(decoding: bytes.raw, at: offset, end: end) == entry)
            switch entry.kind {
            case .data:
                #expect(entry.checksum(of: 0, in: bytes.raw, at: offset) == 0x1111_1111)
                #expect(entry.checksum(of: 1, in: bytes.raw, at: offset) == 0x2222_2222)
            case .copy:
                #expect(entry.checksum(of: 0, in: bytes.raw, at: offset) == 0x3333_3333)
                let sequence = SequenceNumber(incarnation: 4, count: 99)
                #expect(entry.sequence(of: 0, in: bytes.raw, at: offset) == sequence)
            default:
                let start = offset + RecordEntry.fixedByteCount
                let payload = bytes[start..<(start + Int(entry.payloadByteCount))]
                #expect(try VolumeControl(decoding: Array(payload).raw) == Sample.control)
            }
            offset += entry.byteCount
        }
        #expect(offset == end)
    }

    @Test func `header and tail imply the nonce with which they were sealed`() throws {
        let header = RecordHeader.nonce(impliedBy: Sample.record().raw)
        #expect(header == RecordHeader.nonce(impliedBy: Sample.record(isTail: true).raw))
        #expect(try self.header(Sample.record(), nonce: header) == Sample.recordHeader())
        var damaged = Sample.record()
        damaged[2000] ^= 1
        #expect(RecordHeader.nonce(impliedBy: damaged.raw) != header)
    }

    @Test func `a record of another use of its segment has another checksum`() {
        #expect(throws: FormatError.self) {
            try header(Sample.record(), nonce: Sample.nonce ^ 1)
        }
    }

    @Test func `each bad field of a header is an error of its own`() {
        func field(_ name: StaticName, _ found: UInt64) -> FormatError {
            .field(structure: "record", field: name, found: found)
        }
        #expect(error { $0[8] = 9 } == .unknownVersion(structure: "record", found: 9))
        #expect(error { $0[10] = 0 } == field("stream", 0))
        #expect(error { $0[11] = 2 } == field("flags", 2))
        #expect(error { $0[71] = 1 } == field("reserved", 1))
        #expect(error(saysPool: false) { $0[95] = 1 } == field("reserved", 1))
        #expect(error { $0[73] = 0xFF } == field("tableByteCount", 0xFF98))
        #expect(error { $0[4095] = 1 } == field("bytes behind the table", 1))
        #expect(error { $0[72] -= 1 } == field("bytes behind the table", 1))
    }

    @Test func `each bad field of an entry is an error of its own`() {
        func error(_ entry: RecordEntry, end: Int = 4096, padding: UInt8 = 0) -> FormatError? {
            var bytes = [UInt8](repeating: 0, count: 4096)
            Bytes.change(&bytes) { entry.store(into: &$0, at: 96) }
            bytes[96 + 32 + 3] = padding
            do throws(FormatError) {
                _ = try RecordEntry(decoding: bytes.raw, at: 96, end: end)
                return nil
            } catch {
                return error
            }
        }
        func field(_ name: StaticName, _ found: UInt64) -> FormatError {
            .field(structure: "record entry", field: name, found: found)
        }
        func short(_ needed: Int, _ found: Int) -> FormatError {
            .truncated(structure: "record entry", needed: needed, found: found)
        }
        var entry = Sample.entries[0]
        #expect(error(entry) == nil)
        #expect(error(entry, end: 127) == short(128, 127))
        #expect(error(entry, end: 135) == short(136, 135))
        #expect(error(entry, end: 4097) == short(128, 4097))
        entry.address = 1 << 38 - 1
        #expect(error(entry) == field("address", 1 << 38 - 1))
        entry.address = .max
        #expect(error(entry) == field("address", .max))
        entry = Sample.entries[0]
        entry.blockCount = .max
        #expect(error(entry) == short(128 + 4 * Int(UInt32.max), 4096))
        entry = Sample.entries[0]
        entry.detail = 1
        #expect(error(entry) == field("detail", 1))
        entry.detail = 0
        entry.payloadByteCount = 4
        #expect(error(entry) == field("payloadByteCount", 4))
        entry = Sample.entries[1]
        entry.detail = 9
        #expect(error(entry) == field("detail", 9))
        entry.detail = ControlKind.mark.rawValue
        entry.payloadByteCount = 3
        #expect(error(entry) == nil)
        #expect(error(entry, padding: 1) == field("padding", 1))
    }

    @Test func `an unknown kind of entry is refused`() {
        var bytes = Sample.record()
        bytes[96 + 28] = 7
        #expect(
            throws: FormatError.field(structure: "record entry", field: "kind", found: 7)
        ) {
            try RecordEntry(decoding: bytes.raw, at: 96, end: 4096)
        }
    }

    @Test func `its text lists its entries as far as they can be read`() throws {
        let bytes = Sample.record()
        let text = try header(bytes).describe(entriesIn: bytes.raw)
        #expect(text.contains("number          1003, durable through 1001"))
        #expect(text.contains("entry 0: data of volume \(Sample.volume), blocks 512..<514"))
        #expect(text.contains("entry 1: control createVolume of volume"))
        #expect(text.contains("entry 2: copy of volume \(Sample.clone)"))
        var damaged = bytes
        damaged[96 + 28] = 0
        let rest = try header(bytes).describe(entriesIn: damaged.raw)
        #expect(rest.contains("entry 0: unreadable"))
        #expect(!rest.contains("entry 1"))
    }
}
