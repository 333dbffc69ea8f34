internal import CLinux
internal import Glibc

/// Entries for sockets and events.
extension Ring {
    /// Receives at most all of `region`; completes with what has arrived, 0 when the peer is done.
    package func receive(_ file: RingFile, into region: BufferRegion, userData: UInt64) {
        var entry = blank(.receive, file, userData)
        entry.address = region.addressBits
        entry.byte_count = UInt32(region.byteCount)
        prepare(entry)
    }

    /// Receives into the list's regions, in their order; completes with what has arrived.
    package func receive(_ file: RingFile, into list: RegionList, userData: UInt64) {
        message(.receiveMessage, file, list, 0, userData)
    }

    /// Sends all of `region`.  Kernels before 5.19 may end short; `MSG_WAITALL` makes later ones
    /// go on by themselves.
    package func send(_ file: RingFile, from region: BufferRegion, userData: UInt64) {
        var entry = blank(.send, file, userData)
        entry.address = region.addressBits
        entry.byte_count = UInt32(region.byteCount)
        entry.operation_flags = Ring.sendFlags
        prepare(entry)
    }

    /// Sends all of the list's regions, as one message; may end short like `send`.
    package func send(_ file: RingFile, from list: RegionList, userData: UInt64) {
        message(.sendMessage, file, list, Ring.sendFlags, userData)
    }

    /// Accepts connections of a listening socket; each completes with a descriptor.  It has to be
    /// prepared again after a completion without `hasMore`.
    package func accept(_ listener: RingFile, userData: UInt64) {
        var entry = blank(.accept, listener, userData)
        entry.operation_flags = UInt32(SOCK_CLOEXEC.rawValue)
        entry.priority = hasMultishotAccept ? RingFlag.acceptMultishot : 0
        prepare(entry)
    }

    /// Completes when a descriptor can be read, once, or each time when `isMultishot`.
    package func pollReadable(_ file: RingFile, isMultishot: Bool = false, userData: UInt64) {
        var entry = blank(.poll, file, userData)
        entry.operation_flags = UInt32(POLLIN)
        entry.byte_count = isMultishot ? RingFlag.pollMultishot : 0
        prepare(entry)
    }

    /// Ends both directions of a connection: entries that wait on it complete.
    package func shutDown(_ file: RingFile, userData: UInt64) {
        var entry = blank(.shutDown, file, userData)
        entry.byte_count = UInt32(SHUT_RDWR)
        prepare(entry)
    }

    /// Cancels all entries on a file (Linux 5.19; an older kernel completes with an error, and a
    /// socket is then ended by `shutDown`).
    package func cancelAll(on file: RingFile, userData: UInt64) {
        var entry = blank(.cancel, file, userData)
        // The file here is the target, not what the cancel itself works on.
        entry.flags = 0
        entry.operation_flags =
            RingFlag.cancelAll | RingFlag.cancelDescriptor
            | (file.isRegistered ? RingFlag.cancelFixedDescriptor : 0)
        prepare(entry)
    }

    /// Closes a descriptor.  One that is registered is unregistered first.
    package func close(descriptor: Int32, userData: UInt64) {
        prepare(blank(.close, RingFile(descriptor: descriptor), userData))
    }

    private static var sendFlags: UInt32 {
        UInt32(MSG_NOSIGNAL) | UInt32(MSG_WAITALL)
    }

    @inline(__always)
    private func message(
        _ opcode: RingOpcode,
        _ file: RingFile,
        _ list: RegionList,
        _ flags: UInt32,
        _ userData: UInt64
    ) {
        var entry = blank(opcode, file, userData)
        entry.address = list.headerBits
        entry.byte_count = 1
        entry.operation_flags = flags
        prepare(entry)
    }
}
