import Catalogue
import Engine
import Format
import IO
import Simulation
import Units

/// A pool of a few megabytes on devices in memory, whose operations end at once.
///
/// The devices are an image that never changes and, above it, blocks that were written since.
final class SmallPool {
    static let flash = DeviceGeometry(
        index: DeviceIndex(0),
        role: .flash,
        segmentBlockCount: 40,
        segmentCount: 30
    )
    static let disk = DeviceGeometry(
        index: DeviceIndex(1),
        role: .disk,
        segmentBlockCount: 40,
        segmentCount: 12
    )
    static let identifier = PoolIdentifier(high: 7, low: 9)
    static let deviceIdentifiers = [
        DeviceIdentifier(high: 1, low: 1), DeviceIdentifier(high: 2, low: 2),
    ]
    static let configuration: LaneConfiguration = {
        var configuration = LaneConfiguration()
        configuration.leafCount = 24
        configuration.requestCount = 16
        configuration.operationCount = 64
        configuration.hostRecordCount = 3
        configuration.moveCount = 3
        configuration.atomicByteCountMax = 64 << 10
        configuration.buffers = [BufferClass(blockCount: 20, count: 16)]
        configuration.isPopulated = false
        configuration.ghostCount = 64
        return configuration
    }()

    let laneCount: Int
    /// Blocks that differ from the image, by device and block.
    var blocks: [Place: [UInt8]]
    var tables: CatalogueTables
    /// Blocks that the device refuses to read.
    var unreadable: Set<Place> = []
    /// Replaces rows of the catalogue before they are read.
    var changeRows: (inout CatalogueContents) -> Void = { _ in }
    /// Replaces a leaf before it is read.
    var changeLeaf: (inout StoredLeaf) -> Void = { _ in }
    private(set) var lanes: [Lane] = []
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private var nextContext: UInt64 = 0
    private static let payload = Arena(byteCount: 64 << 10, isPopulated: true)

    struct Place: Hashable {
        var device: UInt8
        var block: UInt64
    }

    init(laneCount: Int, blocks: [Place: [UInt8]] = [:], tables: CatalogueTables = .init()) {
        self.laneCount = laneCount
        self.blocks = blocks
        self.tables = tables
    }

    /// Opens the pool from what is on the devices and in the catalogue: also after a "crash".
    func open() throws(RecoveryError) {
        lanes = []
        var contents = tables.contents
        changeRows(&contents)
        let opening = PoolOpening(
            identifier: Self.identifier,
            laneCount: laneCount,
            devices: [Self.flash, Self.disk],
            deviceIdentifiers: Self.deviceIdentifiers,
            contents: contents,
            configuration: Self.configuration,
            randomSeed: 42,
            wallSeconds: 1_800_000_000
        )
        let opened = try opening.open(from: self, now: now)
        lanes = opened.lanes
        tables.incarnation = opened.pool.incarnation
    }
}

// MARK: Devices

extension SmallPool: RecoverySource {
    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        for index in 0..<(region.byteCount / Geometry.blockByteCount) {
            let place = Place(device: device.rawValue, block: block + UInt64(index))
            if unreadable.contains(place) { return false }
            let target = region.block(index)
            if let bytes = blocks[place] { target.copy(from: bytes) } else { target.zero() }
        }
        return true
    }

    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf { loadNow(key) }

    private func loadNow(_ key: LeafKey) -> StoredLeaf {
        var leaf = tables.leaf(key)
        changeLeaf(&leaf)
        return leaf
    }

    private func carryOut(_ operation: Operation) -> Completion {
        let device = operation.device.rawValue
        let first = operation.offset / UInt64(Geometry.blockByteCount)
        var isGood = true
        switch operation.kind {
        case .read: isGood = read(operation.device, block: first, into: operation.region)
        case .write:
            for index in 0..<(operation.region.byteCount / Geometry.blockByteCount) {
                let place = Place(device: device, block: first + UInt64(index))
                blocks[place] = operation.region.block(index).byteArray
                unreadable.remove(place)
            }
        case .flush, .discard: break
        }
        return Completion(token: operation.token, result: isGood ? .done : .mediaError)
    }
}

// MARK: Driving

extension SmallPool {
    /// Works until nothing is left to do at this moment, or for `rounds` rounds; gives the last
    /// answer.
    @discardableResult
    func settle(rounds: Int = 100) -> Finished? {
        var last: Finished?
        for _ in 0..<rounds {
            now = now.advanced(byNanoseconds: 1_000_000)
            var isQuiet = true
            for lane in lanes {
                lane.turn(now: now)
                while let operation = lane.nextOperation() {
                    isQuiet = false
                    lane.complete(carryOut(operation))
                }
                while let request = lane.nextCatalogueRequest() {
                    isQuiet = false
                    lane.answer(answer(request))
                }
                while let finished = lane.nextFinished() {
                    isQuiet = false
                    last = finished
                    lane.release(finished.token)
                }
            }
            if isQuiet { break }
        }
        return last
    }

    private func answer(_ request: CatalogueRequest) -> CatalogueAnswer {
        switch request {
        case .load(let key): return .loaded(loadNow(key))
        case .commit(let image):
            tables.apply(image)
            return .committed
        }
    }

    private func context() -> UInt64 {
        nextContext += 1
        return nextContext
    }

    func create(_ number: UInt64, on lane: Int, byteCount: UInt64 = 16 << 20) -> VolumeSlot {
        let row = VolumeRow(
            identifier: VolumeIdentifier(high: 100, low: number),
            name: "volume\(number)",
            byteCount: byteCount,
            lane: LaneIndex(UInt16(lane)),
            tree: TreeIdentifier(number),
            state: .live,
            createdSeconds: 0
        )
        lanes[lane].createVolume(row, context: context())
        settle()
        return lanes[lane].slot(of: row.identifier) ?? VolumeSlot(0)
    }

    func write(_ lane: Int, _ volume: VolumeSlot, at offset: UInt64, _ byteCount: Int) {
        let payload = Self.payload.region[0..<byteCount]
        payload.fill(with: UInt8(truncatingIfNeeded: offset >> 12 | 1))
        lanes[lane].write(
            volume,
            offset: offset,
            payload: payload,
            isDurable: false,
            context: context()
        )
        settle()
    }

    func trim(_ lane: Int, _ volume: VolumeSlot, at offset: UInt64, _ byteCount: UInt64) {
        lanes[lane].trim(
            volume,
            offset: offset,
            byteCount: byteCount,
            isDurable: false,
            context: context()
        )
        settle()
    }

    func zero(_ lane: Int, _ volume: VolumeSlot, at offset: UInt64, _ byteCount: UInt64) {
        lanes[lane].writeZeroes(
            volume,
            offset: offset,
            byteCount: byteCount,
            keepsSpace: true,
            isDurable: false,
            context: context()
        )
        settle()
    }

    func resize(_ lane: Int, _ volume: VolumeSlot, to byteCount: UInt64) {
        lanes[lane].resizeVolume(volume, byteCount: byteCount, context: context())
        settle()
    }

    func destroy(_ lane: Int, _ volume: VolumeSlot) {
        lanes[lane].destroyVolume(volume, context: context())
        settle()
    }

    func flush(_ lane: Int, _ volume: VolumeSlot) {
        lanes[lane].flush(volume, context: context())
        settle()
    }

    /// The status of a read of a block.
    @discardableResult
    func read(_ lane: Int, _ volume: VolumeSlot, at offset: UInt64) -> RequestStatus? {
        lanes[lane].read(volume, offset: offset, byteCount: 4096, context: context())
        return settle()?.status
    }

    /// Lets time pass, so that a checkpoint is due.
    func wait(seconds: UInt64) {
        now = now.advanced(byNanoseconds: seconds * 1_000_000_000)
        settle()
    }

    func shutDown() {
        for lane in lanes { lane.beginShutdown(context: context()) }
        settle(rounds: 400)
    }
}
