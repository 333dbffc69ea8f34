internal import Engine
internal import IO
internal import Units

// One request of a client, from its header to its sent reply.
//
//     free --> arriving --> in the lane --> finished --> (reply sent) free
//                  |                            ^
//                  +-------- refused -----------+
struct ClientRequest: BitwiseCopyable {
    enum Phase: UInt8, BitwiseCopyable {
        case free
        /// Its payload is on its way.
        case arriving
        case inLane
        /// Its reply waits or is on its way.
        case finished
    }

    var phase = Phase.free
    var command = Command.read
    var flags = CommandFlags()
    var error = ReplyError.none
    /// Of an answer from the lane that is an error.
    var status = RequestStatus.done
    /// Why the server itself refused it; nil when it did not.
    var refusal: RequestRefusal?
    /// Of a READ: the whole range is a hole.
    var isHole = false
    /// The lane's answer is still held, for its data or its extents.
    var isHeld = false
    /// Its payload broke off: nobody waits for the answer to its parts.
    var isDropped = false
    /// Where the first bad block is, when the error has a place.
    var hasFailedOffset = false
    var generation: UInt32 = 0
    var connection: Int32 = -1
    /// Next in the replies of its connection, or in the free list; -1 ends it.
    var next: Int32 = -1
    var extentCount: Int32 = 0
    /// Parts of it that are in the lane.
    var partCount: Int32 = 0
    var cookie: UInt64 = 0
    var offset: UInt64 = 0
    var byteCount: UInt64 = 0
    var failedOffset: UInt64 = 0
    var token = RequestToken(0)
    var data = BufferRegion.empty
    /// The size of the buffer that it counts for until its reply was sent; -1 for none.
    var bufferClass: Int8 = -1
}

/// What a lane's request is called while it is in the lane: a request slot with its generation, or,
/// with bit 63, one of the control side.
enum RequestContext {
    static var controlBit: UInt64 { 1 << 63 }
    /// The shutdown of the lane itself.
    static var shutdown: UInt64 { .max }

    static func of(_ request: Int, generation: UInt32) -> UInt64 {
        UInt64(generation & 0x7FFF_FFFF) << 32 | UInt64(request)
    }
    static func request(_ context: UInt64) -> Int { Int(context & 0xFFFF_FFFF) }
    static func generation(_ context: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: context >> 32) & 0x7FFF_FFFF
    }
}
