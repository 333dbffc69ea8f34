package import IO

// Replies, big-endian.  Data follow their header in a region of their own.
//
//     simple, 16 bytes      magic u32, error u32, cookie u64
//     structured, 20 bytes  magic u32, flags u16 (bit 0: the last chunk of its reply), type u16,
//                           cookie u64, length u32
//       1 OFFSET_DATA       offset u64, data
//       2 OFFSET_HOLE       offset u64, length u32
//       5 BLOCK_STATUS      context u32, then per run length u32, status u32
//       0x8001 ERROR        error u32, text length u16, text
//       0x8002 ERROR_OFFSET the same, then offset u64
//
// Every function stores at the start of `target` and returns the bytes stored; the caller provides
// enough (`WireSize`).
package enum ReplyEncoding {
    /// Success without payload, or, before structured replies, an error or the header of data.
    @inline(__always)
    package static func simple(
        _ error: ReplyError,
        cookie: UInt64,
        into target: BufferRegion
    ) -> Int {
        var bytes = target.mutableBytes
        bytes.storeBig(Magic.simpleReply, at: 0)
        bytes.storeBig(error.rawValue, at: 4)
        bytes.storeBig(cookie, at: 8)
        return WireSize.simpleReply
    }

    /// The header of the only chunk of a READ; `byteCount` bytes of data follow.
    @inline(__always)
    package static func data(
        offset: UInt64,
        byteCount: Int,
        cookie: UInt64,
        into target: BufferRegion
    ) -> Int {
        chunk(ChunkType.offsetData, 8 + byteCount, cookie: cookie, into: target)
        var bytes = target.mutableBytes
        bytes.storeBig(offset, at: WireSize.structuredReply)
        return WireSize.dataChunkHeader
    }

    /// A READ whose whole range is a hole.
    package static func hole(
        offset: UInt64,
        byteCount: Int,
        cookie: UInt64,
        into target: BufferRegion
    ) -> Int {
        chunk(ChunkType.offsetHole, 12, cookie: cookie, into: target)
        var bytes = target.mutableBytes
        bytes.storeBig(offset, at: WireSize.structuredReply)
        bytes.storeBig(UInt32(clamping: byteCount), at: WireSize.structuredReply + 8)
        return WireSize.holeChunk
    }

    /// A structured reply without content: a READ of no bytes.
    package static func nothing(cookie: UInt64, into target: BufferRegion) -> Int {
        chunk(ChunkType.none, 0, cookie: cookie, into: target)
        return WireSize.structuredReply
    }

    /// An error with its reason, and the offset of the first bad byte where there is one.  At most
    /// 256 bytes of `text` are told.
    package static func failure(
        _ error: ReplyError,
        text: StaticString,
        offset: UInt64?,
        cookie: UInt64,
        into target: BufferRegion
    ) -> Int {
        let textByteCount = min(text.utf8CodeUnitCount, WireLimit.textByteCountMax)
        let byteCount = 6 + textByteCount + (offset == nil ? 0 : 8)
        let type = offset == nil ? ChunkType.error : ChunkType.errorOffset
        chunk(type, byteCount, cookie: cookie, into: target)
        var bytes = target.mutableBytes
        var position = WireSize.structuredReply
        bytes.storeBig(error.rawValue, at: position)
        bytes.storeBig(UInt16(clamping: textByteCount), at: position + 4)
        position += 6
        if text.hasPointerRepresentation {
            for index in 0..<textByteCount {
                bytes.storeBytes(
                    of: unsafe text.utf8Start[index],
                    toByteOffset: position + index,
                    as: UInt8.self
                )
            }
        }
        position += textByteCount
        if let offset {
            bytes.storeBig(offset, at: position)
            position += 8
        }
        return position
    }

    /// The header of a chunk of `byteCount` bytes; it ends its reply unless `isLast` says no.
    @inline(__always)
    static func chunk(
        _ type: UInt16,
        _ byteCount: Int,
        cookie: UInt64,
        isLast: Bool = true,
        into target: BufferRegion
    ) {
        var bytes = target.mutableBytes
        bytes.storeBig(Magic.structuredReply, at: 0)
        bytes.storeBig(UInt16(isLast ? 1 : 0), at: 4)
        bytes.storeBig(type, at: 6)
        bytes.storeBig(cookie, at: 8)
        bytes.storeBig(UInt32(clamping: byteCount), at: 16)
    }
}
