package import Units

// What a record of the mirror says: one item for each row that a checkpoint changes in the
// catalogue.  Little-endian.  Any change is a new version of the record.
//
//     offset  size  field
//          0     1  kind
//          1     3  reserved   zero
//          4     4  byteCount  of what follows
//          8     -  by kind:
//
//     1 segment          device 1, stream 1, reserved 2, index 4, sequence 8, nonce 8,
//                        live blocks 4, written blocks 4
//     2 freed segment    device 1, reserved 3, index 4
//     3 volume           identity 16, owned blocks 8, state 1, reserved 7, then a `VolumeControl`
//     4 forgotten volume identity 16
//     5 tree             tree 8, parent 8, parent kind 1 (0x11 none, 0x22 one), reserved 7,
//                        volume 16
//     6 leaf             tree 8, index 8, then the bytes of a `LeafFormat`; none: the leaf goes
//     7 heat             tree 8, index 8, then the bytes of a `HeatFormat`; none: it goes
//
// Read in their order they make the rows of a lane as of its last checkpoint.  Leaves and heat are
// told as they are stored: what is damaged there is damaged here.

/// One row of the catalogue that a checkpoint has changed.
package enum MirrorItem: Equatable, Sendable {
    package struct Segment: Equatable, Sendable {
        package var address: SegmentAddress
        package var stream: StreamKind
        package var sequence: UInt64
        package var nonce: UInt64
        package var liveBlockCount: UInt32
        package var writtenBlockCount: UInt32

        package init(
            address: SegmentAddress,
            stream: StreamKind,
            sequence: UInt64,
            nonce: UInt64,
            liveBlockCount: UInt32,
            writtenBlockCount: UInt32
        ) {
            self.address = address
            self.stream = stream
            self.sequence = sequence
            self.nonce = nonce
            self.liveBlockCount = liveBlockCount
            self.writtenBlockCount = writtenBlockCount
        }
    }

    package struct Volume: Equatable, Sendable {
        package var identifier: VolumeIdentifier
        package var ownedBlockCount: UInt64
        /// The code of its state in the catalogue.
        package var state: UInt8
        package var control: VolumeControl

        package init(
            identifier: VolumeIdentifier,
            ownedBlockCount: UInt64,
            state: UInt8,
            control: VolumeControl
        ) {
            self.identifier = identifier
            self.ownedBlockCount = ownedBlockCount
            self.state = state
            self.control = control
        }

        fileprivate var byteCount: Int {
            32 + VolumeControl.Layout.fixedByteCount + control.name.utf8.count
        }
    }

    case segment(Segment)
    case freedSegment(SegmentAddress)
    case volume(Volume)
    case forgottenVolume(VolumeIdentifier)
    case tree(TreeIdentifier, parent: TreeIdentifier?, volume: VolumeIdentifier)
    case leaf(tree: TreeIdentifier, index: UInt64, bytes: [UInt8])
    case heat(tree: TreeIdentifier, index: UInt64, bytes: [UInt8])
}

extension MirrorItem {
    private enum Kind: UInt8 {
        case segment = 1
        case freedSegment, volume, forgottenVolume, tree, leaf, heat
    }

    private static var headByteCount: Int { 8 }
    /// Bytes of an item of a leaf or heat beside what is stored, at most.
    package static var overheadByteCountMax: Int { headByteCount + 16 }
    private static var isNone: UInt8 { 0x11 }
    private static var isThere: UInt8 { 0x22 }

    private var kind: Kind {
        switch self {
        case .segment: .segment
        case .freedSegment: .freedSegment
        case .volume: .volume
        case .forgottenVolume: .forgottenVolume
        case .tree: .tree
        case .leaf: .leaf
        case .heat: .heat
        }
    }

    private var bodyByteCount: Int {
        switch self {
        case .segment: 32
        case .freedSegment: 8
        case .volume(let volume): volume.byteCount
        case .forgottenVolume: 16
        case .tree: 40
        case .leaf(_, _, let bytes), .heat(_, _, let bytes): 16 + bytes.count
        }
    }

    /// Bytes that it takes in a record.
    package var byteCount: Int { Self.headByteCount + bodyByteCount }

    /// Writes the item; `bytes` has room for it from `offset` on.
    package func store(into bytes: inout MutableRawSpan, at offset: Int) {
        bytes.zero(in: offset..<(offset + Self.headByteCount))
        kind.rawValue.store(into: &bytes, at: offset)
        UInt32(bodyByteCount).store(into: &bytes, at: offset + 4)
        let body = offset + Self.headByteCount
        switch self {
        case .segment(let segment):
            segment.address.device.rawValue.store(into: &bytes, at: body)
            segment.stream.rawValue.store(into: &bytes, at: body + 1)
            UInt16(0).store(into: &bytes, at: body + 2)
            segment.address.index.rawValue.store(into: &bytes, at: body + 4)
            segment.sequence.store(into: &bytes, at: body + 8)
            segment.nonce.store(into: &bytes, at: body + 16)
            segment.liveBlockCount.store(into: &bytes, at: body + 24)
            segment.writtenBlockCount.store(into: &bytes, at: body + 28)
        case .freedSegment(let address):
            bytes.zero(in: body..<(body + 4))
            address.device.rawValue.store(into: &bytes, at: body)
            address.index.rawValue.store(into: &bytes, at: body + 4)
        case .volume(let volume):
            bytes.zero(in: (body + 24)..<(body + 32))
            volume.identifier.store(into: &bytes, at: body)
            volume.ownedBlockCount.store(into: &bytes, at: body + 16)
            volume.state.store(into: &bytes, at: body + 24)
            bytes.store(volume.control.encode(), at: body + 32)
        case .forgottenVolume(let identifier): identifier.store(into: &bytes, at: body)
        case .tree(let tree, let parent, let volume):
            bytes.zero(in: (body + 16)..<(body + 24))
            tree.rawValue.store(into: &bytes, at: body)
            (parent?.rawValue ?? 0).store(into: &bytes, at: body + 8)
            (parent == nil ? Self.isNone : Self.isThere).store(into: &bytes, at: body + 16)
            volume.store(into: &bytes, at: body + 24)
        case .leaf(let tree, let index, let stored), .heat(let tree, let index, let stored):
            tree.rawValue.store(into: &bytes, at: body)
            index.store(into: &bytes, at: body + 8)
            bytes.store(stored, at: body + 16)
        }
    }

    /// Reads the item at `offset`, and moves that behind it.
    ///
    /// - Parameters:
    ///   - end: where the items of the record end.
    ///   - lane: of the record.
    package init(
        decoding bytes: RawSpan,
        at offset: inout Int,
        end: Int,
        lane: LaneIndex
    ) throws(FormatError) {
        guard end <= bytes.byteCount, end - offset >= Self.headByteCount else {
            throw .truncated(
                structure: "mirror item",
                needed: Self.headByteCount,
                found: end - offset
            )
        }
        let count = Int(bytes.word32(at: offset + 4))
        let code = bytes.byte(at: offset)
        guard bytes.isZero(in: (offset + 1)..<(offset + 4)) else {
            throw .field(structure: "mirror item", field: "reserved", found: 1)
        }
        let body = offset + Self.headByteCount
        guard count <= end - body else {
            throw .truncated(structure: "mirror item", needed: count, found: end - body)
        }
        guard let kind = Kind(rawValue: code) else {
            throw .field(structure: "mirror item", field: "kind", found: UInt64(code))
        }
        let part = bytes.extracting(body..<(body + count))
        self = try Self.decode(kind, part, lane: lane)
        guard bodyByteCount == count else {
            throw .field(structure: "mirror item", field: "byteCount", found: UInt64(count))
        }
        offset = body + count
    }

    private static func decode(
        _ kind: Kind,
        _ part: RawSpan,
        lane: LaneIndex
    ) throws(FormatError) -> MirrorItem {
        let least =
            switch kind {
            case .segment, .volume: 32
            case .freedSegment: 8
            case .forgottenVolume, .leaf, .heat: 16
            case .tree: 40
            }
        guard part.byteCount >= least else {
            throw .truncated(structure: "mirror item", needed: least, found: part.byteCount)
        }
        switch kind {
        case .segment: return .segment(try segment(in: part))
        case .freedSegment:
            guard part.isZero(in: 1..<4) else {
                throw .field(structure: "mirror item", field: "reserved", found: 1)
            }
            return .freedSegment(
                SegmentAddress(
                    device: DeviceIndex(part.byte(at: 0)),
                    index: SegmentIndex(part.word32(at: 4))
                )
            )
        case .volume: return .volume(try volume(in: part, lane: lane))
        case .forgottenVolume: return .forgottenVolume(.load(from: part, at: 0))
        case .tree: return try tree(in: part)
        case .leaf:
            return .leaf(
                tree: TreeIdentifier(part.word64(at: 0)),
                index: part.word64(at: 8),
                bytes: part.array(from: 16)
            )
        case .heat:
            return .heat(
                tree: TreeIdentifier(part.word64(at: 0)),
                index: part.word64(at: 8),
                bytes: part.array(from: 16)
            )
        }
    }

    private static func segment(in part: RawSpan) throws(FormatError) -> Segment {
        guard part.isZero(in: 2..<4), let stream = StreamKind(rawValue: part.byte(at: 1)) else {
            throw .field(
                structure: "mirror item",
                field: "stream",
                found: UInt64(part.byte(at: 1))
            )
        }
        return Segment(
            address: SegmentAddress(
                device: DeviceIndex(part.byte(at: 0)),
                index: SegmentIndex(part.word32(at: 4))
            ),
            stream: stream,
            sequence: part.word64(at: 8),
            nonce: part.word64(at: 16),
            liveBlockCount: part.word32(at: 24),
            writtenBlockCount: part.word32(at: 28)
        )
    }

    private static func volume(
        in part: RawSpan,
        lane: LaneIndex
    ) throws(FormatError) -> Volume {
        guard part.isZero(in: 25..<32) else {
            throw .field(structure: "mirror item", field: "reserved", found: 1)
        }
        let control = try VolumeControl(decoding: part.extracting(32..<part.byteCount))
        guard control.lane == lane else { throw .misplaced(structure: "volume", field: "lane") }
        return Volume(
            identifier: .load(from: part, at: 0),
            ownedBlockCount: part.word64(at: 16),
            state: part.byte(at: 24),
            control: control
        )
    }

    private static func tree(in part: RawSpan) throws(FormatError) -> MirrorItem {
        let kind = part.byte(at: 16)
        let parent = part.word64(at: 8)
        guard kind == isThere || kind == isNone && parent == 0, part.isZero(in: 17..<24) else {
            throw .field(structure: "mirror item", field: "parent", found: UInt64(kind))
        }
        return .tree(
            TreeIdentifier(part.word64(at: 0)),
            parent: kind == isThere ? TreeIdentifier(parent) : nil,
            volume: .load(from: part, at: 24)
        )
    }
}

extension MutableRawSpan {
    /// Copies an array to `offset`.
    fileprivate mutating func store(_ source: [UInt8], at offset: Int) {
        invariant(offset >= 0 && source.count <= byteCount - offset, "an item fits its record")
        unsafe withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { source in
                // Both lie inside their memory: checked above.
                let part = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: target[offset..<(offset + source.count)]
                )
                unsafe part.copyMemory(from: source)
            }
        }
    }
}

extension RawSpan {
    /// All bytes from `start` on.
    fileprivate func array(from start: Int) -> [UInt8] {
        unsafe extracting(start..<byteCount).withUnsafeBytes { unsafe [UInt8]($0) }
    }
}
