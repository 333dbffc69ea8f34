package import Catalogue

/// Finds pools: by the index, or by the directory that a person names.
package enum PoolPlaces {
    package static func locate(
        _ name: ObjectName,
        directory: String?,
        home: String
    ) throws(ControlError) -> PoolDirectory {
        guard let directory else {
            return try ControlError.converting { () throws(CatalogueError) in
                try PoolDirectory.locate(name.text, home: home)
            }
        }
        return PoolDirectory(name: name.text, path: PathText.absolute(directory))
    }
}

/// Paths as text.
package enum PathText {
    /// `path` from the root, as seen from the directory that this process is in.
    package static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        return LocalFile.workingDirectory + "/" + path
    }

    /// The part behind the last slash.
    package static func lastPart(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}

extension ControlError {
    /// Does what the catalogue does, with its errors as those of the command line.
    static func converting<Value>(
        _ body: () throws(CatalogueError) -> Value
    ) throws(ControlError) -> Value {
        do throws(CatalogueError) {
            return try body()
        } catch {
            throw ControlError(error)
        }
    }

    /// The catalogue's errors, with the exit status that each has on the command line.
    package init(_ error: CatalogueError) {
        switch error {
        case .unknownPool(let name, _): self = .poolMissing(name: name)
        case .inUse(let path, let holder):
            self = .poolServed(name: PathText.pool(ofCatalogue: path), processIdentifier: holder)
        case .missing, .poolDirectoryMissing:
            self = .catalogue(description: error.description, status: .notFound)
        case .alreadyThere, .poolNameTaken, .poolDirectoryNotEmpty:
            self = .catalogue(description: error.description, status: .refused)
        case .poolName: self = .catalogue(description: error.description, status: .usage)
        default: self = .catalogue(description: error.description, status: .failed)
        }
    }
}

extension PathText {
    /// The pool's directory, by which its name can be told, of a catalogue's path.
    fileprivate static func pool(ofCatalogue path: String) -> String {
        let parts = path.split(separator: "/")
        return parts.count > 1 ? String(parts[parts.count - 2]) : path
    }
}
