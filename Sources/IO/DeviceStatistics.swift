/// What one driver did with one device since it was attached.  Only grows, but for the count in
/// flight.
package struct DeviceStatistics: Sendable, BitwiseCopyable {
    package var readCount: UInt64 = 0
    package var readByteCount: UInt64 = 0
    /// Sum of the times from submission to completion, as the loop's clock saw them.
    package var readNanoseconds: UInt64 = 0
    package var writeCount: UInt64 = 0
    package var writeByteCount: UInt64 = 0
    package var writeNanoseconds: UInt64 = 0
    package var flushCount: UInt64 = 0
    package var flushNanoseconds: UInt64 = 0
    package var discardCount: UInt64 = 0
    package var discardByteCount: UInt64 = 0
    /// Discards that the device or its file system does not know; they count as done, since a
    /// discard is only advice.
    package var refusedDiscardCount: UInt64 = 0
    /// Transfers that ended short and were continued.
    package var continuedCount: UInt64 = 0
    /// Submissions repeated after an interruption.
    package var repeatedCount: UInt64 = 0
    /// Operations that ended with another result than `done`.
    package var failedCount: UInt64 = 0
    /// The system's error of the last failed operation; zero before the first, and for a read that
    /// met the end of the device.
    package var lastErrorNumber: Int32 = 0
    package var inFlightCount: UInt32 = 0

    package init() {}
}
