import Foundation

/// The project's own Swift and C files.
enum SourceTree {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let files: [SourceText] = {
        ["Sources", "Tests", "Package.swift"].flatMap(paths(under:)).sorted().compactMap { path in
            guard
                let text = try? String(  // A file that is no text shows up as missing below.
                    contentsOf: root.appending(path: path),
                    encoding: .utf8
                )
            else { return nil }
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
