import Format
import Testing
import Units

@Suite struct SegmentHeaderTests {
    private func bytes(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes = Bytes.block { Sample.segment.encode(into: &$0) }
        change(&bytes)
        Bytes.fixChecksum(&bytes)
        return bytes
    }

    private func error(_ change: (inout [UInt8]) -> Void) -> FormatError? {
        do throws(FormatError) {
            _ = try SegmentHeader(decoding: bytes(change).raw)
            return nil
        } catch {
            return error
        }
    }

    private func field(_ name: StaticName, _ found: UInt64) -> FormatError {
        .field(structure: "segment", field: name, found: found)
    }

    @Test(arguments: [Sample.segment, Sample.firstSegment])
    func `a header comes back as it was`(header: SegmentHeader) throws {
        let bytes = Bytes.block { header.encode(into: &$0) }
        #expect(try SegmentHeader(decoding: bytes.raw) == header)
    }

    @Test func `a header is read from the start of a longer stretch`() throws {
        let bytes = Bytes.block { Sample.segment.encode(into: &$0) } + [1, 2, 3]
        #expect(try SegmentHeader(decoding: bytes.raw) == Sample.segment)
    }

    @Test func `the absence of a previous segment is a code and not zeros`() {
        let bytes = Bytes.block { Sample.firstSegment.encode(into: &$0) }
        #expect(bytes[SegmentHeader.Layout.previousKind.offset] == 0x11)
        #expect(error { $0[90] = 0 } == field("previousKind", 0))
        #expect(error { $0[90] = 0x33 } == field("previousKind", 0x33))
        #expect(error { $0[90] = 0x11 } == field("previousSequence", 40))
    }

    @Test func `each bad field is an error of its own`() {
        #expect(error { $0[8] = 2 } == .unknownVersion(structure: "segment", found: 2))
        #expect(error { $0[10] = 0 } == field("stream", 0))
        #expect(error { $0[10] = 4 } == field("stream", 4))
        #expect(error { $0[56] = 0 } == field("segmentSequence", 0))
        #expect(error { $0[104] = 1 } == field("reserved", 1))
        #expect(error { $0[4095] = 1 } == field("reserved", 1))
        #expect(error { $0[0] = 0 } == .noMagic(structure: "segment"))
        #expect(
            error { $0.removeLast() }
                == .truncated(structure: "segment", needed: 4096, found: 4095)
        )
    }

    @Test func `a whole header of another place is refused`() throws {
        let header = Sample.segment
        func misplaced(
            _ pool: PoolIdentifier,
            _ device: DeviceIdentifier,
            _ index: UInt8,
            _ segment: UInt32
        ) -> FormatError? {
            let address = SegmentAddress(
                device: DeviceIndex(index),
                index: SegmentIndex(segment)
            )
            do throws(FormatError) {
                try header.check(pool: pool, device: device, address: address)
                return nil
            } catch {
                return error
            }
        }
        func refusal(_ field: StaticName) -> FormatError {
            .misplaced(structure: "segment", field: field)
        }
        #expect(misplaced(Sample.pool, Sample.device, 3, 7) == nil)
        #expect(misplaced(Sample.volume, Sample.device, 3, 7) == refusal("poolIdentifier"))
        #expect(misplaced(Sample.pool, Sample.flash, 3, 7) == refusal("deviceIdentifier"))
        #expect(misplaced(Sample.pool, Sample.device, 2, 7) == refusal("deviceIndex"))
        #expect(misplaced(Sample.pool, Sample.device, 3, 8) == refusal("segmentIndex"))
    }

    @Test func `its text names what identifies it`() {
        let text = Sample.segment.describe()
        #expect(text.contains("\(Sample.pool)"))
        #expect(text.contains("segment         7, sequence 41"))
        #expect(text.contains("segment 6 of device 1, sequence 40"))
        #expect(Sample.firstSegment.describe().contains("previous        none"))
    }
}
