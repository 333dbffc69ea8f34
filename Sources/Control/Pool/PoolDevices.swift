internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

/// Opens the devices of a pool and sees to it that they are the right ones.
enum PoolDevices {
    /// The size of what is at `path`; nil when nothing is.
    static func byteCount(at path: String) throws(ControlError) -> UInt64? {
        guard LocalFile.exists(path) else { return nil }
        do throws(DeviceError) {
            return try DeviceFile(path: path, access: .inspection).byteCount
        } catch {
            throw ControlError(error)
        }
    }

    static func isThere(_ path: String) -> Bool { LocalFile.exists(path) }

    /// Opens and locks the device at `path`.
    static func open(_ path: String) throws(ControlError) -> DeviceFile {
        guard LocalFile.exists(path) else { throw .deviceMissing(path: path) }
        do throws(DeviceError) {
            return try DeviceFile(path: path)
        } catch {
            throw ControlError(error)
        }
    }

    /// Whether the first or the last MiB has anything but zeros: file systems, partition tables and
    /// volume groups leave their marks there.
    static func holdsData(_ file: DeviceFile) throws(ControlError) -> Bool {
        let room = Arena(byteCount: 1 << 20, isPopulated: false)
        let byteCount = min(UInt64(room.region.byteCount), file.byteCount)
        for offset in [0, file.byteCount - byteCount] {
            let region = room.region[0..<Int(byteCount)]
            do throws(DeviceError) {
                try file.read(into: region, at: offset)
            } catch {
                throw ControlError(error)
            }
            let bytes = region.bytes
            for index in stride(from: 0, to: bytes.byteCount, by: 8)
            where unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self) != 0 {
                return true
            }
        }
        return false
    }

    /// Opens and locks every device of the pool, in the order of their indexes.
    ///
    /// Each must be who the catalogue says: its superblock names it, its pool and its division.
    /// Copies of a superblock that do not agree are written anew; `mends` tells of which devices.
    static func open(
        _ rows: [DeviceRow],
        of pool: PoolRow
    ) throws(ControlError) -> (files: [DeviceFile], mends: [SuperblockMend]) {
        var files: [DeviceFile] = []
        var mends: [SuperblockMend] = []
        for row in rows.sorted(by: { $0.index < $1.index }) {
            let file = try open(row.path)
            let store = SuperblockStore(file)
            let choice = try store.choose()
            try check(choice.superblock, row, pool, file)
            if !choice.isWhole {
                do throws(DeviceError) {
                    let count = try store.mend(choice)
                    mends.append(SuperblockMend(path: row.path, refusedCount: count))
                } catch {
                    throw ControlError(error)
                }
            }
            files.append(file)
        }
        return (files, mends)
    }

    /// Opens every device of the pool for reading alone, in the order of their indexes; copies of a
    /// superblock that do not agree stay as they are.
    static func openToRead(
        _ rows: [DeviceRow],
        of pool: PoolRow
    ) throws(ControlError) -> [DeviceFile] {
        var files: [DeviceFile] = []
        for row in rows.sorted(by: { $0.index < $1.index }) {
            guard LocalFile.exists(row.path) else { throw .deviceMissing(path: row.path) }
            do throws(DeviceError) {
                files.append(try DeviceFile(path: row.path, access: .inspection))
            } catch {
                throw ControlError(error)
            }
            let choice = try SuperblockStore(files[files.count - 1]).choose()
            try check(choice.superblock, row, pool, files[files.count - 1])
        }
        return files
    }

    private static func check(
        _ superblock: Superblock,
        _ row: DeviceRow,
        _ pool: PoolRow,
        _ file: DeviceFile
    ) throws(ControlError) {
        let facts: [(isRight: Bool, name: StaticName)] = [
            (superblock.poolIdentifier == pool.identifier, "the pool"),
            (superblock.deviceIdentifier == row.identifier, "the device's identity"),
            (superblock.deviceIndex == row.index, "the device's index"),
            (superblock.role == row.role, "the role"),
            (UInt64(superblock.segmentByteCount) == row.segmentByteCount, "the segment size"),
            (superblock.segmentCount == row.segmentCount, "the number of segments"),
            (file.byteCount >= row.byteCount, "the size, which is smaller than it was,"),
        ]
        for fact in facts where !fact.isRight {
            throw .deviceMismatch(path: row.path, fact: fact.name)
        }
    }
}

/// Copies of a device's superblock that were damaged or old, and were to be written anew.
struct SuperblockMend {
    let path: String
    /// Copies that the device did not take.
    let refusedCount: Int

    var text: String {
        let found = "\(path): copies of the superblock were damaged or old; "
        guard refusedCount > 0 else { return found + "they are written anew" }
        return found + "the device refuses to write \(refusedCount) of them anew: replace it soon"
    }
}

extension SuperblockStore where Holder == DeviceFile {
    /// The superblock that opens the device.
    func choose() throws(ControlError) -> SuperblockChoice {
        do throws(SuperblockError) {
            return try Superblock.choose(copies: copies())
        } catch {
            throw .format(place: holder.path, error: FormatText(InspectionText.of(error)))
        }
    }
}

extension ControlError {
    init(_ error: DeviceError) {
        switch error {
        case .inUse(let path): self = .deviceInUse(path: path)
        case .exists(let path):
            self = .deviceExists(path: path, byteCount: FileSize.of(path) ?? 0)
        default: self = .system(what: "device", reason: error.description)
        }
    }
}
