internal import Format

/// The daemon that serves a pool, at the other end of its control socket.
package struct ControlClient: ControlService {
    package let path: String
    /// Seconds for an answer: a destroyed volume or a checkpoint may take a while.
    private let secondsMax: Int

    package init(path: String, secondsMax: Int = 60) {
        self.path = path
        self.secondsMax = secondsMax
    }

    package func answer(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        let socket = try LocalSocket.connect(to: path)
        socket.limitWaits(seconds: secondsMax)
        // A server that refuses answers without reading, so a failed send is told by the answer.
        _ = socket.send(Array(request.line.utf8))
        var reader = LineReader(byteCountMax: Self.answerByteCountMax)
        switch reader.next(from: socket, secondsMax: secondsMax) {
        case .text(let bytes): return try ControlAnswer.parse(bytes)
        case .timedOut: throw .timedOut(what: "the daemon", seconds: secondsMax)
        case .tooLong: throw .protocolViolation(fact: "the answer is too long")
        case .end:
            throw .daemonUnreachable(socket: path, reason: "the daemon closed the connection")
        }
    }

    /// A heat map of 16,384 cells has about 150 bytes a cell.
    private static var answerByteCountMax: Int { 16 << 20 }

    /// Whether a daemon listens there.
    package var isReachable: Bool {
        do throws(ControlError) {
            _ = try LocalSocket.connect(to: path)
            return true
        } catch {
            return false
        }
    }
}
