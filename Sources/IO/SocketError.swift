internal import CLinux

/// Where a socket listens or connects to.
package enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    case unix(path: String)
    /// `host` is a name or a number; an IPv6 number stands without brackets.
    case tcp(host: String, port: UInt16)

    package var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port):
            host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        }
    }
}

/// What can go wrong with stream sockets.
package enum SocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another process listens there.
    case addressInUse(SocketAddress)
    /// The host has no address.  The code is the resolver's.
    case unknownHost(SocketAddress, resolverCode: Int32)
    case cannotListen(SocketAddress, SystemCode)
    case cannotConnect(SocketAddress, SystemCode)
    case cannotAccept(SystemCode)
    case cannotSend(SystemCode)
    case cannotReceive(SystemCode)
    case cannotPair(SystemCode)

    package var description: String {
        switch self {
        case .addressInUse(let address): "\(address) is in use"
        case .unknownHost(let address, let code):
            "\(address): \(unsafe String(cString: isotherm_resolution_text(code)))"
        case .cannotListen(let address, let code): "cannot listen at \(address): \(code)"
        case .cannotConnect(let address, let code): "cannot connect to \(address): \(code)"
        case .cannotAccept(let code): "cannot accept a connection: \(code)"
        case .cannotSend(let code): "cannot send: \(code)"
        case .cannotReceive(let code): "cannot receive: \(code)"
        case .cannotPair(let code): "cannot make a pair of sockets: \(code)"
        }
    }
}
