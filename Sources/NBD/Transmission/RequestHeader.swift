// The header of a request, 28 bytes, big-endian; the payload of a WRITE follows it.
//
//     offset  size  field
//          0     4  magic    0x25609513
//          4     2  flags
//          6     2  command
//          8     8  cookie   opaque, echoed in the reply
//         16     8  offset   bytes
//         24     4  length   bytes
package struct RequestHeader: Equatable, Sendable, BitwiseCopyable {
    package var flags: CommandFlags
    package var command: UInt16
    package var cookie: UInt64
    package var offset: UInt64
    package var byteCount: UInt64

    package init(
        flags: CommandFlags,
        command: UInt16,
        cookie: UInt64,
        offset: UInt64,
        byteCount: UInt64
    ) {
        self.flags = flags
        self.command = command
        self.cookie = cookie
        self.offset = offset
        self.byteCount = byteCount
    }

    /// Reads a header from the 28 bytes at `start`, which the caller has made sure of.  Nil when
    /// the magic is another: where the next request begins is then unknown.
    @inline(__always)
    package init?(_ bytes: RawSpan, at start: Int) {
        guard bytes.big32(at: start) == Magic.request else { return nil }
        flags = CommandFlags(rawValue: bytes.big16(at: start + 4))
        command = bytes.big16(at: start + 6)
        cookie = bytes.big64(at: start + 8)
        offset = bytes.big64(at: start + 16)
        byteCount = UInt64(bytes.big32(at: start + 24))
    }

    /// Bytes that follow the header, whatever becomes of the request.
    @inline(__always)
    package var payloadByteCount: UInt64 { command == Command.write.rawValue ? byteCount : 0 }
}
