internal import Format
internal import Units

/// What leaves refer to, counted one block after another.
///
/// Beside the counts it has a bit for each block of the segments that it meets, so that two
/// references to one place are told: a 32,768th of what the segments hold.
struct Tally {
    private let pool: Pool
    private(set) var live: [UInt32]
    private var places: [[UInt64]]
    private(set) var result = Recount()

    init(_ pool: Pool) {
        self.pool = pool
        live = [UInt32](repeating: 0, count: pool.segments.count)
        places = [[UInt64]](repeating: [], count: pool.segments.count)
    }

    /// Blocks of a segment that hold no data: its header and that of its first record.
    private static var leadBlockCount: Int { 2 }

    mutating func note(_ difference: String) { result.add(difference) }

    mutating func countLeaf() { result.leafCount += 1 }
    mutating func countVolume() { result.volumeCount += 1 }
    mutating func countSegment() { result.segmentCount += 1 }

    /// Takes in what a block refers to and owns; one when it owns space.
    mutating func add(_ state: BlockState) -> Int {
        if state.flash.isPlace { add(state.flash, .flash) }
        if state.disk.isPlace { add(state.disk, .disk) }
        guard state.isCharged else { return 0 }
        result.ownedBlockCount += 1
        if state.isPoisoned { result.poisonedBlockCount += 1 }
        return 1
    }

    /// Takes back what `add` took in.
    mutating func remove(_ state: BlockState) -> Int {
        if state.flash.isPlace { remove(state.flash, .flash) }
        if state.disk.isPlace { remove(state.disk, .disk) }
        guard state.isCharged else { return 0 }
        result.ownedBlockCount -= 1
        if state.isPoisoned { result.poisonedBlockCount -= 1 }
        return 1
    }

    private mutating func add(_ location: Location, _ role: DeviceRole) {
        guard pool.isPlace(location, role: role) else {
            return note("a block lies at \(describe(location)), which no \(role) device has")
        }
        if role == .flash { result.flashBlockCount += 1 } else { result.diskBlockCount += 1 }
        let segment = pool.slot(of: location)
        let index = place(location, segment)
        live[segment] += 1
        if index < Self.leadBlockCount {
            note("a block lies at \(describe(location)), where a segment has its headers")
        }
        if places[segment].isEmpty {
            let count = pool.geometry(of: segment).segmentBlockCount
            places[segment] = [UInt64](repeating: 0, count: (count + 63) / 64)
        }
        let bit = UInt64(1) << UInt64(index % 64)
        if places[segment][index / 64] & bit != 0 {
            note("two blocks lie at \(describe(location))")
        }
        places[segment][index / 64] |= bit
    }

    private mutating func remove(_ location: Location, _ role: DeviceRole) {
        guard pool.isPlace(location, role: role) else { return }
        if role == .flash { result.flashBlockCount -= 1 } else { result.diskBlockCount -= 1 }
        let segment = pool.slot(of: location)
        let index = place(location, segment)
        guard live[segment] > 0 else { return note("a block that was not counted is gone") }
        live[segment] -= 1
        places[segment][index / 64] &= ~(UInt64(1) << UInt64(index % 64))
    }

    /// A block's place in its segment.
    private func place(_ location: Location, _ segment: Int) -> Int {
        let address = pool.address(of: segment)
        return Int(location.block - pool.geometry(of: segment).firstBlock(of: address.index))
    }

    private func describe(_ location: Location) -> String {
        "block \(location.block) of device \(location.device.rawValue)"
    }
}
