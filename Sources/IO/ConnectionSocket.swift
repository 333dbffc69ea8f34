internal import Glibc

/// What the owner of connected sockets does to them beside transfers.  Each call is short and never
/// waits.
package enum ConnectionSocket {
    /// Sends small replies at once, and notices a peer that is gone without a word: after 30
    /// seconds of silence it is asked, and what it does not acknowledge for 60 seconds ends the
    /// connection.  Nothing of it applies to unix sockets, which say so.
    package static func prepare(_ descriptor: Int32) {
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 30)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 10)
        set(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 60_000)
    }

    /// Tells the peer that nothing more comes; what it sends can still be received.
    package static func endSending(_ descriptor: Int32) {
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Takes nothing more: a receive in flight completes.
    package static func endReceiving(_ descriptor: Int32) {
        _ = shutdown(descriptor, Int32(SHUT_RD))
    }

    /// Ends both directions: transfers in flight complete.
    package static func shutDown(_ descriptor: Int32) {
        _ = shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// The peer has closed the connection, or its sending side; bytes of it may still wait.
    package static func isHungUp(_ descriptor: Int32) -> Bool {
        let remoteEnd = Int16(0x2000)  // POLLRDHUP, which only some headers show.
        var request = pollfd(fd: descriptor, events: remoteEnd, revents: 0)
        return unsafe poll(&request, 1, 0) > 0
    }

    package static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        // A socket that has no such option goes without it.
        _ = unsafe setsockopt(
            descriptor,
            level,
            option,
            &value,
            socklen_t(MemoryLayout<Int32>.size)
        )
    }
}
