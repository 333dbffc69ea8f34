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

/// What a path leads to, whatever its name: a file, or a block device.
struct FileIdentity: Hashable {
    private let device: UInt64
    /// Of the file on its file system; zero for a block device, which is one however it is reached.
    private let number: UInt64

    /// Nil when there is nothing.
    init?(of path: String) {
        var facts = stat()
        guard unsafe stat(path, &facts) == 0 else { return nil }
        let isBlockDevice = facts.st_mode & S_IFMT == S_IFBLK
        device = UInt64(isBlockDevice ? facts.st_rdev : facts.st_dev)
        number = isBlockDevice ? 0 : UInt64(facts.st_ino)
    }
}
