import Format
import Units

// Structures with a checksum.  Each input is decoded as it is, and again with a checksum that fits,
// so that what lies behind it is reached.  What is accepted must encode to the same bytes.

enum SegmentTarget: FuzzTarget {
    static var name: String { "segment" }
    static var byteCountMax: Int { Geometry.blockByteCount }
    static func seeds() -> [[UInt8]] { [.block { Sample.segment.encode(into: &$0) }] }

    static func run(_ input: RawSpan) {
        _ = try? SegmentHeader(decoding: input)
        var bytes = input.copied
        bytes.fixChecksum()
        guard let header = try? SegmentHeader(decoding: bytes.raw) else { return }
        let again = [UInt8].block { header.encode(into: &$0) }
        invariant(again == bytes, "a segment header that is accepted is one that is written")
        _ = header.describe()
    }
}

enum SuperblockTarget: FuzzTarget {
    static var name: String { "superblock" }
    static var byteCountMax: Int { Geometry.blockByteCount }
    static func seeds() -> [[UInt8]] { [.block { Sample.superblock.encode(into: &$0) }] }

    static func run(_ input: RawSpan) {
        _ = SuperblockCopy(decoding: input)
        var bytes = input.copied
        bytes.fixChecksum()
        guard case .good(let superblock) = SuperblockCopy(decoding: bytes.raw) else { return }
        let again = [UInt8].block { superblock.encode(into: &$0) }
        invariant(again == bytes, "a superblock that is accepted is one that is written")
        let offsets = DeviceLayout.superblockOffsets(deviceByteCount: superblock.deviceByteCount)
        invariant(offsets.count == 4, "a device with segments has its superblocks")
        let last = SegmentIndex(superblock.segmentCount - 1)
        let bytesOfSegment = superblock.segmentByteCount
        let end =
            DeviceLayout.offset(of: last, segmentByteCount: bytesOfSegment) + UInt64(bytesOfSegment)
        invariant(end <= offsets[2], "segments end before the superblocks at the device's end")
        _ = superblock.describe()
    }
}

enum RecordTarget: FuzzTarget {
    static var name: String { "record" }
    static var byteCountMax: Int { Geometry.blockByteCount }
    static func seeds() -> [[UInt8]] { [Sample.record(), Sample.record(isTail: true)] }

    static func run(_ input: RawSpan) {
        _ = try? RecordHeader(decoding: input, nonce: Sample.nonce)
        var bytes = input.copied
        bytes.fixChecksum(from: Sample.nonceStart)
        guard let header = try? RecordHeader(decoding: bytes.raw, nonce: Sample.nonce) else {
            return
        }
        var again = bytes
        readEntries(of: header, in: bytes, storingInto: &again)
        again.change { header.seal(into: &$0, nonce: Sample.nonce) }
        invariant(again == bytes, "a record header that is accepted is one that is written")
        _ = header.describe(entriesIn: bytes.raw)
    }

    private static func readEntries(
        of header: RecordHeader,
        in bytes: [UInt8],
        storingInto again: inout [UInt8]
    ) {
        let end = RecordHeader.tableOffset + Int(header.tableByteCount)
        var offset = RecordHeader.tableOffset
        for _ in 0..<header.entryCount {
            guard let entry = try? RecordEntry(decoding: bytes.raw, at: offset, end: end) else {
                return
            }
            again.change { entry.store(into: &$0, at: offset) }
            for block in 0..<Int(entry.dataBlockCount) {
                let checksum = entry.checksum(of: block, in: bytes.raw, at: offset)
                if entry.kind == .copy {
                    let sequence = entry.sequence(of: block, in: bytes.raw, at: offset)
                    again.change {
                        RecordEntry.store(
                            sequence: sequence,
                            checksum: checksum,
                            ofBlock: block,
                            into: &$0,
                            at: offset
                        )
                    }
                } else {
                    again.change {
                        RecordEntry.store(checksum: checksum, ofBlock: block, into: &$0, at: offset)
                    }
                }
            }
            invariant(entry.byteCount > 0, "every entry takes room in the table")
            offset += entry.byteCount
            invariant(offset <= end, "no entry ends behind its table")
        }
    }
}

enum VolumeTarget: FuzzTarget {
    static var name: String { "volume" }
    static var byteCountMax: Int { 200 }
    static func seeds() -> [[UInt8]] { [Sample.control.encode()] }

    static func run(_ input: RawSpan) {
        guard let volume = try? VolumeControl(decoding: input) else { return }
        invariant(
            volume.encode() == input.copied,
            "a volume that is accepted is one that is written"
        )
    }
}

enum HeatTarget: FuzzTarget {
    static var name: String { "heat" }
    static var byteCountMax: Int { HeatFormat.byteCount + 8 }
    static func seeds() -> [[UInt8]] {
        [HeatFormat.encode((0..<96).map { UInt32($0) &* 0x0101_0101 }.span)]
    }

    static func run(_ input: RawSpan) {
        _ = decode(input)
        var bytes = input.copied
        bytes.fixChecksum()
        guard let words = decode(bytes.raw) else { return }
        invariant(
            HeatFormat.encode(words.span) == bytes,
            "heat that is accepted is what is written"
        )
    }

    private static func decode(_ bytes: RawSpan) -> [UInt32]? {
        var words = [UInt32](repeating: 0, count: HeatFormat.wordCount)
        var span = words.mutableSpan
        do throws(FormatError) {
            try HeatFormat.decode(bytes, into: &span)
            return words
        } catch {
            invariant(words.allSatisfy { $0 == 0 }, "heat that is refused changes nothing")
            return nil
        }
    }
}

/// A leaf may be grouped in more ways than the one in which it is written, so what is accepted is
/// compared as states: all well formed, and the same when written and read again.
enum LeafTarget: FuzzTarget {
    static var name: String { "leaf" }
    static var byteCountMax: Int { 24 << 10 }
    static func seeds() -> [[UInt8]] {
        [Sample.leaf(), Sample.sequentialLeaf(), Sample.emptyLeaf()]
    }

    static func run(_ input: RawSpan) {
        _ = try? LeafFormat.identity(of: input)
        _ = decode(input)
        var bytes = input.copied
        bytes.fixChecksum()
        guard let leaf = decode(bytes.raw) else { return }
        invariant(leaf.states.allSatisfy(\.isWellFormed), "what is read is well formed")
        let writers = leaf.writers
        invariant(
            leaf.states.allSatisfy { $0.kind == .absent || Int($0.writer) < writers.count },
            "a block's writer is one of the leaf's"
        )
        let again = Sample.encode(leaf.states, writers: writers)
        guard let back = decode(again.raw) else {
            invariantFailed("what is written can be read", file: #fileID, line: #line)
        }
        invariant(back.states == leaf.states, "states are the same when written and read again")
        invariant(back.writers == writers, "writers are the same when written and read again")
        let second = Sample.encode(back.states, writers: writers)
        invariant(second == again, "there is one way in which a leaf is written")
    }

    private static func decode(
        _ bytes: RawSpan
    ) -> (states: [BlockState], writers: [VolumeIdentifier])? {
        var states = [BlockState](repeating: .absent, count: LeafFormat.blockCount)
        var span = states.mutableSpan
        do throws(FormatError) {
            let writers = try LeafFormat.decode(
                bytes,
                tree: Sample.tree,
                index: Sample.leafIndex,
                into: &span
            )
            return (states, writers)
        } catch {
            invariant(
                states.allSatisfy { $0 == .unknown },
                "nothing of a leaf that is refused can be taken for a hole"
            )
            return nil
        }
    }
}
