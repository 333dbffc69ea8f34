// What every checked structure begins with.  Little-endian.
//
//     offset  size  field
//          0     8  magic
//          8     2  version
//         10     2  belongs to the structure
//         12     4  checksum   CRC-32C of the whole structure, this field taken as zero
//
/// The first sixteen bytes that all structures with a checksum of their own share.
package enum Preamble {
    package enum Layout {
        package static var magic: Field<UInt64> { Field(at: 0) }
        package static var version: Field<UInt16> { Field(at: 8) }
        package static var checksum: Field<UInt32> { Field(at: 12) }
    }

    package static var byteCount: Int { 16 }

    /// Writes magic and version, then the checksum over all of `bytes`: the last step of encoding.
    ///
    /// - Parameter start: where the checksum starts from; the segment's nonce for a record, else 0.
    @discardableResult
    static func seal(
        _ bytes: inout MutableRawSpan,
        magic: UInt64,
        version: UInt16,
        from start: UInt32 = 0
    ) -> UInt32 {
        bytes.store(magic, in: Layout.magic)
        bytes.store(version, in: Layout.version)
        let checksum = Checksum.crc32c(
            bytes.bytes,
            skipping: Layout.checksum.offset,
            from: start
        )
        bytes.store(checksum, in: Layout.checksum)
        return checksum
    }

    /// Proves that `bytes` are a whole structure of this magic and version; the first step of
    /// decoding.  Nothing behind the magic is believed before the checksum fits.
    static func check(
        _ bytes: RawSpan,
        structure: StaticName,
        magic: UInt64,
        version: UInt16,
        from start: UInt32 = 0
    ) throws(FormatError) {
        guard bytes.byteCount >= byteCount else {
            throw .truncated(structure: structure, needed: byteCount, found: bytes.byteCount)
        }
        guard bytes.load(Layout.magic) == magic else { throw .noMagic(structure: structure) }
        let found = bytes.load(Layout.checksum)
        let expected = Checksum.crc32c(bytes, skipping: Layout.checksum.offset, from: start)
        guard found == expected else {
            throw .checksum(structure: structure, expected: expected, found: found)
        }
        let foundVersion = bytes.load(Layout.version)
        guard foundVersion == version else {
            throw .unknownVersion(structure: structure, found: foundVersion)
        }
    }
}
