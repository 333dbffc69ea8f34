package import Units

// The payload of the control entries that create or resize a volume.  Little-endian.  Any change is
// a new version.  It has no checksum of its own: it lies in a record header, which has one.
//
//     offset  size  field
//          0     1  version         1
//          1     1  nameByteCount   1...128
//          2     2  lane
//          4     4  reserved        zero
//          8     8  tree            the volume's live tree
//         16     8  byteCount       size of the volume, at most 2^50
//         24     8  createdSeconds  since 1970, signed, for people
//         32     -  name            of the volume within its pool, UTF-8, nameByteCount bytes

/// What a volume is, as the log says it: enough to rebuild its row of the catalogue.
package struct VolumeControl: Equatable, Sendable {
    package var tree: TreeIdentifier
    package var byteCount: UInt64
    package var lane: LaneIndex
    /// Seconds since 1970, for people; nothing is decided by it.
    package var createdSeconds: Int64
    package var name: String

    package init(
        tree: TreeIdentifier,
        byteCount: UInt64,
        lane: LaneIndex,
        createdSeconds: Int64,
        name: String
    ) {
        self.tree = tree
        self.byteCount = byteCount
        self.lane = lane
        self.createdSeconds = createdSeconds
        self.name = name
    }

    package static var version: UInt8 { 1 }
    /// Bytes of the longest payload: 32 + 128.
    package static var byteCountMax: Int { Layout.fixedByteCount + NameText.byteCountMax }

    package enum Layout {
        package static var version: Field<UInt8> { Field(at: 0) }
        package static var nameByteCount: Field<UInt8> { Field(at: 1) }
        package static var lane: Field<UInt16> { Field(at: 2) }
        package static var reserved: Stretch { Stretch(at: 4, byteCount: 4) }
        package static var tree: Field<UInt64> { Field(at: 8) }
        package static var byteCount: Field<UInt64> { Field(at: 16) }
        package static var createdSeconds: Field<Int64> { Field(at: 24) }

        package static var fixedByteCount: Int { 32 }
        package static var rows: [LayoutRow] {
            [
                version.row("version"), nameByteCount.row("nameByteCount"), lane.row("lane"),
                reserved.row("reserved"), tree.row("tree"), byteCount.row("byteCount"),
                createdSeconds.row("createdSeconds"),
            ]
        }
    }

    /// The payload.  That the name is storable and the size allowed is an invariant: requests are
    /// refused before.
    package func encode() -> [UInt8] {
        invariant(NameText.isStorable(name), "a volume's name has 1 to 128 bytes")
        invariant(byteCount <= Geometry.volumeByteCountMax, "a volume has at most 2^50 bytes")
        let nameByteCount = name.utf8.count
        var result = [UInt8](repeating: 0, count: Layout.fixedByteCount + nameByteCount)
        var span = result.mutableSpan
        // Safe: any bytes are valid elements of an array of bytes.
        var bytes = unsafe span.mutableBytes
        bytes.store(Self.version, in: Layout.version)
        bytes.store(UInt8(nameByteCount), in: Layout.nameByteCount)
        bytes.store(lane.rawValue, in: Layout.lane)
        bytes.store(tree.rawValue, in: Layout.tree)
        bytes.store(byteCount, in: Layout.byteCount)
        bytes.store(createdSeconds, in: Layout.createdSeconds)
        NameText.store(name, into: &bytes, at: Layout.fixedByteCount)
        return result
    }

    /// Reads the payload of a control entry, `payloadByteCount` bytes without the padding.
    package init(decoding bytes: RawSpan) throws(FormatError) {
        guard bytes.byteCount >= Layout.fixedByteCount else {
            throw .truncated(
                structure: "volume",
                needed: Layout.fixedByteCount,
                found: bytes.byteCount
            )
        }
        let version = bytes.load(Layout.version)
        guard version == Self.version else {
            throw .unknownVersion(structure: "volume", found: UInt16(version))
        }
        guard bytes.isZero(in: Layout.reserved.range) else {
            throw .field(structure: "volume", field: "reserved", found: 1)
        }
        let nameByteCount = Int(bytes.load(Layout.nameByteCount))
        guard bytes.byteCount == Layout.fixedByteCount + nameByteCount else {
            throw .field(
                structure: "volume",
                field: "nameByteCount",
                found: UInt64(nameByteCount)
            )
        }
        guard let name = NameText.load(nameByteCount, from: bytes, at: Layout.fixedByteCount) else {
            throw .field(structure: "volume", field: "name", found: UInt64(nameByteCount))
        }
        let byteCount = bytes.load(Layout.byteCount)
        guard byteCount <= Geometry.volumeByteCountMax else {
            throw .field(structure: "volume", field: "byteCount", found: byteCount)
        }
        self.init(
            tree: TreeIdentifier(bytes.load(Layout.tree)),
            byteCount: byteCount,
            lane: LaneIndex(bytes.load(Layout.lane)),
            createdSeconds: bytes.load(Layout.createdSeconds),
            name: name
        )
    }
}
