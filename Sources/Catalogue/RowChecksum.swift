internal import Format
internal import GRDB
internal import Units

/// The last column of every table that a pool is opened by.
///
/// SQLite finds a page whose structure is broken, and not a number that turned into another one:
/// a count of live blocks that is too low would give data away, a position that is too far on would
/// leave flushed writes out.  The checksum covers the table's name and each value with its type.
enum RowChecksum {
    static var column: String { "checksum" }

    /// CRC-32C of the row of `table` whose other values are `values`, in the order of its columns.
    static func of(_ table: String, _ values: some Sequence<DatabaseValue>) -> Int64 {
        var bytes = Array(table.utf8)
        for value in values {
            switch value.storage {
            case .null: append(0, 0, to: &bytes)
            case .int64(let number): append(1, UInt64(bitPattern: number), to: &bytes)
            case .string(let text):
                append(2, UInt64(text.utf8.count), to: &bytes)
                bytes += Array(text.utf8)
            // No column of these tables takes one: whoever reads the row refuses it by its column.
            case .double, .blob: append(3, 0, to: &bytes)
            }
        }
        return Int64(unsafe Checksum.crc32c(bytes.span.bytes))
    }

    private static func append(_ type: UInt8, _ word: UInt64, to bytes: inout [UInt8]) {
        bytes.append(type)
        for shift in stride(from: 0, to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
        }
    }
}

extension Database {
    /// Puts a row into a table that has checksums, instead of the one with the same key.
    func put(_ table: String, _ values: [(any DatabaseValueConvertible)?]) throws {
        let values = values.map { $0?.databaseValue ?? .null }
        let places = Array(repeating: "?", count: values.count + 1).joined(separator: ", ")
        let statement = try cachedStatement(
            sql: "INSERT OR REPLACE INTO \(table) VALUES (\(places))"
        )
        let checksum = RowChecksum.of(table, values).databaseValue
        statement.setUncheckedArguments(StatementArguments(values + [checksum]))
        try statement.execute()
    }
}
