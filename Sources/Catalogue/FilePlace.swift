internal import Glibc

/// The few things that are done to the catalogue's file as a file.
///
/// None of them may run while SQLite has the file open in this process: closing a descriptor of it
/// would drop SQLite's locks.  The directory's lock is held around each.
enum FilePlace {
    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The first `countMax` bytes of the file; nil when there is no file.
    static func firstBytes(of path: String, countMax: Int) throws(CatalogueError) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(path: path, operation: .open, code: errno)
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: countMax)
        let count = unsafe bytes.withUnsafeMutableBytes { room in
            unsafe pread(descriptor, room.baseAddress, room.count, 0)
        }
        guard count >= 0 else { throw .system(path: path, operation: .open, code: errno) }
        return Array(bytes.prefix(count))
    }

    /// Bytes of the file; nil when there is none.  Opens nothing.
    static func byteCount(of path: String) -> UInt64? {
        var facts = stat()
        guard unsafe stat(path, &facts) == 0 else { return nil }
        return UInt64(facts.st_size)
    }

    /// Makes an empty file that only its owner may read; SQLite's files beside it inherit that.
    static func makePrivate(_ path: String) throws(CatalogueError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .system(path: path, operation: .create, code: errno)
        }
        close(descriptor)
    }

    /// Removes what an interrupted `create` may have left.
    static func removeIfThere(_ path: String) throws(CatalogueError) {
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw .system(path: path, operation: .create, code: errno)
        }
    }

    /// Gives a finished, closed file its name, and makes the name durable.
    static func publish(_ path: String, as name: String) throws(CatalogueError) {
        guard unsafe rename(path, name) == 0 else {
            throw .system(path: name, operation: .create, code: errno)
        }
        try synchronize(directory(of: name), .create)
    }

    /// Makes the names in a directory durable.
    static func synchronize(
        _ directory: String,
        _ operation: CatalogueOperation
    ) throws(CatalogueError) {
        let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .system(path: directory, operation: operation, code: errno)
        }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw .system(path: directory, operation: operation, code: errno)
        }
    }
}
