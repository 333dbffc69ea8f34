internal import Format
internal import Glibc

/// One end of a connection over a unix socket, or a socket that waits for connections.
///
/// Blocking, with a limit on every wait.  The only file of this module that makes system calls for
/// sockets.  A descriptor is closed when its owner goes.
struct LocalSocket: ~Copyable, Sendable {
    private let descriptor: Int32

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// For `shutDown(descriptor:)` of a socket that another thread waits on.
    var rawDescriptor: Int32 { descriptor }

    /// Listens at `path` for this user alone.
    ///
    /// The caller holds the pool's lock, so a socket file that is there was left by a process that
    /// is gone.  The mode is set before the file appears: nobody else can connect in between.
    static func listen(at path: String) throws(ControlError) -> LocalSocket {
        let socket = try make(path)
        try reach(path) { name throws(ControlError) in
            _ = unsafe unlink(name)
            guard fchmod(socket.descriptor, 0o600) == 0 else {
                throw .socket(path: path, call: "fchmod", code: errno)
            }
            let result = unsafe try address(name, path) {
                unsafe bind(socket.descriptor, $0, $1)
            }
            guard result == 0 else {
                throw .socket(path: path, call: "bind", code: errno)
            }
        }
        guard Glibc.listen(socket.descriptor, 16) == 0 else {
            throw .socket(path: path, call: "listen", code: errno)
        }
        return socket
    }

    /// Connects to whoever listens at `path`.
    static func connect(to path: String) throws(ControlError) -> LocalSocket {
        let socket = try make(path)
        try reach(path) { name throws(ControlError) in
            let result = unsafe try address(name, path) {
                unsafe Glibc.connect(socket.descriptor, $0, $1)
            }
            guard result != 0 else { return }
            switch errno {
            case ENOENT, ECONNREFUSED, ENOTDIR:
                throw .daemonUnreachable(socket: path, reason: "no daemon listens")
            case EACCES, EPERM:
                throw .daemonUnreachable(socket: path, reason: "this user may not connect")
            case let code: throw .socket(path: path, call: "connect", code: code)
            }
        }
        return socket
    }

    private static func make(_ path: String) throws(ControlError) -> LocalSocket {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .socket(path: path, call: "socket", code: errno) }
        return LocalSocket(descriptor: descriptor)
    }

    /// Calls `body` with a name of `path` that fits an address: the path itself, or one by way of
    /// its open directory when it has more than 107 bytes.
    private static func reach(
        _ path: String,
        _ body: (String) throws(ControlError) -> Void
    ) throws(ControlError) {
        guard path.utf8.count >= 108 else { return try body(path) }
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let directory = unsafe open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else {
            if errno == ENOENT {
                throw .daemonUnreachable(socket: path, reason: "no daemon listens")
            }
            throw .socket(path: path, call: "open", code: errno)
        }
        defer { close(directory) }
        try body("/proc/self/fd/\(directory)" + path[slash...])
    }

    private static func address(
        _ name: String,
        _ path: String,
        _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(ControlError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(name.utf8) + [0]
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count <= room else {
            throw .socket(path: path, call: "bind", code: ENAMETOOLONG)
        }
        // Safe: the bytes fit the field, and the address lives through the call.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let byteCount = socklen_t(MemoryLayout<sockaddr_un>.size)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe call(generic, byteCount)
            }
        }
    }

    /// The next connection; nil when the socket was shut down, or as soon as `isStopping` where no
    /// descriptor is left: there the kernel does not even tell that the socket was shut down.
    func accept(unless isStopping: () -> Bool) -> LocalSocket? {
        while true {
            let accepted = Glibc.accept(descriptor, nil, nil)
            if accepted >= 0 {
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                return LocalSocket(descriptor: accepted)
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                // Descriptors come back when other connections end.
                if isStopping() { return nil }
                usleep(20_000)
            default: return nil
            }
        }
    }

    /// The user at the other end, as the kernel knows it.
    func peerUser() -> UInt32? {
        var credentials = Credentials()
        var byteCount = socklen_t(MemoryLayout<Credentials>.size)
        let result = unsafe getsockopt(
            descriptor,
            SOL_SOCKET,
            SO_PEERCRED,
            &credentials,
            &byteCount
        )
        return result == 0 ? credentials.user : nil
    }

    /// The kernel's `struct ucred`, which the system's headers hide without their extensions.
    private struct Credentials {
        var process: Int32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
    }

    /// Bounds each wait for bytes, or for room for bytes.
    func limitWaits(seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        let byteCount = socklen_t(MemoryLayout<timeval>.size)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, byteCount)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, byteCount)
    }

    enum Received: Equatable {
        case bytes(Int)
        case end
        case timedOut
    }

    /// Receives into `room`, at least one byte.
    func receive(into room: inout [UInt8]) -> Received {
        while true {
            let count = unsafe room.withUnsafeMutableBytes { bytes in
                unsafe recv(descriptor, bytes.baseAddress, bytes.count, 0)
            }
            if count > 0 { return .bytes(count) }
            if count < 0 && errno == EINTR { continue }
            return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? .timedOut : .end
        }
    }

    /// Sends all; false when the other end is gone or does not take them in time.
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { all in
                unsafe Glibc.send(
                    descriptor,
                    all.baseAddress?.advanced(by: sent),
                    all.count - sent,
                    Int32(MSG_NOSIGNAL)
                )
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Ends every wait on the socket, also in other threads.
    func shutDown() { Self.shutDown(descriptor: descriptor) }

    static func shutDown(descriptor: Int32) { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// The user that this process acts as.
    static var ownUser: UInt32 { geteuid() }

    /// Removes the file of a socket that nobody listens at any more.
    static func remove(_ path: String) { _ = unsafe unlink(path) }
}
