internal import Format
internal import Foundation
internal import Units

/// A device or a file opened to be looked at: never written, never locked, so that one that is
/// being served can be looked at too.
struct InspectionSource: ~Copyable {
    let path: String
    let byteCount: UInt64
    private let descriptor: Int32

    init(path: String) throws(ControlError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { throw .deviceMissing(path: path) }
            throw .deviceUnreadable(path: path, reason: unsafe String(cString: strerror(errno)))
        }
        let end = lseek(descriptor, 0, SEEK_END)
        guard end >= 0 else {
            close(descriptor)
            throw .deviceUnreadable(path: path, reason: "it is no file and no block device")
        }
        self.path = path
        self.descriptor = descriptor
        byteCount = UInt64(end)
    }

    deinit { close(descriptor) }

    /// The bytes from `offset`; nil when the device reports an error or ends before.
    func read(_ offset: UInt64, _ byteCount: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var done = 0
        while done < byteCount {
            let count = unsafe bytes.withUnsafeMutableBytes { room in
                unsafe pread(
                    descriptor,
                    room.baseAddress?.advanced(by: done),
                    byteCount - done,
                    off_t(clamping: offset + UInt64(done))
                )
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            done += count
        }
        return bytes
    }

    /// One block; nil when it cannot be read.
    func block(at offset: UInt64) -> [UInt8]? { read(offset, Geometry.blockByteCount) }

    /// What the four copies of the superblock say.
    func superblockCopies() -> [SuperblockCopy] {
        Superblock.offsets(deviceByteCount: byteCount).map { offset in
            block(at: offset).map { SuperblockCopy(decoding: unsafe $0.span.bytes) } ?? .unreadable
        }
    }

    /// The superblock that opens the device.
    func superblock() throws(ControlError) -> SuperblockChoice {
        let copies = superblockCopies()
        do throws(SuperblockError) {
            return try Superblock.choose(copies: copies)
        } catch {
            throw .format(place: path, error: FormatText(InspectionText.of(error)))
        }
    }
}
