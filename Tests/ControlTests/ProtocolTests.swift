import Foundation
import Synchronization
import Testing

@testable import Control

/// Answers `echo` with its arguments, `fail` with an error, everything else as unknown.
private final class EchoService: ControlService {
    let answered = Mutex(0)

    func answer(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        answered.withLock { $0 += 1 }
        switch request.command {
        case "echo": return request.arguments
        case "fail": throw .volumeMissing(path: "tank/x")
        default: throw .unknownCommand(name: request.command)
        }
    }
}

/// A server in a directory of its own, stopped and removed at the end.
private final class Fixture {
    let folder: String
    let path: String
    let service = EchoService()
    let server: ControlServer

    init(limits: ControlServer.Limits = .init(), padding: String = "") throws {
        folder = NSTemporaryDirectory() + "/isotherm-control-" + UUID().uuidString + padding
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        path = folder + "/control.sock"
        server = try ControlServer(path: path, service: service, limits: limits)
        server.start()
    }

    deinit {
        server.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Sends raw bytes and returns the first line that comes back; nil when the server just closes.
    func exchange(_ bytes: [UInt8]) throws -> String? {
        let socket = try LocalSocket.connect(to: path)
        socket.limitWaits(seconds: 10)
        _ = socket.send(bytes)
        var reader = LineReader(byteCountMax: 8 << 20)
        guard case .text(let line) = reader.next(from: socket, secondsMax: 10) else { return nil }
        return String(decoding: line, as: UTF8.self)
    }
}

@Suite(.serialized) struct ProtocolTests {
    @Test func `a request is answered`() throws {
        let fixture = try Fixture()
        let client = ControlClient(path: fixture.path)
        #expect(try client.answer(ControlRequest("echo", ["a": 1])) == ["a": 1])
        #expect(client.isReachable)
    }

    @Test func `an error keeps its code and exit status on the way`() throws {
        let fixture = try Fixture()
        let error = #expect(throws: ControlError.self) {
            try ControlClient(path: fixture.path).answer(ControlRequest("fail"))
        }
        #expect(error?.report.code == "volume_missing")
        #expect(error?.report.status == .notFound)
        #expect(error?.report.line == ControlError.volumeMissing(path: "tank/x").report.line)
    }

    @Test func `no daemon is told by its exit status`() {
        let error = #expect(throws: ControlError.self) {
            try ControlClient(path: "/nonexistent/control.sock").answer(ControlRequest("echo"))
        }
        #expect(error?.report.status == .unreachable)
    }

    @Test func `the socket is for its owner alone`() throws {
        let fixture = try Fixture()
        var facts = stat()
        let result = unsafe stat(fixture.path, &facts)
        #expect(result == 0)
        #expect(facts.st_mode & 0o777 == 0o600)
    }

    @Test func `a path longer than an address is reached`() throws {
        let fixture = try Fixture(padding: "/" + String(repeating: "long", count: 40))
        #expect(fixture.path.utf8.count > 150)
        #expect(try ControlClient(path: fixture.path).answer(ControlRequest("echo")) == [:])
    }

    @Test(arguments: [
        "", "{}", "[]", "null", "{", "\u{0}\u{0}", #"{"command":1}"#, #"{"command":"echo","x":1}"#,
        #"{"command":"echo","arguments":[]}"#, #"{"command":"nothing"}"#,
    ])
    func `what is no request is an error and harms nobody`(line: String) throws {
        let fixture = try Fixture()
        let answer = try #require(try fixture.exchange(Array(line.utf8) + [10]))
        #expect(answer.hasPrefix(#"{"error":{"code":"#))
        #expect(try ControlClient(path: fixture.path).answer(ControlRequest("echo")) == [:])
    }

    @Test func `a line above the limit is refused and the connection closed`() throws {
        let fixture = try Fixture()
        let flood = [UInt8](repeating: 0x20, count: LineReader.byteCountMax + (64 << 10))
        let answer = try #require(try fixture.exchange(flood))
        #expect(answer.contains("too long"))
        #expect(fixture.service.answered.withLock { $0 } == 0)
    }

    @Test func `a line of the largest length is taken`() throws {
        let fixture = try Fixture()
        let text = String(repeating: "x", count: LineReader.byteCountMax - 64)
        let request = ControlRequest("echo", ["t": .text(text)])
        #expect(try ControlClient(path: fixture.path).answer(request)["t"]?.string == text)
    }

    @Test func `requests that arrive together or in pieces are all answered`() throws {
        let fixture = try Fixture()
        let socket = try LocalSocket.connect(to: fixture.path)
        socket.limitWaits(seconds: 10)
        let lines = (0..<100).map { ControlRequest("echo", ["n": .count($0)]).line }.joined()
        for part in stride(from: 0, to: lines.utf8.count, by: 37) {
            let bytes = Array(lines.utf8.dropFirst(part).prefix(37))
            let isSent = socket.send(bytes)
            #expect(isSent)
        }
        var reader = LineReader()
        for number in 0..<100 {
            guard case .text(let line) = reader.next(from: socket, secondsMax: 10) else {
                Issue.record("no answer \(number)")
                return
            }
            #expect(try ControlAnswer.parse(line)["n"]?.unsigned == UInt64(number))
        }
    }

    @Test func `a client that sends nothing is let go and others are served`() throws {
        var limits = ControlServer.Limits()
        limits.idleSeconds = 1
        limits.connectionCountMax = 2
        let fixture = try Fixture(limits: limits)
        let first = try LocalSocket.connect(to: fixture.path)
        let second = try LocalSocket.connect(to: fixture.path)
        _ = first.send([0x7B])
        // Both places are taken, until they have been idle for too long.
        var isServed = false
        for _ in 0..<50 where !isServed {
            let client = ControlClient(path: fixture.path)
            isServed = (try? client.answer(ControlRequest("echo"))) != nil
            if !isServed { usleep(100_000) }
        }
        #expect(isServed)
        _ = second.rawDescriptor
    }

    @Test func `stopping answers what had arrived and removes the socket`() throws {
        let fixture = try Fixture()
        let path = fixture.path
        let idle = try LocalSocket.connect(to: path)
        _ = try ControlClient(path: path).answer(ControlRequest("echo"))
        fixture.server.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(!ControlClient(path: path).isReachable)
        _ = idle.rawDescriptor
    }

    @Test func `a socket that a dead process left is taken over`() throws {
        let folder = NSTemporaryDirectory() + "/isotherm-stale-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/control.sock"
        // Dropped without its file being removed.
        _ = try LocalSocket.listen(at: path)
        #expect(FileManager.default.fileExists(atPath: path))
        let server = try ControlServer(path: path, service: EchoService())
        server.start()
        #expect(ControlClient(path: path).isReachable)
        server.stop()
    }

    @Test func `an answer that is none is told`() {
        for text in ["", "{}", "[]", #"{"error":{}}"#, #"{"error":{"code":"a","message":"b"}}"#] {
            #expect(throws: ControlError.self) { try ControlAnswer.parse(Array(text.utf8)) }
        }
    }
}
