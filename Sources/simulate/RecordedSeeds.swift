internal import Foundation

/// Seeds that found mutants before: a text file of lines `NAME SEED`.
struct RecordedSeeds: Sendable {
    struct Unreadable: Error, CustomStringConvertible {
        var path: String
        var line: Int
        var description: String { "\(path), line \(line): not a name and a seed" }
    }

    private var seeds: [String: UInt64] = [:]

    init() {}

    /// Reads what `write` has written; throws when the file is not there or holds anything else.
    init(path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for (index, line) in text.split(separator: "\n").enumerated() {
            let words = line.split(separator: " ")
            guard words.count == 2, let seed = UInt64(words[1]) else {
                throw Unreadable(path: path, line: index + 1)
            }
            seeds[String(words[0])] = seed
        }
    }

    subscript(name: String) -> UInt64? {
        get { seeds[name] }
        set { seeds[name] = newValue }
    }

    func write(to path: String) throws {
        let lines = seeds.keys.sorted().map { "\($0) \(seeds[$0] ?? 0)\n" }
        try lines.joined().write(toFile: path, atomically: true, encoding: .utf8)
    }
}
