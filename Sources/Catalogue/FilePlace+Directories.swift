internal import Glibc

/// What the index of pools asks of the file system.
extension FilePlace {
    /// The value of an environment variable; nil when it is not set or empty.
    static func environment(_ name: String) -> String? {
        // The program sets no variables, so the text does not move under our eyes.
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// The home directory of the user who runs the program.
    static var userHome: String {
        if let home = environment("HOME") { return home }
        guard let entry = unsafe getpwuid(geteuid()), let home = unsafe entry.pointee.pw_dir else {
            return "/"
        }
        return unsafe String(cString: home)
    }

    /// `path` from the root on, without `.`, `..` and a slash at its end.  Links stay.
    static func absolute(_ path: String) -> String {
        var parts: [Substring] = []
        let start = path.hasPrefix("/") ? "" : currentDirectory
        for part in (start + "/" + path).split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    private static var currentDirectory: String {
        guard let path = unsafe getcwd(nil, 0) else { return "/" }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    static func isDirectory(_ path: String) -> Bool {
        var facts = stat()
        return unsafe stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes the directory for its owner alone, and those above it that are not there; durably.
    static func makeDirectories(_ path: String) throws(CatalogueError) {
        if isDirectory(path) { return }
        let parent = directory(of: path)
        if parent != path, parent != "." { try makeDirectories(parent) }
        guard unsafe mkdir(path, 0o700) == 0 || (errno == EEXIST && isDirectory(path)) else {
            throw .system(path: path, operation: .register, code: errno)
        }
        try synchronize(parent, .register)
    }

    /// Where the symbolic link at `path` leads; nil when there is no link.
    static func link(at path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { room -> Int in
            guard let start = room.baseAddress else { return 0 }
            return unsafe readlink(path, start.assumingMemoryBound(to: CChar.self), room.count)
        }
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }

    /// The names in a directory, in no order; none when the directory is not there.
    static func names(in path: String) throws(CatalogueError) -> [String] {
        guard let stream = unsafe opendir(path) else {
            if errno == ENOENT { return [] }
            throw .system(path: path, operation: .register, code: errno)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        // The entry is valid until the next call on the same stream.
        while let entry = unsafe readdir(stream) {
            unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe names.append(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
            }
        }
        return names
    }
}
