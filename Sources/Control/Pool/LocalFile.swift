internal import Foundation

/// The few things that are done to files beside the devices.
enum LocalFile {
    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// Removes a file; one that is not there, or cannot be removed, stays as it is.
    static func remove(_ path: String) { _ = unsafe unlink(path) }

    /// The directory that this process is in.
    static var workingDirectory: String { FileManager.default.currentDirectoryPath }
}

/// How large files are.
enum FileSize {
    /// Bytes of the file; nil when there is none.
    static func of(_ path: String) -> UInt64? {
        var facts = stat()
        guard unsafe stat(path, &facts) == 0 else { return nil }
        return UInt64(facts.st_size)
    }
}
