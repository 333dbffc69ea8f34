import Foundation

/// The project's own Swift and C files.
enum SourceTree {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The text of a file; nil when there is none.
    static func text(of path: String) -> String? {
        // The caller says what it means that there is none.
        try? String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path())
    }

    static let files: [SourceText] = {
        ["Sources", "Tests", "Package.swift"].flatMap(paths(under:)).sorted().compactMap { path in
            guard let text = text(of: path) else { return nil }
            return SourceText(path: path, text: text)
        }
    }()

    /// The source files in a folder, or the one file that `start` names.
    private static func paths(under start: String) -> [String] {
        let suffixes = [".swift", ".c", ".h"]
        if suffixes.contains(where: start.hasSuffix) { return [start] }
        let names = FileManager.default.enumerator(atPath: root.appending(path: start).path())
        return (names?.compactMap { $0 as? String } ?? [])
            .filter { name in suffixes.contains(where: name.hasSuffix) }
            .map { start + "/" + $0 }
    }
}
