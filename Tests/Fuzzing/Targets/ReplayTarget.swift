import Catalogue
import Engine
import Format
import IO
import Units

/// Opens a pool whose devices and stored leaves the input has damaged.  It opens or is refused with
/// an error; one that opens can be read, written, and closed.
enum ReplayTarget: FuzzTarget {
    static var name: String { "replay" }
    static var byteCountMax: Int { 160 }
    static func seeds() -> [[UInt8]] { DamagedPool.seeds() }
    static func run(_ input: RawSpan) { DamagedPool.run(input, changesRows: false) }
}

/// The same with rows of the catalogue that are not what was written.
enum RowsTarget: FuzzTarget {
    static var name: String { "rows" }
    static var byteCountMax: Int { 160 }
    static func seeds() -> [[UInt8]] { DamagedPool.seeds() }
    static func run(_ input: RawSpan) { DamagedPool.run(input, changesRows: true) }
}

private enum DamagedPool {
    static func seeds() -> [[UInt8]] {
        var seeds: [[UInt8]] = []
        for image in 0..<UInt8(PoolImage.all.count) {
            seeds.append([image])
            for kind in 0..<UInt8(9) {
                seeds.append([image, kind, 0, 5, 1, 0, 32, 7, 1, 2, 3, 4, 5, 6, 7, 8])
                seeds.append([image, 8, 0, 0, kind, 0, 9, 2, 0, 126, 3, 0, 0, 0, 9])
            }
        }
        return seeds
    }

    static func run(_ input: RawSpan, changesRows: Bool) {
        var reader = InputReader(input)
        let image = PoolImage.all[Int(reader.byte()) % PoolImage.all.count]
        let damage = Damage(of: image, by: &reader, changesRows: changesRows)
        let pool = SmallPool(
            laneCount: image.laneCount,
            blocks: damage.blocks,
            tables: image.tables
        )
        pool.unreadable = damage.unreadable
        pool.changeLeaf = damage.change
        pool.changeRows = damage.change
        do throws(RecoveryError) {
            try pool.open()
        } catch {
            return
        }
        use(pool)
    }

    private static func use(_ pool: SmallPool) {
        pool.settle()
        for (index, lane) in pool.lanes.enumerated() {
            for (slot, row) in lane.volumeList.prefix(4) {
                pool.read(index, slot, at: 0)
                pool.read(index, slot, at: 3 << 20)
                guard row.byteCount >= 1 << 20 else { continue }
                pool.write(index, slot, at: 6000, 16_384)
                pool.trim(index, slot, at: 0, 1 << 20)
                pool.flush(index, slot)
            }
            _ = lane.describe()
        }
        pool.wait(seconds: 10)
        pool.shutDown()
    }
}
