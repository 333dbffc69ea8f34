internal import Glibc

/// The directory of a pool, and the index by which pools are found by name.
///
///     HOME/pools/tank/                     a pool's directory inside the index, or
///     HOME/pools/tank -> /srv/tank         a link to where it is
///         catalogue.sqlite                 the catalogue; `-wal` beside it while it is open
///         catalogue.sqlite.before-SECONDS  one whose place a rebuild took; see `CatalogueDraft`
///         lock                             held by the process that has the pool open
///         control.sock                     where that process listens for commands
///
/// HOME is `$ISOTHERM_HOME`; without it `/var/lib/isotherm` for root and `~/.local/share/isotherm`
/// for everybody else.  The index is nothing but these entries: a pool whose entry is lost is found
/// again by registering its directory.
package struct PoolDirectory: Hashable, Sendable {
    package var name: String
    /// Absolute; links resolved by whoever uses it.
    package var path: String

    package var cataloguePath: String { path + "/catalogue.sqlite" }
    /// Room that is kept for the catalogue on its file system.
    package var isReserveWhole: Bool { CatalogueReserve(ofCatalogueAt: cataloguePath).isWhole }
    package var lockPath: String { path + "/lock" }
    /// The kernel takes at most 107 bytes of it.
    package var controlSocketPath: String { path + "/control.sock" }
    /// Where clients connect, unless told otherwise; what a killed process left of it stays.
    package var clientSocketPath: String { path + "/nbd.sock" }

    package init(name: String, path: String) {
        self.name = name
        self.path = path
    }

    /// HOME, absolute.
    package static var defaultHome: String {
        if let home = FilePlace.environment("ISOTHERM_HOME") { return FilePlace.absolute(home) }
        if geteuid() == 0 { return "/var/lib/isotherm" }
        return FilePlace.absolute(FilePlace.userHome) + "/.local/share/isotherm"
    }

    /// Whether `name` is 1 to 64 letters, digits, `.`, `_` or `-`, a letter or digit first.
    package static func isName(_ name: String) -> Bool {
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte)
        }
        let bytes = Array(name.utf8)
        guard let first = bytes.first, bytes.count <= 64, isLetterOrDigit(first) else {
            return false
        }
        return bytes.allSatisfy {
            isLetterOrDigit($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D
        }
    }

    /// The directory of the pool `name`, which is there.
    package static func locate(
        _ name: String,
        home: String = defaultHome
    ) throws(CatalogueError) -> PoolDirectory {
        guard isName(name) else { throw .poolName(name) }
        guard let path = target(of: name, home: home) else {
            throw .unknownPool(name: name, index: index(home))
        }
        guard FilePlace.isDirectory(path) else {
            throw .poolDirectoryMissing(name: name, path: path)
        }
        return PoolDirectory(name: name, path: path)
    }

    /// Enters the pool `name` with its directory, by default one inside the index, and makes the
    /// directory, for its owner alone, when it is not there.  Entering the same again is no error.
    package static func register(
        _ name: String,
        at directory: String? = nil,
        home: String = defaultHome
    ) throws(CatalogueError) -> PoolDirectory {
        guard isName(name) else { throw .poolName(name) }
        let entry = index(home) + "/" + name
        let path = directory.map(FilePlace.absolute) ?? entry
        let known = target(of: name, home: home)
        if let known, known != path { throw .poolNameTaken(name: name, path: known) }
        try FilePlace.makeDirectories(index(home))
        try FilePlace.makeDirectories(path)
        if path != entry, known == nil {
            guard unsafe symlink(path, entry) == 0 else {
                throw .system(path: entry, operation: .register, code: errno)
            }
            try FilePlace.synchronize(index(home), .register)
        }
        return PoolDirectory(name: name, path: path)
    }

    /// All entries, by name; the directory of one may be missing.
    package static func list(home: String = defaultHome) throws(CatalogueError) -> [PoolDirectory] {
        try FilePlace.names(in: index(home)).filter(isName).sorted().compactMap { name in
            target(of: name, home: home).map { PoolDirectory(name: name, path: $0) }
        }
    }

    /// Takes the pool `name` out of the index.  A link goes and its directory stays as it is; a
    /// directory inside the index must be empty.
    package static func forget(_ name: String, home: String = defaultHome) throws(CatalogueError) {
        guard isName(name) else { throw .poolName(name) }
        guard let path = target(of: name, home: home) else {
            throw .unknownPool(name: name, index: index(home))
        }
        let entry = index(home) + "/" + name
        if path != entry {
            guard unsafe unlink(entry) == 0 else {
                throw .system(path: entry, operation: .register, code: errno)
            }
            return
        }
        guard unsafe rmdir(entry) == 0 else {
            let code = errno
            if code == ENOTEMPTY || code == EEXIST {
                throw .poolDirectoryNotEmpty(name: name, path: path)
            }
            throw .system(path: entry, operation: .register, code: code)
        }
    }

    /// Takes back what `register` entered for a pool that came to nothing.  Leaves everything as it
    /// is when somebody else has made a pool there meanwhile; refused while somebody is at it.
    package func withdraw(home: String = defaultHome) throws(CatalogueError) {
        let lock = try DirectoryLock.acquire(for: cataloguePath)
        guard FilePlace.byteCount(of: cataloguePath) == nil else { return }
        try FilePlace.removeIfThere(lockPath)
        try PoolDirectory.forget(name, home: home)
        _ = consume lock
    }

    /// Removes the catalogue, those that a rebuild moved aside, the lock and the control socket:
    /// the pool is no more.  Refused while a process has the pool open.  The directory stays.
    package func removeFiles() throws(CatalogueError) {
        guard FilePlace.isDirectory(path) else { return }
        let lock = try DirectoryLock.acquire(for: cataloguePath)
        // The database goes before its log: what an interruption leaves is never an old database
        // without the commits that only the log has.
        for suffix in ["", "-wal", ".new", ".new-wal", ".new-journal", ".reserve"] {
            try FilePlace.removeIfThere(cataloguePath + suffix)
        }
        try CatalogueDraft.removeFolder(draftFolderPath)
        try CatalogueDraft.removeAsides(of: cataloguePath)
        try FilePlace.removeIfThere(controlSocketPath)
        try FilePlace.removeIfThere(clientSocketPath)
        try FilePlace.removeIfThere(lockPath)
        _ = consume lock
    }

    private static func index(_ home: String) -> String { home + "/pools" }

    /// Where the entry `name` leads: its link's target or itself; nil when there is no entry.
    private static func target(of name: String, home: String) -> String? {
        let entry = index(home) + "/" + name
        if let link = FilePlace.link(at: entry) {
            // Links that people make by hand may be relative to the index.
            return link.hasPrefix("/") ? link : index(home) + "/" + link
        }
        return FilePlace.isDirectory(entry) ? entry : nil
    }
}
