internal import GRDB
internal import Units

/// How many leaves there are, and a sum over their keys.
///
/// A leaf itself has a checksum, but one whose key was lost from the index, or turned into another,
/// would not be missed: its blocks would read as zeros.  Kept as the setting `leaves`, two numbers
/// with a space between, and held against the keys when a pool is opened.
struct LeafTally: Hashable {
    static var settingKey: String { "leaves" }

    private(set) var count: UInt64 = 0
    /// Of a mixed word for each key, wrapping around: in any order the same.
    private(set) var sum: UInt64 = 0

    mutating func add(_ key: LeafKey) {
        count &+= 1
        sum &+= Self.mix(key)
    }

    mutating func remove(_ key: LeafKey) {
        count &-= 1
        sum &-= Self.mix(key)
    }

    private static func mix(_ key: LeafKey) -> UInt64 {
        finish(finish(key.tree.rawValue &+ 0x9E37_79B9_7F4A_7C15) &+ key.index)
    }

    /// The finisher of splitmix64 (public domain): every bit of the result depends on every bit of
    /// `word`.
    private static func finish(_ word: UInt64) -> UInt64 {
        var word = word
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    // MARK: In the catalogue

    /// The tally as of the last commit; zeros before the first.
    static func read(in database: Database, path: String) throws -> LeafTally {
        let found = try CatalogueReading.setting(settingKey, in: database, path: path)
        guard let found else { return LeafTally() }
        let words = found.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 2, let count = UInt64(words[0]), let sum = UInt64(words[1]) else {
            throw CatalogueError.value(
                path: path,
                table: "settings",
                column: "value",
                found: found
            )
        }
        return LeafTally(count: count, sum: sum)
    }

    func write(to database: Database) throws {
        try database.put("settings", [Self.settingKey, "\(count) \(sum)"])
    }

    /// Refuses keys that are not the ones that were written.
    static func verify(_ keys: [LeafKey], in database: Database, path: String) throws {
        var tally = LeafTally()
        for key in keys { tally.add(key) }
        let written = try read(in: database, path: path)
        guard tally == written else {
            throw CatalogueError.value(
                path: path,
                table: "leaves",
                column: "tree or leaf",
                found: "the keys of \(tally.count) leaves, and not of the \(written.count) written"
            )
        }
    }
}
