package import Units

/// The pool itself, as the catalogue knows it: one row, written once.
package struct PoolRow: Hashable, Sendable {
    package var identifier: PoolIdentifier
    package var name: String
    /// From one; the number of lanes that volumes are spread over.
    package var laneCount: UInt16
    /// Seconds since 1970, for people; nothing is decided by it.
    package var createdSeconds: Int64

    package init(identifier: PoolIdentifier, name: String, laneCount: UInt16, createdSeconds: Int64)
    {
        self.identifier = identifier
        self.name = name
        self.laneCount = laneCount
        self.createdSeconds = createdSeconds
    }
}

/// A device of the pool: who it is, where it was last found, and how it is divided.
package struct DeviceRow: Hashable, Sendable {
    package var index: DeviceIndex
    package var identifier: DeviceIdentifier
    package var role: DeviceRole
    /// Where it was last found.  Its identifier, not its path, says which device it is.
    package var path: String
    package var byteCount: UInt64
    package var segmentByteCount: UInt64
    package var segmentCount: UInt32
    /// The drive that the device is delayed to behave like; nil when it runs at its own speed.
    package var model: String?

    package init(
        index: DeviceIndex,
        identifier: DeviceIdentifier,
        role: DeviceRole,
        path: String,
        byteCount: UInt64,
        segmentByteCount: UInt64,
        segmentCount: UInt32,
        model: String?
    ) {
        self.index = index
        self.identifier = identifier
        self.role = role
        self.path = path
        self.byteCount = byteCount
        self.segmentByteCount = segmentByteCount
        self.segmentCount = segmentCount
        self.model = model
    }
}

/// One command that changed the pool: who gave it, and how it ended.
package struct HistoryRow: Hashable, Sendable {
    /// Seconds since 1970.
    package var seconds: Int64
    /// For example `alice@host`.
    package var user: String
    package var processIdentifier: Int32
    package var commandLine: String
    package var result: String

    package init(
        seconds: Int64,
        user: String,
        processIdentifier: Int32,
        commandLine: String,
        result: String
    ) {
        self.seconds = seconds
        self.user = user
        self.processIdentifier = processIdentifier
        self.commandLine = commandLine
        self.result = result
    }
}

/// A row of the event or history table together with its number.
///
/// Numbers count from one, grow by one with every row and are never used twice, so that a reader
/// can go on where it stopped.
package struct Numbered<Row: Hashable & Sendable>: Hashable, Sendable {
    package var number: UInt64
    package var row: Row
    package init(number: UInt64, row: Row) {
        self.number = number
        self.row = row
    }
}
