/// What clients may take of the server.  At a limit the server stops reading from a connection; it
/// never refuses a request for want of room.
package struct ServerLimits: Sendable {
    /// Connections in all, over all lanes.
    package var connectionCountMax = 1024
    /// Connections that have not chosen an export; one more, and the oldest of them is closed.
    package var halfOpenCountMax = 256
    /// Requests of one connection without a sent reply.
    package var requestCountMax = 128
    /// Bytes of the buffers that one connection's READs and WRITEs hold until their replies are
    /// sent; a single request may go above.
    package var inFlightByteCountMax = 64 << 20
    /// What a new connection begins with of that.
    package var windowByteCountMin = 2 << 20
    /// Requests of all connections of a lane.
    package var laneRequestCount = 8192
    /// Received bytes of a connection that wait to be looked at.
    package var receiveByteCount = 256 << 10
    /// Headers and status of a connection's replies on their way.  The longest answer to
    /// BLOCK_STATUS must fit: 3 contexts * (24 + 8 * 4096) = 98,376.
    package var sendByteCount = 128 << 10
    /// What one receive takes during the handshake.
    package var handshakeReceiveByteCount = 16 << 10
    /// A WRITE up to here waits in the receive buffer until it is whole; a longer one is received
    /// into memory of the lane.
    package var bufferedPayloadByteCountMax = 64 << 10
    /// A longer one goes to the lane in pieces; what is at most so long is applied whole or not at
    /// all.
    package var payloadPieceByteCountMax = 1 << 20
    /// Stretches of memory in one send: headers and data of 128 READs, and some; 1024 at most.
    package var sendPartCountMax = 320
    /// A request that has begun to arrive must be whole after so long,
    package var stalledRequestNanoseconds: UInt64 = 30_000_000_000
    /// and one second later for each such part of its payload.
    package var stalledRequestByteCountPerSecond: UInt64 = 256 << 10
    /// A client that takes no reply, or does not finish a piece of its payload, for so long is
    /// closed if others wait for buffers.
    package var hoardNanoseconds: UInt64 = 10_000_000_000
    /// A send of at most so many bytes is taken to complete at once,
    package var quickSendByteCountMax = 64 << 10
    /// and what else happens waits at most so long for the first that does not.  A timer much
    /// shorter than the system's own tick costs more than the system call that it saves.
    package var quickSendNanoseconds: UInt64 = 5_000_000
    /// After the last reply: how long the client may take to close its side.
    package var lingerNanoseconds: UInt64 = 1_000_000_000
    /// How long a server that stops waits for clients to take their replies.
    package var stopNanoseconds: UInt64 = 10_000_000_000
    /// How long it waits for the next option of a client in the handshake, to refuse it.
    package var stopHandshakeNanoseconds: UInt64 = 250_000_000
    /// Pause of accepting when the process has no descriptor left.
    package var acceptPauseNanoseconds: UInt64 = 100_000_000
    /// How often deadlines are looked at.
    package var sweepNanoseconds: UInt64 = 250_000_000

    package init() {}
}
