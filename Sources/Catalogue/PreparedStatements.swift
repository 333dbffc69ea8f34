internal import GRDB
internal import GRDBSQLite
internal import Units

// Statements on the two big tables, bound and stepped directly: a checkpoint runs thousands of
// them and a load is waited for.  GRDB prepares and keeps them; its own values would wrap every
// blob in a Foundation object and copy it twice.  A failure is thrown as GRDB's error, like all
// others.
//
// Each statement is reset when its call ends, whatever happened, so none stays open over a commit.
extension Database {
    /// Runs a statement that changes rows, with `numbers` as its first parameters and `bytes`,
    /// which must not be empty, as its last.
    func run(_ sql: String, _ numbers: [Int64], _ bytes: [UInt8]) throws {
        invariant(!bytes.isEmpty, "an empty value is a removal")
        try unsafe prepared(sql, numbers) { statement in
            // SQLite reads the bytes inside this closure only; the binding is cleared before the
            // end of `prepared`.
            try unsafe bytes.withUnsafeBytes { room in
                let code = unsafe sqlite3_bind_blob64(
                    statement,
                    Int32(numbers.count + 1),
                    room.baseAddress,
                    UInt64(room.count),
                    nil
                )
                try expect(code, SQLITE_OK)
                try expect(unsafe sqlite3_step(statement), SQLITE_DONE)
            }
        }
    }

    /// Runs a statement that changes rows, with `numbers` as its parameters.
    func run(_ sql: String, _ numbers: [Int64]) throws {
        try unsafe prepared(sql, numbers) { statement in
            try expect(unsafe sqlite3_step(statement), SQLITE_DONE)
        }
    }

    /// Whether there is a row.
    func has(_ sql: String, _ numbers: [Int64]) throws -> Bool {
        try unsafe prepared(sql, numbers) { statement in
            let code = unsafe sqlite3_step(statement)
            if code == SQLITE_DONE { return false }
            try expect(code, SQLITE_ROW)
            return true
        }
    }

    /// The blob in the first column of the first row; empty when there is no row.
    func blob(_ sql: String, _ numbers: [Int64]) throws -> [UInt8] {
        try unsafe prepared(sql, numbers) { statement in
            let code = unsafe sqlite3_step(statement)
            if code == SQLITE_DONE { return [] }
            try expect(code, SQLITE_ROW)
            let bytes = unsafe sqlite3_column_blob(statement, 0)
            let byteCount = unsafe Int(sqlite3_column_bytes(statement, 0))
            guard let bytes = unsafe bytes, byteCount > 0 else { return [] }
            // The row's memory is valid until the statement is reset; the array is a copy.
            return unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: byteCount))
        }
    }

    /// Calls `body` with the two integers of each row; false when a row holds something else.
    func pairs(_ sql: String, _ body: (Int64, Int64) -> Void) throws -> Bool {
        try unsafe prepared(sql, []) { statement in
            while true {
                let code = unsafe sqlite3_step(statement)
                if code == SQLITE_DONE { return true }
                try expect(code, SQLITE_ROW)
                guard unsafe sqlite3_column_type(statement, 0) == SQLITE_INTEGER,
                    unsafe sqlite3_column_type(statement, 1) == SQLITE_INTEGER
                else { return false }
                unsafe body(sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1))
            }
        }
    }

    /// Lends the statement to `body` with its numbers bound.  The cache keeps the statement alive
    /// for longer than the call.
    private func prepared<Value>(
        _ sql: String,
        _ numbers: [Int64],
        _ body: (OpaquePointer) throws -> Value
    ) throws -> Value {
        let statement = unsafe try cachedStatement(sql: sql).sqliteStatement
        defer {
            unsafe sqlite3_reset(statement)
            unsafe sqlite3_clear_bindings(statement)
        }
        for (place, number) in numbers.enumerated() {
            try expect(unsafe sqlite3_bind_int64(statement, Int32(place + 1), number), SQLITE_OK)
        }
        return try unsafe body(statement)
    }

    private func expect(_ code: Int32, _ expected: Int32) throws {
        guard code == expected else {
            // The connection is alive inside the closure that lends it.
            let message = unsafe String(cString: sqlite3_errmsg(sqliteConnection))
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
        }
    }
}
