internal import Engine
internal import Units

// How the lane's buffers are shared between connections.
//
// A client that does not take its replies keeps the buffers they stand in, and a WRITE that comes
// slowly keeps its own.  Three rules leave something for everybody else, and reserve nothing:
//
// 1. A connection begins with a window of 2 MiB and wins what it has taken replies for, up to the
//    limit.  So clients that never read hold one large buffer each.
// 2. Of each size it may hold at most as many buffers as are free: one alone gets a half, the next
//    a quarter.
// 3. When others wait all the same, a client that has taken no reply, or has not finished a piece
//    of its payload, for `hoardNanoseconds` is closed (LaneLoop+Ends.swift).
//
// Whoever holds nothing may always take one.  What counts are the buffers' sizes, not the bytes
// that were asked for: that is what others cannot have.

/// Sizes of buffers that are told apart; the lane has four.
enum BufferShares {
    static var classCountMax: Int { 8 }
}

/// Buffers of each size.
typealias BufferCounts = [8 of Int32]

extension LaneLoop {
    /// The size of buffer that a READ or WRITE of so many bytes takes.
    func bufferClass(ofByteCount byteCount: Int) -> Int {
        let blockCount = byteCount / Geometry.blockByteCount + 2
        var index = 0
        while index < bufferClassCount - 1 && bufferClassBlockCounts[index] < blockCount {
            index += 1
        }
        return index
    }

    func byteCount(ofBufferClass index: Int) -> Int {
        Int(bufferClassBlockCounts[index]) * Geometry.blockByteCount
    }

    /// Whether the connection's window has room for one more buffer of this size.  If not, it goes
    /// on when its replies were sent.
    func isInsideWindow(_ bufferClass: Int, _ slot: Int) -> Bool {
        let held = connections[slot].heldByteCount
        return held == 0 || held + byteCount(ofBufferClass: bufferClass) <= connections[slot].window
    }

    /// Whether the others leave enough for this connection to take one more buffer of this size.
    func isInsideShare(_ bufferClass: Int, _ slot: Int) -> Bool {
        let free = bufferClassCounts[bufferClass] - heldBuffers[bufferClass]
        return connections[slot].heldBuffers[bufferClass] < max(free, 1)
    }

    func noteTaken(_ bufferClass: Int, by request: Int, _ slot: Int) {
        requests[request].bufferClass = Int8(bufferClass)
        connections[slot].heldBuffers[bufferClass] += 1
        connections[slot].heldByteCount += byteCount(ofBufferClass: bufferClass)
        heldBuffers[bufferClass] += 1
    }

    func noteGivenBack(by request: Int) {
        let bufferClass = Int(requests[request].bufferClass)
        guard bufferClass >= 0 else { return }
        let slot = Int(requests[request].connection)
        let byteCount = byteCount(ofBufferClass: bufferClass)
        requests[request].bufferClass = -1
        connections[slot].heldBuffers[bufferClass] -= 1
        connections[slot].heldByteCount -= byteCount
        connections[slot].window = min(
            connections[slot].window + byteCount,
            limits.inFlightByteCountMax
        )
        heldBuffers[bufferClass] -= 1
    }
}
