import Foundation
import GRDB
import Units

@testable import Catalogue

/// A directory that goes with its last user, and the path of a catalogue inside it.
final class Place: Sendable {
    let directory: String
    var path: String { directory + "/catalogue.sqlite" }

    init() throws {
        directory = NSTemporaryDirectory() + "isotherm-catalogue-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
    }

    /// With a new catalogue, closed.
    convenience init(pool: PoolRow, devices: [DeviceRow] = Sample.devices) throws {
        try self.init()
        try Catalogue.create(at: path, pool: pool, devices: devices)
    }

    /// Changes a closed catalogue behind its back; with `signing`, as a writer would whose values
    /// are none of ours.
    func change(_ sql: String, signing: Bool = false) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { database in
            try database.execute(sql: sql)
            guard signing else { return }
            for table in CatalogueSchema.smallTables {
                let rows = try Row.fetchAll(database, sql: "SELECT * FROM \(table)")
                try database.execute(sql: "DELETE FROM \(table)")
                for row in rows { try database.put(table, Array(row.databaseValues.dropLast())) }
            }
        }
        try queue.close()
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Copies the files of a catalogue that nobody has open.
    func copy() throws -> Place {
        let other = try Place()
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: path + suffix) {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: other.path + suffix)
        }
        return other
    }
}

/// Rows whose numbers lie at the edges of their types.
enum Sample {
    static var pool: PoolRow {
        PoolRow(
            identifier: Identifier(high: .max, low: 1),
            name: "tank",
            laneCount: .max,
            createdSeconds: -1
        )
    }
    static var devices: [DeviceRow] {
        [
            DeviceRow(
                index: DeviceIndex(0),
                identifier: Identifier(high: 0, low: .max),
                role: .flash,
                path: "/dev/nvme0n1",
                byteCount: .max,
                segmentByteCount: 8 << 20,
                segmentCount: .max,
                model: nil
            ),
            DeviceRow(
                index: DeviceIndex(.max),
                identifier: Identifier(high: 3, low: 4),
                role: .disk,
                path: "/srv/a 'quoted' päth",
                byteCount: 1 << 63,
                segmentByteCount: .max,
                segmentCount: 0,
                model: "hdd-7200"
            ),
        ]
    }
    static func volume(_ number: UInt64, state: VolumeRow.State = .live) -> VolumeRow {
        VolumeRow(
            identifier: Identifier(high: number, low: 7),
            name: "volume \(number)",
            byteCount: .max - number,
            lane: LaneIndex(.max),
            tree: TreeIdentifier(.max - number),
            state: state,
            createdSeconds: .min,
            ownedBlockCount: .max - number
        )
    }
    static func segment(_ index: UInt32, sequence: UInt64 = .max) -> SegmentRow {
        SegmentRow(
            address: SegmentAddress(device: DeviceIndex(.max), index: SegmentIndex(index)),
            lane: LaneIndex(.max),
            stream: .cold,
            sequence: sequence,
            nonce: .max,
            liveBlockCount: .max,
            writtenBlockCount: .max
        )
    }
    static func position(_ lane: UInt16, record: UInt64 = .max) -> LanePosition {
        LanePosition(
            lane: LaneIndex(lane),
            segment: SegmentAddress(device: DeviceIndex(.max), index: SegmentIndex(.max)),
            segmentSequence: .max,
            blockOffset: .max,
            nextRecord: RecordNumber(record),
            previousChecksum: .max,
            checkpoint: .max,
            witnessed: .max
        )
    }
    static func key(_ tree: UInt64, _ index: UInt64) -> LeafKey {
        LeafKey(tree: TreeIdentifier(tree), index: index)
    }
    /// An image of `leafCount` leaves that all say `number`, as the position and the segment do.
    static func image(number: UInt64, leafCount: Int, byteCount: Int = 3000) -> CheckpointImage {
        var image = CheckpointImage(position: position(0, record: number))
        let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: byteCount)
        for index in 0..<leafCount {
            image.leaves.append((key(1, UInt64(index)), bytes))
            image.heat.append((key(1, UInt64(index)), Array(bytes.prefix(64))))
        }
        image.segments = [segment(0, sequence: number)]
        return image
    }
}

/// The error that `body` throws; nil when it throws none.
func failure<Value>(of body: () throws(CatalogueError) -> Value) -> CatalogueError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error
    }
}
