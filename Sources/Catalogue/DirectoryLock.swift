internal import Glibc

/// The right to use a pool's directory, held as a `flock` lock on the file `lock` inside it.
///
/// `flock` and not a POSIX record lock, because the latter goes when the process closes any other
/// descriptor of the file.  The lock belongs to the open file, so it also refuses a second opener
/// in the same process, and the kernel gives it back when the process dies.  The file stays; it
/// holds the process identifier of its last holder, for messages only.
struct DirectoryLock: ~Copyable, Sendable {
    private let descriptor: Int32

    private init(descriptor: Int32) { self.descriptor = descriptor }

    /// Takes the lock of the directory that `cataloguePath` lies in; does not wait for it.
    static func acquire(for cataloguePath: String) throws(CatalogueError) -> DirectoryLock {
        let path = FilePlace.directory(of: cataloguePath) + "/lock"
        let lock = DirectoryLock(descriptor: try openFile(path))
        guard flock(lock.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            if code == EWOULDBLOCK { throw .inUse(path: cataloguePath, holder: lock.holder()) }
            throw .system(path: path, operation: .lock, code: code)
        }
        lock.writeHolder()
        return lock
    }

    /// A descriptor above standard error, so that no stray message can be written into the file.
    private static func openFile(_ path: String) throws(CatalogueError) -> Int32 {
        let opened = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw .system(path: path, operation: .lock, code: errno) }
        let descriptor = fcntl(opened, F_DUPFD_CLOEXEC, 3)
        let code = errno
        close(opened)
        guard descriptor >= 0 else { throw .system(path: path, operation: .lock, code: code) }
        return descriptor
    }

    deinit {
        // Unlocked by name: a child that was forked and has not yet begun its program holds a copy
        // of the descriptor, with which closing ours would leave the lock in force.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    private func holder() -> Int32? {
        var digits = [UInt8](repeating: 0, count: 16)
        let count = unsafe digits.withUnsafeMutableBytes { bytes in
            unsafe pread(descriptor, bytes.baseAddress, bytes.count, 0)
        }
        guard count > 0 else { return nil }
        return Int32(String(decoding: digits.prefix(count).prefix { $0 != 10 }, as: UTF8.self))
    }

    /// A failure here costs a number in a message and nothing else, so it is let go.
    private func writeHolder() {
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = unsafe text.withUnsafeBytes { bytes in
            unsafe pwrite(descriptor, bytes.baseAddress, bytes.count, 0)
        }
    }
}
