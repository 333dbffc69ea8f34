import Format
import Testing
import Units

/// A leaf put together by hand, so that each part can be wrong in one way.  As it stands it is
/// good: two blocks on flash, a reserved zero behind them.
struct HandmadeLeaf {
    var version: UInt16 = 1
    var writerCount: UInt16 = 1
    var runCount: UInt16?
    var reserved: [UInt8] = .init(repeating: 0, count: 6)
    var writers: [(UInt64, UInt64)] = [(1, 2)]
    /// Start, count, kind, places, writer.
    var runs: [(UInt16, UInt16, UInt8, UInt8, UInt16)] = [(4, 2, 0x44, 1, 0), (6, 1, 0x22, 0, 0)]
    /// Tag and values of each group.
    var flash: [(UInt16, [UInt64])] = [(0x3002, [HandmadeLeaf.place])]
    var disk: [(UInt16, [UInt64])] = []
    var sequence: [(UInt16, [UInt64])] = [(0x2003, [9])]
    var checksums: [UInt32] = [1, 2]
    var behind: [UInt8] = []

    static let place: UInt64 = 0x5A << 56 | 1000

    /// The bytes, with a checksum that fits.
    var bytes: [UInt8] {
        var all: [UInt8] = []
        all.append(number: LeafFormat.magic)
        all.append(number: version)
        all.append(number: writerCount)
        all.append(number: UInt32(0))
        all.append(number: Sample.tree.rawValue)
        all.append(number: Sample.leafIndex)
        all.append(number: runCount ?? UInt16(runs.count))
        all += reserved
        for writer in writers {
            all.append(number: writer.0)
            all.append(number: writer.1)
        }
        for run in runs {
            all.append(number: run.0)
            all.append(number: run.1)
            all += [run.2, run.3]
            all.append(number: run.4)
        }
        for (tag, values) in flash + disk + sequence {
            all.append(number: tag)
            for value in values { all.append(number: value) }
        }
        for checksum in checksums { all.append(number: checksum) }
        all += behind
        Bytes.fixChecksum(&all)
        return all
    }
}

@Suite struct LeafRefusalTests {
    private func error(_ change: (inout HandmadeLeaf) -> Void) -> FormatError? {
        var leaf = HandmadeLeaf()
        change(&leaf)
        do throws(FormatError) {
            _ = try Leaf.decode(leaf.bytes)
            return nil
        } catch {
            return error
        }
    }

    /// Structure and field of the error that `change` leads to.
    private func field(_ change: (inout HandmadeLeaf) -> Void) -> String {
        switch error(change) {
        case .field(let structure, let field, _): "\(structure).\(field)"
        case .truncated(let structure, _, _): "\(structure) truncated"
        case let other: "\(String(describing: other))"
        }
    }

    @Test func `the leaf that the other tests break is good`() throws {
        let back = try Leaf.decode(HandmadeLeaf().bytes)
        #expect(back.states.filter { !$0.isAbsent }.count == 3)
        #expect(back.states[5].flash == Location(device: DeviceIndex(0), block: 1001))
        #expect(back.states[6].kind == .zero)
        #expect(back.writers == [VolumeIdentifier(high: 1, low: 2)])
        #expect(Leaf.encode(back.states, writers: back.writers) == HandmadeLeaf().bytes)
    }

    @Test func `another version is refused`() {
        #expect(error { $0.version = 2 } == .unknownVersion(structure: "leaf", found: 2))
    }

    @Test func `the leaf of another place is refused`() {
        let bytes = HandmadeLeaf().bytes
        func error(_ tree: TreeIdentifier, _ index: UInt64) -> FormatError? {
            var states = Sample.states
            var span = states.mutableSpan
            do throws(FormatError) {
                _ = try LeafFormat.decode(bytes.raw, tree: tree, index: index, into: &span)
                return nil
            } catch {
                return error
            }
        }
        #expect(
            error(TreeIdentifier(78), Sample.leafIndex)
                == .misplaced(structure: "leaf", field: "tree")
        )
        #expect(error(Sample.tree, 12_346) == .misplaced(structure: "leaf", field: "index"))
        #expect(error(Sample.tree, Sample.leafIndex) == nil)
    }

    @Test func `bad runs are refused`() {
        #expect(field { $0.runs[1].0 = 5 } == "leaf run.start")
        #expect(field { $0.runs.swapAt(0, 1) } == "leaf run.start")
        #expect(field { $0.runs[1].0 = 512 } == "leaf run.start")
        #expect(field { $0.runs[1].1 = 0 } == "leaf run.count")
        #expect(field { $0.runs[1] = (511, 2, 0x22, 0, 0) } == "leaf run.count")
        #expect(field { $0.runs[1] = (6, .max, 0x22, 0, 0) } == "leaf run.count")
        #expect(field { $0.runs[1].2 = 0x11 } == "leaf run.kind")
        #expect(field { $0.runs[1].2 = 0 } == "leaf run.kind")
        #expect(field { $0.runs[0].3 = 0 } == "leaf run.places")
        #expect(field { $0.runs[0].3 = 4 } == "leaf run.places")
        #expect(field { $0.runs[1].3 = 1 } == "leaf run.places")
        #expect(field { $0.runs[1] = (6, 1, 0x88, 4, 0) } == "leaf run.places")
        #expect(field { $0.runs[1].4 = 1 } == "leaf run.writer")
    }

    @Test func `bad counts are refused`() {
        #expect(field { $0.runCount = 513 } == "leaf.runCount")
        #expect(field { $0.writerCount = 513 } == "leaf.writerCount")
        #expect(field { $0.runCount = 512 } == "leaf truncated")
        #expect(field { $0.writerCount = 512 } == "leaf truncated")
        #expect(field { $0.reserved[5] = 1 } == "leaf.reserved")
        #expect(field { $0.writers = [(0, 0)] } == "leaf.writer")
    }

    @Test func `bad groups are refused`() {
        #expect(field { $0.flash[0].0 = 0x3000 } == "leaf flash.count")
        #expect(field { $0.flash[0].0 = 0x3201 } == "leaf flash.count")
        #expect(field { $0.flash[0].0 = 0x3003 } == "leaf flash.length")
        #expect(field { $0.flash[0].0 = 0x2002 } == "leaf flash.mode")
        #expect(field { $0.flash[0].0 = 0x4002 } == "leaf flash.mode")
        #expect(field { $0.flash[0].0 = 2 } == "leaf flash.mode")
        #expect(field { $0.sequence[0].0 = 0xF003 } == "leaf sequence.mode")
        #expect(field { $0.sequence = [(0x2004, [9])] } == "leaf sequence.length")
    }

    @Test func `bad places are refused`() {
        let nowhere = Location.nowhere.rawValue
        #expect(field { $0.flash = [(0x3002, [nowhere])] } == "leaf flash.value")
        #expect(field { $0.flash = [(0x3002, [0])] } == "leaf flash.value")
        #expect(field { $0.flash = [(0x1002, [HandmadeLeaf.place, 0])] } == "leaf flash.value")
        #expect(field { $0.flash = [(0x1002, [nowhere, nowhere])] } == "leaf flash.value")
        let last = 0x5A << 56 | 1 << 40 - 1 as UInt64
        #expect(field { $0.flash = [(0x3002, [last])] } == "leaf flash.first value")
        #expect(field { $0.sequence = [(0x3003, [.max - 1])] } == "leaf sequence.first value")
        #expect(error { $0.sequence = [(0x3003, [.max - 2])] } == nil)
    }

    @Test func `a leaf of the wrong length is refused`() {
        #expect(field { $0.checksums.removeLast() } == "leaf truncated")
        #expect(field { $0.behind = [0] } == "leaf.byteCount")
        #expect(field { $0.behind = [0, 0, 0, 0] } == "leaf.byteCount")
        #expect(
            field {
                $0.sequence = []
                $0.checksums = []
            } == "leaf sequence truncated"
        )
        #expect(
            field {
                $0.sequence = [(0x1003, [9])]
                $0.checksums = []
            } == "leaf sequence truncated"
        )
    }

    @Test func `a group may span runs`() throws {
        var leaf = HandmadeLeaf()
        leaf.runs = [(4, 1, 0x44, 1, 0), (6, 1, 0x44, 1, 0), (9, 1, 0x22, 0, 0)]
        let back = try Leaf.decode(leaf.bytes)
        #expect(back.states[6].flash.block == 1001)
    }

    @Test func `after an error every state is poisoned`() {
        var leaf = HandmadeLeaf()
        leaf.checksums.removeLast()
        let bytes = leaf.bytes
        var states = [BlockState](repeating: .absent, count: LeafFormat.blockCount)
        var span = states.mutableSpan
        #expect(throws: FormatError.self) {
            try LeafFormat.decode(
                bytes.raw,
                tree: Sample.tree,
                index: Sample.leafIndex,
                into: &span
            )
        }
        #expect(states.allSatisfy { $0 == .unknown })
    }

    @Test func `a cut leaf is refused wherever it is cut`() {
        let bytes = Sample.leaf()
        for count in 0..<bytes.count {
            var part = Array(bytes[0..<count])
            #expect(throws: FormatError.self) { try Leaf.decode(part) }
            Bytes.fixChecksum(&part)
            #expect(throws: FormatError.self) { try Leaf.decode(part) }
        }
    }
}
