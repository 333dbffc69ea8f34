internal import Glibc
internal import IO

/// A catalogue that is made anew beside a pool's own, and takes its place when it is whole.
///
///     DIRECTORY/catalogue.sqlite                     the pool's own, if there is one
///     DIRECTORY/catalogue.sqlite.before-SECONDS      one that was in its place
///     DIRECTORY/catalogue.rebuild/catalogue.sqlite   the draft
///
/// The pool's lock is held from the beginning to the end, so nobody opens the pool meanwhile; the
/// draft has a lock of its own in its folder.  Crash order, each step only after the one before it:
///
/// 1. The draft is made, filled and closed: it is durable and has no log beside it.
/// 2. The pool's own is moved aside, the database before its log: what is left at its place is
///    never a database without the commits that only the log has.
/// 3. The directory is synchronised.
/// 4. The draft is renamed into the place, and the directory is synchronised.
///
/// So a cut leaves the old catalogue, none, or the whole new one.  What it leaves besides is put
/// right by the next draft: a log that is still to follow its database does, and an unfinished
/// draft is removed.
package final class CatalogueDraft: Sendable {
    /// The catalogue that takes the place.
    private let place: String
    private let folder: String
    private let lock: Guarded<HeldLock>

    private struct HeldLock: ~Copyable {
        var lock: DirectoryLock?
    }

    /// Where the draft itself is to be made.
    package var path: String { folder + "/catalogue.sqlite" }

    /// A draft for a pool whose directory is there.  Takes the pool's lock, changes nothing else.
    package init(for directory: PoolDirectory) throws(CatalogueError) {
        let lock = try DirectoryLock.acquire(for: directory.cataloguePath)
        place = directory.cataloguePath
        folder = directory.draftFolderPath
        self.lock = Guarded(HeldLock(lock: consume lock))
    }

    /// A draft that is going to be discarded, for a pool whose directory is not there.
    package init(withoutDirectoryFor directory: PoolDirectory) {
        var above = FilePlace.directory(of: directory.path)
        while !FilePlace.isDirectory(above), above != "/" { above = FilePlace.directory(of: above) }
        place = directory.cataloguePath
        // No name of a pool begins with a dot; two that plan at the same time do not meet.
        folder = (above == "/" ? "" : above) + "/.\(directory.name).rebuild.\(getpid())"
        lock = Guarded(HeldLock(lock: nil))
    }

    /// Whether the pool has a catalogue.
    package var hasPredecessor: Bool { FilePlace.byteCount(of: place) != nil }

    /// Makes the folder of the draft, without what an earlier one left in it.
    package func prepare() throws(CatalogueError) {
        try Self.removeFolder(folder)
        try FilePlace.makeDirectories(folder)
    }

    /// Removes the draft, which nobody has open.
    package func discard() throws(CatalogueError) {
        try Self.removeFolder(folder)
        lock.withLock { $0.lock = nil }
    }

    /// Puts the draft, which is closed, in its place, and gives back the pool's lock.
    ///
    /// - Parameter seconds: since 1970; names what is moved aside.
    /// - Returns: where the catalogue is that was in the place; nil when there was none.
    package func publish(seconds: Int64) throws(CatalogueError) -> String? {
        let aside = try Self.setAside(place, seconds: seconds)
        try FilePlace.publish(path, as: place)
        try discard()
        return aside
    }

    // MARK: What is in the way

    /// Puts right what an interrupted rebuild left in a directory whose lock is held.
    static func clear(_ directory: PoolDirectory, seconds: Int64) throws(CatalogueError) {
        try removeFolder(directory.draftFolderPath)
        guard FilePlace.byteCount(of: directory.cataloguePath) == nil else { return }
        _ = try setAside(directory.cataloguePath, seconds: seconds)
    }

    /// What stands beside a database and belongs to it.
    private static var companions: [String] { ["-wal", "-journal"] }

    /// Moves the database at `place` aside, and what belongs to it behind it, durably; a log whose
    /// database went before follows it.  Returns where the database is now; nil if there was none.
    private static func setAside(
        _ place: String,
        seconds: Int64
    ) throws(CatalogueError) -> String? {
        var isMoved = false
        let isThere = FilePlace.byteCount(of: place) != nil
        let companions = companions.filter { FilePlace.byteCount(of: place + $0) != nil }
        guard isThere || !companions.isEmpty else { return nil }
        let earlier = try asides(of: place)
        var aside = place + asideMark + "\(seconds)"
        if isThere {
            var seconds = seconds
            while isTaken(aside) {
                seconds += 1
                aside = place + asideMark + "\(seconds)"
            }
            try move(place, to: aside)
            isMoved = true
        } else if let newest = earlier.last {
            aside = newest
        }
        for companion in companions {
            // Beside a database that has one already, a log belongs to nobody knows which.
            var target = aside + companion
            while FilePlace.byteCount(of: target) != nil { target += ".other" }
            try move(place + companion, to: target)
        }
        try FilePlace.synchronize(FilePlace.directory(of: place), .create)
        return isMoved ? aside : nil
    }

    private static func isTaken(_ path: String) -> Bool {
        FilePlace.byteCount(of: path) != nil
            || companions.contains { FilePlace.byteCount(of: path + $0) != nil }
    }

    private static func move(_ path: String, to target: String) throws(CatalogueError) {
        guard unsafe rename(path, target) == 0 else {
            throw .system(path: path, operation: .create, code: errno)
        }
    }

    private static var asideMark: String { ".before-" }

    /// The databases that were moved aside, the newest last.
    private static func asides(of place: String) throws(CatalogueError) -> [String] {
        let directory = FilePlace.directory(of: place)
        let mark = String(place.dropFirst(directory.count + 1)) + asideMark
        let numbers = try FilePlace.names(in: directory).compactMap { name in
            name.hasPrefix(mark) ? Int64(name.dropFirst(mark.count)) : nil
        }
        return numbers.sorted().map { "\(directory)/\(mark)\($0)" }
    }

    /// Removes catalogues that were moved aside, with what belongs to them: their pool is no more.
    static func removeAsides(of place: String) throws(CatalogueError) {
        let directory = FilePlace.directory(of: place)
        let mark = String(place.dropFirst(directory.count + 1)) + asideMark
        for name in try FilePlace.names(in: directory) where name.hasPrefix(mark) {
            try FilePlace.removeIfThere(directory + "/" + name)
        }
    }

    /// Removes the folder of a draft with all that a draft puts into it.
    static func removeFolder(_ folder: String) throws(CatalogueError) {
        // What a link leads to is somebody else's.
        guard FilePlace.link(at: folder) == nil else {
            throw .system(path: folder, operation: .create, code: ELOOP)
        }
        guard FilePlace.isDirectory(folder) else { return }
        let path = folder + "/catalogue.sqlite"
        for suffix in ["", "-wal", "-journal", ".new", ".new-wal", ".new-journal"] {
            try FilePlace.removeIfThere(path + suffix)
        }
        try FilePlace.removeIfThere(folder + "/lock")
        guard unsafe rmdir(folder) == 0 else {
            throw .system(path: folder, operation: .create, code: errno)
        }
    }
}

extension PoolDirectory {
    /// Where a catalogue is made that takes the place of the pool's.
    var draftFolderPath: String { path + "/catalogue.rebuild" }

    /// Puts right what an interrupted rebuild left, before a pool is made in the directory.
    ///
    /// - Parameter seconds: since 1970; names what is moved aside.
    package func clearRebuild(seconds: Int64) throws(CatalogueError) {
        let lock = try DirectoryLock.acquire(for: cataloguePath)
        try CatalogueDraft.clear(self, seconds: seconds)
        _ = consume lock
    }
}
