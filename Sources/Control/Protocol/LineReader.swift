/// Takes lines off a connection, of bounded length and within a bounded time.
struct LineReader: Sendable {
    enum Line: Equatable {
        case text([UInt8])
        case end
        case timedOut
        /// Longer than `byteCountMax`: the connection can only be closed.
        case tooLong
    }

    /// Bytes of a request or an answer at most.
    static var byteCountMax: Int { 1 << 20 }

    private var pending: [UInt8] = []
    private var searched = 0
    private let byteCountMax: Int

    init(byteCountMax: Int = Self.byteCountMax) { self.byteCountMax = byteCountMax }

    /// The next line without its line feed.  A peer that sends a line byte by byte has
    /// `secondsMax` for all of it.
    mutating func next(from socket: borrowing LocalSocket, secondsMax: Int) -> Line {
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: .seconds(secondsMax))
        var room = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            if let line = takeLine() { return line }
            if pending.count > byteCountMax { return .tooLong }
            if clock.now >= deadline { return .timedOut }
            switch socket.receive(into: &room) {
            case .bytes(let count): pending += room[..<count]
            case .end: return .end
            case .timedOut: return .timedOut
            }
        }
    }

    private mutating func takeLine() -> Line? {
        guard let feed = pending[searched...].firstIndex(of: 10) else {
            searched = pending.count
            return nil
        }
        let line = Array(pending[..<feed])
        pending.removeSubrange(...feed)
        searched = 0
        return line.count > byteCountMax ? .tooLong : .text(line)
    }
}
