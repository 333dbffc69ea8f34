public import Units

/// What an entry of a record says about a range of a volume.
@usableFromInline
package enum EntryKind: UInt8, Sendable, CaseIterable {
    /// A host wrote these blocks; their data is in the record.
    case data = 1
    /// A host trimmed these blocks: they read as zeros and own no space.
    case trim = 2
    /// A host zeroed these blocks and keeps their space.
    case zero = 3
    /// Blocks moved here from elsewhere, with the sequence and checksum that they always had.
    case copy = 4
    /// The life of a volume, or a mark.
    case control = 5
}

/// What a control entry says.
package enum ControlKind: UInt8, Sendable, CaseIterable {
    /// The volume exists from here on; payload: VolumeControl.
    case createVolume = 1
    /// The volume has another size from here on; payload: VolumeControl.
    case resizeVolume = 2
    /// The volume is gone.  No payload.
    case destroyVolume = 3
    /// Says nothing: written so that the record's durableThrough is on the device.
    case mark = 4
}

/// One entry of a record's table.  The table in `RecordHeader`'s file has its layout.
@usableFromInline
package struct RecordEntry: Equatable, Sendable {
    @usableFromInline package var volume: VolumeIdentifier
    @usableFromInline package var address: UInt64
    @usableFromInline package var blockCount: UInt32
    @usableFromInline package var kind: EntryKind
    @usableFromInline package var detail: UInt8
    @usableFromInline package var payloadByteCount: UInt16

    @inlinable package static var fixedByteCount: Int { 32 }
    /// Bytes a copied block adds to its entry: sequence and checksum.
    @inlinable package static var copyByteCount: Int { 12 }

    @inlinable
    package init(
        volume: VolumeIdentifier,
        address: UInt64,
        blockCount: UInt32,
        kind: EntryKind,
        detail: UInt8 = 0,
        payloadByteCount: UInt16 = 0
    ) {
        self.volume = volume
        self.address = address
        self.blockCount = blockCount
        self.kind = kind
        self.detail = detail
        self.payloadByteCount = payloadByteCount
    }

    /// Bytes of the table that an entry of this kind and length takes.
    @inlinable
    package static func byteCount(_ kind: EntryKind, blockCount: Int, payload: Int = 0) -> Int {
        switch kind {
        case .data: fixedByteCount + 4 * blockCount
        case .copy: fixedByteCount + copyByteCount * blockCount
        case .control: fixedByteCount + (payload + 3) / 4 * 4
        case .trim, .zero: fixedByteCount
        }
    }

    package var byteCount: Int {
        Self.byteCount(kind, blockCount: Int(blockCount), payload: Int(payloadByteCount))
    }

    /// Blocks of data that the entry owns in its record.
    package var dataBlockCount: UInt32 { kind == .data || kind == .copy ? blockCount : 0 }

    /// Writes the fixed part at `offset` of the header block.
    package func store(into block: inout MutableRawSpan, at offset: Int) {
        block.storeBytes(of: volume.high, toByteOffset: offset, as: UInt64.self)
        block.storeBytes(of: volume.low, toByteOffset: offset + 8, as: UInt64.self)
        block.storeBytes(of: address, toByteOffset: offset + 16, as: UInt64.self)
        block.storeBytes(of: blockCount, toByteOffset: offset + 24, as: UInt32.self)
        block.storeBytes(of: kind.rawValue, toByteOffset: offset + 28, as: UInt8.self)
        block.storeBytes(of: detail, toByteOffset: offset + 29, as: UInt8.self)
        block.storeBytes(of: payloadByteCount, toByteOffset: offset + 30, as: UInt16.self)
    }

    /// Reads the entry at `offset` of a header block whose checksum was verified.
    ///
    /// - Parameter end: the first byte behind the table.
    package init(decoding block: RawSpan, at offset: Int, end: Int) throws(FormatError) {
        guard offset + Self.fixedByteCount <= end, end <= block.byteCount else {
            throw .truncated(
                structure: "record entry",
                needed: offset + Self.fixedByteCount,
                found: end
            )
        }
        let kindCode = block.byte(at: offset + 28)
        guard let kind = EntryKind(rawValue: kindCode) else {
            throw .field(structure: "record entry", field: "kind", found: UInt64(kindCode))
        }
        self.init(
            volume: VolumeIdentifier(
                high: block.word64(at: offset),
                low: block.word64(at: offset + 8)
            ),
            address: block.word64(at: offset + 16),
            blockCount: block.word32(at: offset + 24),
            kind: kind,
            detail: block.byte(at: offset + 29),
            payloadByteCount: block.word16(at: offset + 30)
        )
        let blocksMax = Geometry.volumeByteCountMax / UInt64(Geometry.blockByteCount)
        guard address <= blocksMax, UInt64(blockCount) <= blocksMax - address else {
            throw .field(structure: "record entry", field: "address", found: address)
        }
        guard byteCount <= end - offset else {
            throw .truncated(structure: "record entry", needed: offset + byteCount, found: end)
        }
        try checkControl(in: block, at: offset)
    }

    /// Refuses a control entry of unknown kind or with other padding than zeros, and other entries
    /// with what only a control entry has.
    private func checkControl(in block: RawSpan, at offset: Int) throws(FormatError) {
        let isKnown = kind == .control ? ControlKind(rawValue: detail) != nil : detail == 0
        guard isKnown else {
            throw .field(structure: "record entry", field: "detail", found: UInt64(detail))
        }
        guard kind == .control || payloadByteCount == 0 else {
            throw .field(
                structure: "record entry",
                field: "payloadByteCount",
                found: UInt64(payloadByteCount)
            )
        }
        let payloadEnd = offset + Self.fixedByteCount + Int(payloadByteCount)
        guard kind != .control || block.isZero(in: payloadEnd..<(offset + byteCount)) else {
            throw .field(structure: "record entry", field: "padding", found: 1)
        }
    }

    /// The checksum of the entry's block `index`, for an entry at `offset`.
    package func checksum(of index: Int, in block: RawSpan, at offset: Int) -> UInt32 {
        let table = offset + Self.fixedByteCount
        return kind == .copy
            ? block.word32(at: table + Self.copyByteCount * index + 8)
            : block.word32(at: table + 4 * index)
    }

    /// The sequence number of a copy entry's block `index`.
    package func sequence(of index: Int, in block: RawSpan, at offset: Int) -> SequenceNumber {
        SequenceNumber(
            block.word64(at: offset + Self.fixedByteCount + Self.copyByteCount * index)
        )
    }

    /// Notes the checksum of block `index` of a data entry at `offset`.
    @inline(__always)
    package static func store(
        checksum: UInt32,
        ofBlock index: Int,
        into block: inout MutableRawSpan,
        at offset: Int
    ) {
        block.storeBytes(
            of: checksum,
            toByteOffset: offset + fixedByteCount + 4 * index,
            as: UInt32.self
        )
    }

    /// Notes sequence and checksum of block `index` of a copy entry at `offset`.
    package static func store(
        sequence: SequenceNumber,
        checksum: UInt32,
        ofBlock index: Int,
        into block: inout MutableRawSpan,
        at offset: Int
    ) {
        let place = offset + fixedByteCount + copyByteCount * index
        block.storeBytes(of: sequence.rawValue, toByteOffset: place, as: UInt64.self)
        block.storeBytes(of: checksum, toByteOffset: place + 8, as: UInt32.self)
    }
}
