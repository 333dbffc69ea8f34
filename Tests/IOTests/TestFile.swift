import Foundation
import IO
import Units

/// A device file of its own for one test, removed when the test ends.
///
/// It lies in the working directory, which is on a real file system; where that has no direct I/O,
/// the device is opened without, and says so on standard output.
final class TestFile {
    let path: String

    init(byteCount: UInt64, isSparse: Bool = false) throws {
        var random = RandomSource()
        let directory = FileManager.default.currentDirectoryPath + "/.build"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        path = directory + "/io-test-\(random.next()).device"
        try DeviceFile.create(path: path, byteCount: byteCount, isSparse: isSparse)
    }

    deinit { _ = unsafe unlink(path) }

    func open() throws -> DeviceFile {
        do {
            return try DeviceFile(path: path)
        } catch .noDirectAccess(let path) {
            print("no direct I/O at \(path): the test goes through the page cache")
            return try DeviceFile(path: path, isDirect: false)
        }
    }
}

extension BufferRegion {
    /// Fills the region with bytes that depend on `seed` and on their place.
    func fill(seed: UInt64) {
        var random = RandomSource(seed: seed)
        for index in 0..<(byteCount / 8) {
            unsafe baseAddress.storeBytes(
                of: random.next(),
                toByteOffset: index * 8,
                as: UInt64.self
            )
        }
    }

    func equals(_ other: BufferRegion) -> Bool {
        guard byteCount == other.byteCount else { return false }
        return unsafe memcmp(baseAddress, other.baseAddress, byteCount) == 0
    }
}

/// Zeroed memory that stays until the process ends: a test names only regions, and an arena would
/// go with its last mention.
func memory(byteCount: Int) -> BufferRegion {
    let arena = Arena(byteCount: byteCount, isPopulated: true)
    _ = unsafe Unmanaged.passRetained(arena)
    return arena.region[0..<byteCount]
}
