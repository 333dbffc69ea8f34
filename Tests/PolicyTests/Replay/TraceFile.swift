internal import Foundation

/// One request of a recorded workload.
struct TraceRequest {
    var isRead: Bool
    /// Byte offset in one address space that all volumes of the trace share.
    var offset: UInt64
    var byteCount: Int
    /// Seconds since the trace began.
    var tick: UInt32
}

/// Reads the published traces, compressed as they are, from a directory outside the tree.
struct TraceFile {
    /// The directory that `ISOTHERM_TRACES` names; nil when it is not set.
    static var directory: String? { ProcessInfo.processInfo.environment["ISOTHERM_TRACES"] }

    private struct Unreadable: Error {
        var path: String
    }

    private static func decompressed(_ name: String, with tool: [String]) throws -> Data {
        let path = (directory ?? ".") + "/" + name
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = tool + [path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Unreadable(path: path) }
        return data
    }

    /// The production virtual disk: 32-byte little-endian records with microseconds and sectors.
    static func virtualDisk(_ name: String) throws -> [TraceRequest] {
        let data = try decompressed(name, with: ["gzip", "-dc"])
        let bytes = [UInt8](data)
        func number(_ start: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
        }
        let first = number(24, 8)
        return stride(from: 0, to: bytes.count - 31, by: 32).map { start in
            TraceRequest(
                isRead: number(start + 12, 2) == 0x28,
                offset: number(start + 16, 8) * 512,
                byteCount: Int(number(start + 4, 4)),
                tick: UInt32((number(start + 24, 8) - first) / 1_000_000)
            )
        }
    }

    /// A list of reads without times: `first count ignored number`, in units of `unitByteCount`.
    /// The requests are spread evenly, `requestsPerSecond` of them to a second.
    static func list(
        _ name: String,
        unitByteCount: UInt64,
        requestsPerSecond: Int
    ) throws -> [TraceRequest] {
        let text = try decompressed(name, with: ["zstd", "-dc"])
        var requests: [TraceRequest] = []
        var fields: [UInt64] = []
        var number: UInt64 = 0
        var isInNumber = false
        for byte in text {
            if byte >= 48 && byte <= 57 {
                number = number * 10 + UInt64(byte - 48)
                isInNumber = true
                continue
            }
            if isInNumber { fields.append(number) }
            number = 0
            isInNumber = false
            guard byte == 10, fields.count >= 2 else { continue }
            requests.append(
                TraceRequest(
                    isRead: true,
                    offset: fields[0] * unitByteCount,
                    byteCount: Int(fields[1] * unitByteCount),
                    tick: UInt32(requests.count / requestsPerSecond)
                )
            )
            fields.removeAll(keepingCapacity: true)
        }
        return requests
    }
}
