internal import Engine
internal import IO
internal import Units

// One client's socket on its lane.
//
//     handshaking --GO--> serving --DISC, end of stream, stop--> finishing --answered--> lingering
//          |                 |                                       |                       |
//          +-----------------+--------- error, abuse ----------------+---> dead <------------+
//                                                                            |
//                                                  operations and requests settled: free
//
// A connection that is handed to another lane goes from handshaking to free without closing.
struct ConnectionSlot: BitwiseCopyable {
    enum Phase: UInt8, BitwiseCopyable {
        case free
        case handshaking
        case serving
        /// Nothing more is read; what was received is answered.
        case finishing
        /// Everything is said; what still comes is thrown away until the client closes too.
        case lingering
        /// The socket is shut down; kernel and lane may still hold memory of it.
        case dead
    }

    var phase = Phase.free
    /// Where a handshake leads once its output is sent.
    var exit = HandshakeExit.none
    var isReceiving = false
    var isSending = false
    /// In the queue of connections that have something to send.
    var isQueuedToSend = false
    /// In the queue of connections whose next request the lane did not admit.
    var isStalled = false
    /// The last step ended for want of something that a sent reply gives back.
    var isAtLimit = false
    /// The client has closed its side: nothing more will come.
    var hasEnded = false

    var descriptor: Int32 = -1
    var generation: UInt32 = 0
    var terms = ConnectionTerms(
        byteCount: 0,
        flags: [],
        contexts: [],
        usesStructuredReplies: false
    )
    var volume: UInt32 = 0
    var openedAt = Instant(nanoseconds: 0)
    /// When to end: of a handshake, of a request that arrives, of lingering.
    var deadline = Instant.never
    /// The turn in which the send in flight was handed over, and whether the one before completed
    /// in the turn that followed.
    var sendTurn: UInt32 = 0
    var isPrompt = true
    /// When the send in flight last moved.
    var sendMovedAt = Instant(nanoseconds: 0)

    /// Received bytes that nobody has looked at, inside the receive buffer.
    var receivedStart = 0
    var receivedEnd = 0
    /// The WRITE whose payload is on its way into memory of the lane; -1 for none.
    var payloadRequest: Int32 = -1
    /// Bytes of it that were handed to the lane.
    var payloadByteCount = 0
    /// The piece that is being received, and what of it has arrived.
    var pieceByteCount = 0
    var pieceReceived = 0
    var pieceBeganAt = Instant(nanoseconds: 0)
    /// Bytes of a refused WRITE still to be thrown away, and the request to answer then.
    var drainByteCount = 0
    var drainRequest: Int32 = -1

    /// Requests in the lane, finished, or on their way out.
    var requestCount = 0
    /// Buffers that its READs and WRITEs hold, their bytes, and how many it may hold.
    var heldBuffers = BufferCounts(repeating: 0)
    var heldByteCount = 0
    var window = 0
    /// Finished requests whose replies wait, oldest first.
    var firstReply: Int32 = -1
    var lastReply: Int32 = -1
    /// Requests whose replies are on their way.
    var firstSent: Int32 = -1

    var nextToSend: Int32 = -1
    var nextStalled: Int32 = -1

    /// Kernel and lane hold nothing of it any more.
    var isSettled: Bool {
        !isReceiving && !isSending && requestCount == 0 && !isStalled && !isQueuedToSend
    }
    /// Nothing is left to say.
    var isAnswered: Bool { requestCount == 0 && !isSending }
    /// Nothing is left to say but to requests that have not arrived whole.
    var isAnsweredButForArriving: Bool {
        requestCount == (payloadRequest >= 0 ? 1 : 0) + (drainRequest >= 0 ? 1 : 0) && !isSending
    }
    var receivedByteCount: Int { receivedEnd - receivedStart }
}

/// Where a handshake leads once its output is sent.
enum HandshakeExit: UInt8, BitwiseCopyable { case none, close, serve }

extension Instant {
    /// Later than every other.
    static var never: Instant { Instant(nanoseconds: .max) }
}

/// Connections one behind the other, linked through one of their fields.
struct ConnectionQueue: BitwiseCopyable {
    var first: Int32 = -1
    var last: Int32 = -1
    var isEmpty: Bool { first < 0 }
}
