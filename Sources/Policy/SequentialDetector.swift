/// Tells sequential runs from scattered requests, for one volume and one direction.
///
/// It keeps where the last few streams ended.  A request that begins where one of them ended, or up
/// to `gapByteCount` after it (a reader that skips a little, requests that arrived out of order),
/// continues that stream; any other replaces the stream that was quiet the longest.  A stream is
/// sequential once it has covered `runByteCountMin`: two neighbouring blocks are no scan.
package struct SequentialDetector: Sendable {
    private static var streamCount: Int { 8 }
    /// Bytes that a request may leave out, or repeat, and still continue its stream.
    package static var gapByteCount: UInt64 { 64 << 10 }
    /// Bytes after which a run counts as sequential.
    package static var runByteCountMin: UInt64 { 256 << 10 }

    private var ends: InlineArray<8, UInt64> = .init(repeating: .max)
    private var runByteCounts: InlineArray<8, UInt32> = .init(repeating: 0)
    private var lastUses: InlineArray<8, UInt32> = .init(repeating: 0)
    private var requestCount: UInt32 = 0

    package init() {}

    /// Takes note of a request of `byteCount` bytes at byte `offset` and says whether it belongs to
    /// a sequential run that is already long enough.
    package mutating func note(offset: UInt64, byteCount: Int) -> Bool {
        requestCount &+= 1
        let end = offset &+ UInt64(byteCount)
        var quietest = 0
        for index in 0..<Self.streamCount {
            if continues(ends[index], offset: offset) {
                return extend(index, from: offset, to: end)
            }
            if requestCount &- lastUses[index] > requestCount &- lastUses[quietest] {
                quietest = index
            }
        }
        ends[quietest] = end
        runByteCounts[quietest] = UInt32(clamping: byteCount)
        lastUses[quietest] = requestCount
        return false
    }

    private func continues(_ streamEnd: UInt64, offset: UInt64) -> Bool {
        guard streamEnd != .max else { return false }
        let distance = offset >= streamEnd ? offset - streamEnd : streamEnd - offset
        return distance <= (offset >= streamEnd ? Self.gapByteCount : Self.gapByteCount / 2)
    }

    private mutating func extend(_ index: Int, from offset: UInt64, to end: UInt64) -> Bool {
        let isLongEnough = UInt64(runByteCounts[index]) >= Self.runByteCountMin
        // Only new ground makes the run longer: a reader that circles in one place is no scan.
        if end > ends[index] {
            let gain = end - max(offset, ends[index])
            runByteCounts[index] = UInt32(clamping: UInt64(runByteCounts[index]) + gain)
            ends[index] = end
        }
        lastUses[index] = requestCount
        return isLongEnough
    }
}
