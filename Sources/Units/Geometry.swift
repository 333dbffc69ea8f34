/// The sizes that the whole store is built from.  They are part of the on-disk format.
@usableFromInline
package enum Geometry {
    /// Bytes of a block, the unit of mapping and checksum.
    @inlinable package static var blockByteCount: Int { 4096 }
    /// Bytes of a chunk, the unit of heat and migration.
    @inlinable package static var chunkByteCount: Int { 64 << 10 }
    /// Bytes of address space that one leaf of the map covers.
    @inlinable package static var leafByteCount: Int { 2 << 20 }
    /// 64 KiB / 4 KiB.
    @inlinable package static var blocksPerChunk: Int { 16 }
    /// 2 MiB / 4 KiB.
    @inlinable package static var blocksPerLeaf: Int { 512 }
    /// 2 MiB / 64 KiB.
    @inlinable package static var chunksPerLeaf: Int { 32 }
    /// The largest volume: 2^50 bytes, so that no address arithmetic can overflow.
    @inlinable package static var volumeByteCountMax: UInt64 { 1 << 50 }
}
