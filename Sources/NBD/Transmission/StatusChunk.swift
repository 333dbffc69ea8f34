package import IO

/// Encodes the status of a stretch of a volume in one context: one chunk of a reply to
/// BLOCK_STATUS.
///
/// Runs are given in order, from the request's offset on.  Equal neighbours become one descriptor;
/// a run too long for 32 bits becomes several.  No descriptor is empty and none passes the end of
/// the request.  When the request wants only one, or the descriptors are used up, the rest is left
/// untold, which the protocol allows.
package struct StatusChunk: BitwiseCopyable {
    /// Bytes that a chunk with `count` descriptors takes: header 20, context 4, 8 each.
    package static func byteCount(ofDescriptors count: Int) -> Int {
        WireSize.structuredReply + 4 + 8 * count
    }

    private let target: BufferRegion
    private let descriptorCountMax: Int
    /// Bytes of the request not yet told.
    private var rest: UInt64
    private var pendingByteCount: UInt64 = 0
    private var pendingStatus: UInt32 = 0
    private var descriptorCount = 0

    /// Begins a chunk at the start of `target`, which has room for at least one descriptor.
    package init(target: BufferRegion, requestByteCount: UInt64, isOnlyOne: Bool) {
        self.target = target
        rest = requestByteCount
        let room = (target.byteCount - StatusChunk.byteCount(ofDescriptors: 0)) / 8
        descriptorCountMax = isOnlyOne ? 1 : min(room, WireLimit.descriptorCountMax)
    }

    /// Nothing more can be told.
    package var isFull: Bool { rest == 0 || descriptorCount == descriptorCountMax }

    /// Adds `byteCount` bytes of `status`.
    package mutating func append(byteCount: UInt64, status: UInt32) {
        let told = min(byteCount, rest)
        guard told > 0, !isFull else { return }
        if pendingByteCount > 0 && pendingStatus != status { emitAll() }
        guard !isFull else { return }
        pendingStatus = status
        pendingByteCount += told
        rest -= told
    }

    /// Ends the chunk and returns its bytes; `isLast` when no other context follows.
    package mutating func finish(context: MetaContext, cookie: UInt64, isLast: Bool) -> Int {
        emitAll()
        let byteCount = 4 + 8 * descriptorCount
        ReplyEncoding.chunk(
            ChunkType.blockStatus,
            byteCount,
            cookie: cookie,
            isLast: isLast,
            into: target
        )
        var bytes = target.mutableBytes
        bytes.storeBig(context.rawValue, at: WireSize.structuredReply)
        return WireSize.structuredReply + byteCount
    }

    private mutating func emitAll() {
        while pendingByteCount > 0 && descriptorCount < descriptorCountMax {
            let isTooLong = pendingByteCount > UInt64(UInt32.max)
            let told = isTooLong ? WireLimit.descriptorByteCountMax : pendingByteCount
            let position = StatusChunk.byteCount(ofDescriptors: descriptorCount)
            var bytes = target.mutableBytes
            bytes.storeBig(UInt32(clamping: told), at: position)
            bytes.storeBig(pendingStatus, at: position + 4)
            descriptorCount += 1
            pendingByteCount -= told
        }
        pendingByteCount = 0
    }
}
