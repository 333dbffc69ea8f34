/// What the catalogue was doing when something failed.
package enum CatalogueOperation: String, Sendable {
    case create, open, lock, read, commit, checkpoint, close, copy, register
}

/// Why the catalogue, or the index of pools beside it, refused or failed.  One case a reason.
///
/// Nothing is retried: a transaction whose error reached the caller did not happen, or, when the
/// operating system failed to make it durable, counts as not having happened.
package enum CatalogueError: Error, Hashable, Sendable {
    /// There is no file at `path`.
    case missing(path: String)
    /// `create` found a file at `path`: a catalogue, or the log of one.
    case alreadyThere(path: String)
    /// Another process, or another part of this one, has the catalogue open.  `holder` is its
    /// process identifier when it could be read.
    case inUse(path: String, holder: Int32?)
    /// A system call failed with the error number `code`.
    case system(path: String, operation: CatalogueOperation, code: Int32)
    /// The file is shorter than the header of any database, or ends inside its last page.
    case truncated(path: String, byteCount: Int)
    /// The file does not begin as an SQLite database does.
    case notDatabase(path: String)
    /// A database, but of another program.
    case foreign(path: String, applicationIdentifier: UInt32)
    /// A catalogue of a version that this program does not know.
    case unknownVersion(path: String, found: UInt32, newestKnown: UInt32)
    /// The table, index, view or trigger `object` is not as this version makes it, or not there.
    case schema(path: String, object: String)
    /// SQLite did not take a setting that the safety of the catalogue rests on.
    case settingRefused(path: String, setting: String, found: String)
    /// SQLite found the file damaged.
    case damaged(path: String, finding: String)
    /// A column holds a value that no writer writes.
    case value(path: String, table: String, column: String, found: String)
    /// The file system has no space for the transaction, which was rolled back whole.
    case full(path: String)
    /// SQLite failed with its extended result code `code`.
    case database(path: String, operation: CatalogueOperation, code: Int32, message: String)
    /// An earlier change failed in a way after which nothing may be changed; reading still works.
    case fenced(path: String, cause: String)
    /// The catalogue was closed.
    case closed(path: String)
    /// A setting's key or value is larger than the catalogue keeps.
    case settingTooLarge(path: String, key: String, byteCount: Int, byteCountMax: Int)
    /// The pool has been opened more often than sequence numbers can tell apart.
    case incarnationsExhausted(path: String)
    /// A pool's name is not 1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit.
    case poolName(String)
    /// No pool of this name is registered in the index at `index`.
    case unknownPool(name: String, index: String)
    /// The pool is registered, but its directory is not there.
    case poolDirectoryMissing(name: String, path: String)
    /// The name is registered already, for another directory.
    case poolNameTaken(name: String, path: String)
    /// A pool cannot be forgotten while files lie in its directory inside the index.
    case poolDirectoryNotEmpty(name: String, path: String)
}

extension CatalogueError: CustomStringConvertible {
    /// One line for people: where, why, and what to do.
    package var description: String { "\(place): \(reason); \(remedy)" }

    /// The file, directory or pool that the error is about.
    private var place: String {
        switch self {
        case .missing(let path), .alreadyThere(let path), .inUse(let path, _),
            .system(let path, _, _), .truncated(let path, _), .notDatabase(let path),
            .foreign(let path, _), .unknownVersion(let path, _, _), .schema(let path, _),
            .settingRefused(let path, _, _), .damaged(let path, _), .value(let path, _, _, _),
            .full(let path), .database(let path, _, _, _), .fenced(let path, _), .closed(let path),
            .settingTooLarge(let path, _, _, _), .incarnationsExhausted(let path):
            path
        case .poolName(let name), .unknownPool(let name, _), .poolDirectoryMissing(let name, _),
            .poolNameTaken(let name, _), .poolDirectoryNotEmpty(let name, _):
            "pool '\(name.prefix(80))'"
        }
    }

    private var reason: String {
        switch self {
        case .missing: "there is no catalogue"
        case .alreadyThere: "a file is there already"
        case .inUse(_, let holder):
            "the pool is open in " + (holder.map { "process \($0)" } ?? "another process")
        case .system(_, let operation, let code):
            "\(operation.rawValue) failed with system error \(code)"
        case .truncated(_, let byteCount): "the catalogue ends after \(byteCount) bytes"
        case .notDatabase: "this is not a catalogue"
        case .foreign(_, let identifier):
            "the database belongs to another program (application identifier \(identifier))"
        case .unknownVersion(_, let found, let newest):
            "the catalogue has version \(found), this program knows up to \(newest)"
        case .schema(_, let object): "\(object) is not as a catalogue has it"
        case .settingRefused(_, let setting, let found): "\(setting) is \(found) after it was set"
        case .damaged(_, let finding): "the catalogue is damaged: \(finding)"
        case .value(_, let table, let column, let found): "\(table).\(column) holds \(found)"
        case .full: "there is no space for the catalogue"
        case .database(_, let operation, let code, let message):
            "\(operation.rawValue) failed: \(message) (SQLite result \(code))"
        case .fenced(_, let cause): "nothing can be changed since a change failed: \(cause)"
        case .closed: "the catalogue is closed"
        case .settingTooLarge(_, let key, let byteCount, let byteCountMax):
            "setting \(key.prefix(64)) has \(byteCount) bytes, more than \(byteCountMax)"
        case .incarnationsExhausted: "the pool was opened as often as sequence numbers can count"
        case .poolName: "this is no name for a pool"
        case .unknownPool(_, let index): "there is no such pool in \(index)"
        case .poolDirectoryMissing(_, let path): "its directory \(path) is not there"
        case .poolNameTaken(_, let path): "the name stands for \(path)"
        case .poolDirectoryNotEmpty(_, let path): "there are files in \(path)"
        }
    }

    private var remedy: String {
        switch self {
        case .missing, .notDatabase:
            "check the path, or make it anew from the devices: isotherm pool rebuild"
        case .alreadyThere: "choose another directory, or destroy the old pool first"
        case .inUse: "ask the process that has it open, or stop that process"
        case .foreign: "check the path"
        case .unknownVersion: "use the program that wrote it, or a newer one"
        case .truncated, .schema, .damaged, .value:
            "restore a copy, or make it anew from the devices: isotherm pool rebuild"
        case .settingRefused: "keep the catalogue on a local file system with file locks"
        case .full: "free space on its file system"
        case .system, .database, .fenced:
            "look in the system's log, mend the cause and open the pool again"
        case .closed: "open the pool again"
        case .settingTooLarge: "use a shorter value"
        case .incarnationsExhausted: "copy its volumes to a new pool"
        case .poolName: "use 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first"
        case .unknownPool: "create it, or register its directory"
        case .poolDirectoryMissing: "bring the directory back, or forget the pool"
        case .poolNameTaken: "choose another name, or forget that pool"
        case .poolDirectoryNotEmpty: "destroy the pool first"
        }
    }
}
