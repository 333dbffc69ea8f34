internal import GRDB
internal import Units

// How far the pool had come when the catalogue was written, in its own words: what the devices are
// told is held against it.  Kept as settings, numbers with a space between; a catalogue without
// them is one that no device was told of.
//
//     age.pool     the last incarnation of which every device was told
//     age.LANE     the lane's newest checkpoint, and one of which every flash device was told
enum AgeSetting {
    static var keyPrefix: String { "age." }
    static var poolKey: String { "age.pool" }
    static func key(of lane: LaneIndex) -> String { "\(keyPrefix)\(lane.rawValue)" }

    static func text(of position: LanePosition) -> String {
        "\(position.checkpoint) \(position.witnessed)"
    }

    /// The numbers of all these settings, by key.
    static func read(in database: Database, path: String) throws -> [String: [UInt64]] {
        let found = try CatalogueReading.rows(of: "settings", in: database, path: path) {
            row throws(CatalogueError) in
            (key: try row.text(0), value: try row.text(1))
        }
        var numbers: [String: [UInt64]] = [:]
        for (key, value) in found where key.hasPrefix(keyPrefix) {
            let words = value.split(separator: " ", omittingEmptySubsequences: false)
            let read = words.compactMap { UInt64($0) }
            guard read.count == words.count, read.count == (key == poolKey ? 1 : 2) else {
                throw CatalogueError.value(
                    path: path,
                    table: "settings",
                    column: "value",
                    found: value
                )
            }
            numbers[key] = read
        }
        return numbers
    }
}
