internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

/// What recovery reads, outside of virtual time.
struct SimulatedSource: RecoverySource {
    let devices: [SimulatedDevice]
    let catalogue: SimulatedCatalogue

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        let blocks = Int(block)..<(Int(block) + region.byteCount / 4096)
        if devices[Int(device.rawValue)].refusesNow(blocks) { return false }
        devices[Int(device.rawValue)].readNow(offset: block * 4096, into: region)
        return true
    }

    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf { catalogue.tables.leaf(key) }

    func pause() { for device in devices { device.faults?.pauseOpening() } }
}

/// Devices and catalogue as whoever opens the pool has them, outside of virtual time: what is
/// written is volatile until it is flushed, and the power may go at any write, flush or commit.
final class SimulatedPlace: OpeningPlace {
    enum Failure: Error { case cut }

    private let source: SimulatedSource
    private let journal: Journal
    private var random: SimulationRandom
    /// Writes, flushes and commits before the one in which the power goes; nil when it does not.
    private var eventsLeft: Int?
    /// Whether the flush or commit in which the power goes is done; nil leaves it to chance.
    private let doesLast: Bool?
    /// The power is gone.
    private(set) var isCut = false
    /// Writes, flushes and commits so far.
    private(set) var eventCount = 0
    /// All devices were flushed, and nothing was written before.
    private(set) var isFlushed = false
    private var isBegun = false
    /// The catalogue knows that every device was told.
    private(set) var isWitnessed = false
    /// What recovery missed of records, and is written again.
    private(set) var missing: [(device: Int, block: Int)] = []
    private var flushed: Set<DeviceIndex> = []
    private var hasWritten = false
    /// Places of witnesses that a device does not take: of each device and lane one at most, as
    /// others may be damaged later.
    private var refused: Set<Location> = []

    init(
        _ source: SimulatedSource,
        _ journal: Journal,
        _ random: SimulationRandom,
        eventsLeft: Int?,
        doesLast: Bool?
    ) {
        self.source = source
        self.journal = journal
        self.random = random
        self.eventsLeft = eventsLeft
        self.doesLast = doesLast
    }

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        source.read(device, block: block, into: region)
    }

    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf { try source.load(key) }

    func pause() { source.pause() }

    func write(_ device: DeviceIndex, block: UInt64, from region: BufferRegion) -> Bool {
        let index = Int(device.rawValue)
        let isTaken = !isCut && !isRefused(Location(device: device, block: block))
        guard isTaken else { return false }
        hasWritten = true
        noteEvent()
        for position in 0..<(region.byteCount / Geometry.blockByteCount) {
            source.devices[index].takeNow(Int(block) + position, from: region.block(position))
        }
        if !isBegun {
            journal.met(.missingBlockRestored)
            missing.append((index, Int(block)))
        }
        return true
    }

    func flush(_ device: DeviceIndex) throws(Failure) {
        if isCut { throw .cut }
        noteEvent()
        if isDone() { source.devices[Int(device.rawValue)].makeAllDurable() }
        if isCut { throw .cut }
        if !hasWritten { flushed.insert(device) }
        isFlushed = flushed.count == source.devices.count
    }

    func begin(incarnation: UInt32, logEnds: [LogEnd]) throws(Failure) {
        try commit { place in
            place.source.catalogue.begin(incarnation: incarnation, logEnds: logEnds)
            place.isBegun = true
        }
    }

    func noteWitnessed(_ incarnation: UInt32) throws(Failure) {
        try commit { place in
            place.source.catalogue.noteWitnessed(incarnation)
            place.isWitnessed = true
        }
    }

    /// A commit that is cut is done, or not.
    private func commit(_ body: (SimulatedPlace) -> Void) throws(Failure) {
        if isCut { throw .cut }
        noteEvent()
        if isDone() { body(self) }
        if isCut { throw .cut }
    }

    private func noteEvent() {
        eventCount += 1
        guard let left = eventsLeft else { return }
        eventsLeft = left - 1
        isCut = left == 0
    }

    /// Whether what comes now is done: in the moment of the cut it may be.
    private func isDone() -> Bool { !isCut || doesLast ?? random.isOne(in: 2) }

    private func isRefused(_ place: Location) -> Bool {
        guard DeviceLayout.isWitness(block: place.block) else { return false }
        if refused.contains(place) { return true }
        let lanes = UInt64(DeviceLayout.witnessLaneCountMax)
        let hasOther = refused.contains {
            $0.device == place.device && $0.block % lanes == place.block % lanes
        }
        let faults = source.devices[Int(place.device.rawValue)].faults
        guard !hasOther, faults?.refusesWitness() ?? false else { return false }
        refused.insert(place)
        return true
    }
}
