internal import Glibc

/// Room on the file system of a catalogue that is kept for it, as a file beside it.
///
/// When others have filled the file system, a commit finds no space: the lane would accept no
/// change any more, and the pool could not even be opened, as that moves the log into the database.
/// So the file is cut back then by a quarter, and what was refused is done once more; the last
/// quarter is left to the next opening.  It grows again when there is room for twice as much.
///
/// A file system that copies what is written over, as btrfs and ZFS do, keeps no such promise.
struct CatalogueReserve {
    static var byteCount: UInt64 { 4 * stepByteCount }
    /// About what the log grows to before it is moved.
    static var stepByteCount: UInt64 { 16 << 20 }

    let path: String

    init(ofCatalogueAt path: String) { self.path = path + ".reserve" }

    var isWhole: Bool { FilePlace.byteCount(of: path) ?? 0 >= Self.byteCount }

    /// Gives a quarter back; false when no more than `kept` bytes are left.
    func give(keeping kept: UInt64) -> Bool {
        let byteCount = FilePlace.byteCount(of: path) ?? 0
        guard byteCount > kept else { return false }
        let left = max(kept, byteCount - min(byteCount, Self.stepByteCount))
        return unsafe truncate(path, Int(left)) == 0
    }

    /// Takes what is missing of it, if there is ample room.  It is an aid: nobody is told when the
    /// file system does not keep it.
    func fill() {
        var facts = statvfs()
        guard !isWhole, unsafe statvfs(FilePlace.directory(of: path), &facts) == 0,
            UInt64(facts.f_bavail) * UInt64(facts.f_frsize) > 2 * Self.byteCount
        else { return }
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let before = FilePlace.byteCount(of: path) ?? 0
        if posix_fallocate(descriptor, 0, Int(Self.byteCount)) != 0 {
            _ = ftruncate(descriptor, Int(before))
        }
    }
}
