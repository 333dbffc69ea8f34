/// Which blocks of a volume the workload touches: a few islands in a wide address space, so that a
/// small amount of data needs many leaves, and in which order.
package struct AddressPattern: Sendable {
    package enum Kind: Sendable, CaseIterable {
        case uniform, sequential, hotCold, overwrite, fill
    }

    package let kind: Kind
    /// First block of each island, ascending.
    private let starts: [UInt64]
    private let blocksPerIsland: Int
    private let hotCount: Int
    private var cursor = 0
    /// The size of a volume that holds all islands.
    package let byteCount: UInt64

    package init(
        kind: Kind,
        islandCount: Int,
        blocksPerIsland: Int,
        random: inout SimulationRandom
    ) {
        self.kind = kind
        self.blocksPerIsland = blocksPerIsland
        var starts: [UInt64] = []
        var next: UInt64 = 0
        for _ in 0..<islandCount {
            // Often across the end of a leaf, at times right behind the last island.
            let start: UInt64
            switch random.below(4) {
            case 0: start = next
            case 1: start = next + UInt64(random.below(600))
            case 2: start = (next / 512 + 1) * 512
            default: start = (next / 512 + 1) * 512 + 512 - UInt64(min(blocksPerIsland / 2, 500))
            }
            starts.append(start)
            next = start + UInt64(blocksPerIsland)
        }
        self.starts = starts
        hotCount = max(1, islandCount * blocksPerIsland / random.number(in: 5...20))
        byteCount = (next + UInt64(random.below(3))) * 4096
    }

    package var blockCount: Int { starts.count * blocksPerIsland }

    /// The blocks of each island.
    package var islands: [Range<UInt64>] { starts.map { $0..<($0 + UInt64(blocksPerIsland)) } }

    /// A stretch of up to `countMax` blocks that lies in one island.
    package mutating func next(
        countMax: Int,
        random: inout SimulationRandom
    ) -> (block: UInt64, count: Int) {
        let wanted = min(random.skewedNumber(in: 1...max(countMax, 1)), blocksPerIsland)
        let index: Int
        switch kind {
        case .uniform: index = random.below(blockCount)
        case .sequential, .fill:
            index = cursor
            cursor = (cursor + wanted) % blockCount
            if kind == .sequential, random.isOne(in: 40) { cursor = random.below(blockCount) }
        case .hotCold:
            index = random.chance(permille: 900) ? random.below(hotCount) : random.below(blockCount)
        case .overwrite: index = random.below(min(24, blockCount))
        }
        let place = index % blocksPerIsland
        let count = min(wanted, blocksPerIsland - place)
        return (starts[index / blocksPerIsland] + UInt64(place), count)
    }
}
