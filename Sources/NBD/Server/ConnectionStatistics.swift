/// What happened to the connections of a lane, counted since its start.
package struct ConnectionStatistics: Sendable, BitwiseCopyable {
    package var accepted: UInt64 = 0
    /// Accepts that failed, mostly for want of a descriptor; accepting pauses then.
    package var failedAccepts: UInt64 = 0
    /// Closed at once: the server had as many as it takes.
    package var refusedConnections: UInt64 = 0
    /// Handshakes given up for a newer one.
    package var evictedHandshakes: UInt64 = 0
    package var negotiated: UInt64 = 0
    /// Handshakes that ended without an export, by `HandshakeEnd`.
    package var handshakeEnds: [8 of UInt64] = .init(repeating: 0)
    /// Requests that were handed to the lane, or were about no bytes.
    package var requests: UInt64 = 0
    /// Requests that were answered with an error before they reached the lane.
    package var refusals: UInt64 = 0
    /// Times that a connection had to wait for a slot or a buffer.
    package var stalls: UInt64 = 0
    /// Clients that said DISC.
    package var disconnects: UInt64 = 0
    /// Sockets that failed or ended without DISC.
    package var lostSockets: UInt64 = 0
    /// Closed for a request header with a wrong magic.
    package var wrongMagics: UInt64 = 0
    /// Closed for a WRITE above 64 MiB.
    package var abuses: UInt64 = 0
    /// Closed since a request did not arrive whole in time.
    package var stalledRequests: UInt64 = 0
    /// Closed since the client kept buffers, by taking no replies or sending a payload too slowly,
    /// while others waited for them.
    package var hoarders: UInt64 = 0
    /// Closed since the peer was gone when another connection of its volume came.
    package var hangUps: UInt64 = 0

    package init() {}

    mutating func count(_ end: HandshakeEnd) {
        handshakeEnds[Int(end.rawValue)] += 1
    }
}
