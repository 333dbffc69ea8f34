import Foundation

@testable import Control

/// A client that writes, so that a pool has data and heat, and reads.  One request at a time.
struct DemoClient: ~Copyable {
    struct Refused: Error {}

    private let socket: LocalSocket
    private var pending: [UInt8] = []

    /// Connects to the server's socket.
    init(socket path: String) throws {
        socket = try LocalSocket.connect(to: path)
        socket.limitWaits(seconds: 10)
    }

    /// Attaches the export by the oldest option, whose answer is only its size and flags.
    mutating func attach(_ export: String) throws {
        guard try receive(18).starts(with: Array("NBDMAGICIHAVEOPT".utf8)) else { throw Refused() }
        let option = Self.bytes(UInt32(3)) + Array("IHAVEOPT".utf8) + Self.bytes(UInt32(1))
        try send(option + Self.bytes(UInt32(export.utf8.count)) + Array(export.utf8))
        _ = try receive(10)
    }

    /// Returns when the write is answered.
    mutating func write(_ data: [UInt8], at offset: UInt64) throws {
        try ask(1, offset, data.count, data)
    }

    mutating func read(_ byteCount: Int, at offset: UInt64) throws -> [UInt8] {
        try ask(0, offset, byteCount)
        return try receive(byteCount)
    }

    /// Returns when what was written before is durable.
    mutating func flush() throws { try ask(3, 0, 0) }

    private mutating func ask(
        _ command: UInt16,
        _ offset: UInt64,
        _ byteCount: Int,
        _ data: [UInt8] = []
    ) throws {
        let request =
            Self.bytes(UInt32(0x2560_9513)) + Self.bytes(UInt16(0)) + Self.bytes(command)
            + Self.bytes(UInt64(7)) + Self.bytes(offset) + Self.bytes(UInt32(byteCount))
        try send(request + data)
        let answer = try receive(16)
        let expected =
            Self.bytes(UInt32(0x6744_6698)) + Self.bytes(UInt32(0)) + Self.bytes(UInt64(7))
        guard answer == expected else { throw Refused() }
    }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        (0..<number.bitWidth / 8).reversed().map {
            UInt8(truncatingIfNeeded: number >> ($0 * 8))
        }
    }

    private func send(_ bytes: [UInt8]) throws {
        guard socket.send(bytes) else { throw Refused() }
    }

    private mutating func receive(_ count: Int) throws -> [UInt8] {
        var room = [UInt8](repeating: 0, count: 4096)
        while pending.count < count {
            guard case .bytes(let received) = socket.receive(into: &room) else { throw Refused() }
            pending += room[..<received]
        }
        defer { pending.removeFirst(count) }
        return Array(pending[..<count])
    }
}
