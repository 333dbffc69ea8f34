internal import CLinux

/// A connection, used by blocking calls: what the control path, the command line and tests need.
/// A lane takes the descriptor over with `release()`.
package struct StreamSocket: ~Copyable, Sendable {
    /// Belongs to this value until `release()`.
    package let descriptor: Int32

    /// Takes over an open descriptor.
    package init(owning descriptor: Int32) { self.descriptor = descriptor }

    /// Connects to a listening socket.
    package init(to address: SocketAddress) throws(SocketError) {
        let result =
            switch address {
            case .unix(let path): unsafe isotherm_connect_unix(path)
            case .tcp(let host, let port): unsafe isotherm_connect_tcp(host, port)
            }
        guard result >= 0 else {
            if result <= -ISOTHERM_NO_ADDRESS {
                throw .unknownHost(address, resolverCode: -result - ISOTHERM_NO_ADDRESS)
            }
            throw .cannotConnect(address, SystemCode(ofResult: result))
        }
        descriptor = result
    }

    deinit { _ = isotherm_close(descriptor) }

    /// Two sockets that are connected with each other.
    package static func pair() throws(SocketError) -> Pair {
        var first: Int32 = -1
        var second: Int32 = -1
        let result = unsafe isotherm_socket_pair(&first, &second)
        guard result == 0 else { throw .cannotPair(SystemCode(ofResult: result)) }
        return Pair(first: StreamSocket(owning: first), second: StreamSocket(owning: second))
    }

    package struct Pair: ~Copyable, Sendable {
        package var first: StreamSocket
        package var second: StreamSocket
    }

    /// Gives the descriptor away; the caller closes it.
    package consuming func release() -> Int32 {
        let given = descriptor
        discard self
        return given
    }

    /// Sends all of `bytes`.
    package borrowing func send(_ bytes: RawSpan) throws(SocketError) {
        var sent = 0
        while sent < bytes.byteCount {
            let rest = bytes.extracting(sent..<bytes.byteCount)
            let result = unsafe rest.withUnsafeBytes { buffer in
                unsafe isotherm_send(descriptor, buffer.baseAddress, buffer.count)
            }
            guard result >= 0 else { throw .cannotSend(SystemCode(ofResult: result)) }
            sent += Int(result)
        }
    }

    /// Receives what has arrived, waiting for the first byte; returns the count, 0 at the end.
    package borrowing func receive(into bytes: inout MutableRawSpan) throws(SocketError) -> Int {
        let result = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe isotherm_receive(descriptor, buffer.baseAddress, buffer.count)
        }
        guard result >= 0 else { throw .cannotReceive(SystemCode(ofResult: result)) }
        return Int(result)
    }

    /// Sends all of `bytes`; a convenience for the control path.
    package borrowing func send(_ bytes: [UInt8]) throws(SocketError) {
        try unsafe send(bytes.span.bytes)
    }

    /// Receives at most `byteCountMax` bytes; empty at the end of the stream.
    package borrowing func receive(byteCountMax: Int) throws(SocketError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCountMax)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        let count = try receive(into: &raw)
        bytes.removeLast(byteCountMax - count)
        return bytes
    }

    /// Bounds every later send and receive; they throw after that time.
    package borrowing func limitWait(milliseconds: UInt32) throws(SocketError) {
        let result = isotherm_limit_socket_wait(descriptor, milliseconds)
        guard result == 0 else { throw .cannotReceive(SystemCode(ofResult: result)) }
    }

    /// Ends both directions: a blocked receive, here or on another thread, returns.
    package borrowing func shutDown() { _ = isotherm_shut_down(descriptor) }
}
