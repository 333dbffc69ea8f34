internal import CLinux
internal import Glibc

/// A socket that takes connections.  Closed, and its path removed, when it goes.
///
/// Connections of a TCP socket come with TCP_NODELAY.
package final class ListeningSocket: Sendable {
    package let address: SocketAddress
    package let descriptor: Int32
    /// The TCP port that was given by the system when zero was asked for.
    package let port: UInt16?

    /// Listens at `address`.  A path gets the permissions `mode`; what a killed process left there
    /// is replaced, what a living one listens at is `addressInUse`.
    ///
    /// That is told only after `patienceMilliseconds`: when a process that accepts by a ring is
    /// killed, its socket still listens for a little while after the process is gone.
    package init(
        at address: SocketAddress,
        mode: UInt32 = 0o660,
        backlog: Int32 = 128,
        patienceMilliseconds: Int = 0
    ) throws(SocketError) {
        self.address = address
        var result = Self.listen(at: address, mode: mode, backlog: backlog)
        for _ in 0..<(patienceMilliseconds / Self.pauseMilliseconds) where result == -EADDRINUSE {
            Clock.pause(milliseconds: Self.pauseMilliseconds)
            result = Self.listen(at: address, mode: mode, backlog: backlog)
        }
        guard result >= 0 else {
            throw SocketError(listeningAt: address, failedWith: result)
        }
        descriptor = result
        if case .tcp = address {
            port = UInt16(exactly: isotherm_bound_port(result))
        } else {
            port = nil
        }
    }

    private static var pauseMilliseconds: Int { 20 }

    /// A descriptor, or a negated error number.
    private static func listen(at address: SocketAddress, mode: UInt32, backlog: Int32) -> Int32 {
        switch address {
        case .unix(let path): unsafe isotherm_listen_unix(path, mode, backlog)
        case .tcp(let host, let port): unsafe isotherm_listen_tcp(host, port, backlog)
        }
    }

    deinit {
        _ = isotherm_close(descriptor)
        // A path that cannot be removed is replaced by the next process that listens there.
        if case .unix(let path) = address { _ = unsafe isotherm_remove_file(path) }
    }

    /// Waits for a connection on this thread.  Lanes accept through their ring instead.
    package func accept() throws(SocketError) -> StreamSocket {
        let result = isotherm_accept(descriptor)
        guard result >= 0 else { throw .cannotAccept(SystemCode(ofResult: result)) }
        return StreamSocket(owning: result)
    }
}

extension SocketError {
    fileprivate init(listeningAt address: SocketAddress, failedWith result: Int32) {
        let code = SystemCode(ofResult: result)
        if result <= -ISOTHERM_NO_ADDRESS {
            self = .unknownHost(address, resolverCode: -result - ISOTHERM_NO_ADDRESS)
        } else if code.number == EADDRINUSE {
            self = .addressInUse(address)
        } else {
            self = .cannotListen(address, code)
        }
    }
}
