import Engine
import Format
import IO
import Simulation
import Units

/// What a pool left behind when its process ended: devices and catalogue, never changed.
struct PoolImage: Sendable {
    /// A block of the log that has a checksum of its own.
    struct Structure {
        enum Kind { case segment, record, tail }
        var kind: Kind
        var place: SmallPool.Place
        /// The segment that it lies in, and for a record its lane and number.
        var header: SmallPool.Place
        var lane: UInt16
        var number: UInt64
    }

    let laneCount: Int
    let blocks: [SmallPool.Place: [UInt8]]
    let tables: CatalogueTables
    /// In the order of the log.
    let structures: [Structure]

    /// Pools that ended in different ways.
    static let all = [
        PoolImage(laneCount: 1) { pool in fill(pool, 0) },
        PoolImage(laneCount: 1) { pool in
            let volume = fill(pool, 0)
            pool.wait(seconds: 10)
            change(pool, 0, volume)
        },
        PoolImage(laneCount: 2) { pool in
            let first = fill(pool, 0)
            fill(pool, 1)
            pool.wait(seconds: 10)
            change(pool, 0, first)
            try pool.open()
            let again = pool.create(9, on: 1)
            pool.write(1, again, at: 0, 12_288)
            pool.flush(1, again)
        },
        PoolImage(laneCount: 1) { pool in
            fill(pool, 0)
            pool.shutDown()
        },
    ]

    private init(laneCount: Int, _ live: (SmallPool) throws -> Void) {
        let pool = SmallPool(laneCount: laneCount)
        do {
            try pool.open()
            try live(pool)
        } catch {
            invariantFailed("a pool that nothing happened to opens", file: #fileID, line: #line)
        }
        self.laneCount = laneCount
        blocks = pool.blocks
        tables = pool.tables
        structures = Self.structures(in: pool.blocks)
    }

    @discardableResult
    private static func fill(_ pool: SmallPool, _ lane: Int) -> VolumeSlot {
        let volume = pool.create(1 + 2 * UInt64(lane), on: lane)
        for index in 0..<6 { pool.write(lane, volume, at: UInt64(index) * 20_480, 16_384) }
        pool.write(lane, volume, at: 3 << 20, 64 << 10)
        pool.zero(lane, volume, at: 65_536, 8192)
        pool.trim(lane, volume, at: 8192, 12_288)
        pool.flush(lane, volume)
        pool.write(lane, volume, at: 4096, 700)
        let other = pool.create(2 + 2 * UInt64(lane), on: lane, byteCount: 1 << 20)
        pool.write(lane, other, at: 0, 4096)
        pool.resize(lane, other, to: 4 << 20)
        pool.flush(lane, other)
        pool.write(lane, volume, at: 5 << 20, 8192)
        return volume
    }

    private static func change(_ pool: SmallPool, _ lane: Int, _ volume: VolumeSlot) {
        pool.write(lane, volume, at: 0, 8192)
        pool.trim(lane, volume, at: 1 << 20, 4 << 20)
        pool.flush(lane, volume)
        if let other = pool.lanes[lane].volumeList.last { pool.destroy(lane, other.slot) }
        pool.write(lane, volume, at: 100 << 10, 20_480)
    }

    private static func structures(in blocks: [SmallPool.Place: [UInt8]]) -> [Structure] {
        var found: [Structure] = []
        var nonces: [SmallPool.Place: UInt64] = [:]
        for (place, bytes) in blocks {
            guard let header = try? SegmentHeader(decoding: bytes.raw) else { continue }
            nonces[place] = header.nonce
            found.append(
                Structure(kind: .segment, place: place, header: place, lane: 0, number: 0)
            )
        }
        for (place, bytes) in blocks where place.block >= DeviceGeometry.firstSegmentBlock {
            let size = UInt64(SmallPool.flash.segmentBlockCount)
            let inside = (place.block - DeviceGeometry.firstSegmentBlock) % size
            let start = SmallPool.Place(device: place.device, block: place.block - inside)
            guard let nonce = nonces[start],
                let record = try? RecordHeader(decoding: bytes.raw, nonce: nonce)
            else { continue }
            found.append(
                Structure(
                    kind: record.isTail ? .tail : .record,
                    place: place,
                    header: start,
                    lane: record.lane.rawValue,
                    number: record.number.rawValue
                )
            )
        }
        return found.sorted {
            ($0.lane, $0.number, $0.place.device, $0.place.block)
                < ($1.lane, $1.number, $1.place.device, $1.place.block)
        }
    }
}
