/// What a crash leaves of the writes that no flush has covered.
///
/// Every mode but the last is a power cut: afterwards each such sector is old or new, or damaged,
/// and all of it is durable.  A process kill keeps what the device had completed, still volatile.
package enum CrashMode: Sendable, Hashable, CustomStringConvertible {
    case dropAll
    case keepAll
    /// Each write, block or sector is kept with this probability.
    case subset(permille: Int)
    /// The first ones are kept, in the order in which they were submitted; one may be cut.
    case prefix
    case oneMissing
    case oneOnly
    /// Each block is kept, dropped or damaged; of a damaged one, sectors are right, wrong or old.
    case garbage
    /// Of some blocks only the first 3/8 or 7/8 are new.
    case shorn
    /// Of some blocks each 512-byte sector is old or new.
    case torn
    /// Every sector is new but those of zeros, which stay old: what one write lacks then, another
    /// one to the same place may bring.
    case zeroesMissing
    /// Only sectors of zeros are new.
    case zeroesOnly
    /// Some blocks cannot be read until they are written again.
    case unreadable
    /// Blocks are new or old, and beside what was being written durable ones are damaged.
    case neighbours
    case processKill

    package static var powerCuts: [CrashMode] {
        [
            .dropAll, .keepAll, .subset(permille: 100), .subset(permille: 500),
            .subset(permille: 900), .prefix, .oneMissing, .oneOnly, .garbage, .shorn, .torn,
            .zeroesMissing, .zeroesOnly, .unreadable, .neighbours,
        ]
    }

    package static var all: [CrashMode] { powerCuts + [.processKill] }

    package var isPowerCut: Bool { self != .processKill }

    package var description: String {
        switch self {
        case .dropAll: "drop-all"
        case .keepAll: "keep-all"
        case .subset(let permille): "subset-\(permille)"
        case .prefix: "prefix"
        case .oneMissing: "one-missing"
        case .oneOnly: "one-only"
        case .garbage: "garbage"
        case .shorn: "shorn"
        case .torn: "torn"
        case .zeroesMissing: "zeroes-missing"
        case .zeroesOnly: "zeroes-only"
        case .unreadable: "unreadable"
        case .neighbours: "neighbours"
        case .processKill: "process-kill"
        }
    }
}

/// What a power cut leaves of one block that was being written.
enum BlockFate: Equatable {
    /// Sectors whose bit is set are new, the others old.
    case sectors(UInt8)
    /// Sectors of zeros are new, the others old; or the other way round.
    case zeroes(isNew: Bool)
    /// Sectors are new, old or neither.
    case damaged
    /// The block cannot be read.
    case unreadable

    static var new: BlockFate { .sectors(0xFF) }
    static var old: BlockFate { .sectors(0) }
}

/// Decides the fates of all volatile blocks of one device at one power cut.
struct CrashFates {
    private enum Grain { case write, block, sector }

    private let mode: CrashMode
    private let writeCount: Int
    /// The write that a mode singles out.
    private let chosen: Int
    private let grain: Grain
    private var keepsWrite = true
    private var tearsWrite = false

    init(mode: CrashMode, writeCount: Int, random: inout SimulationRandom) {
        self.mode = mode
        self.writeCount = writeCount
        chosen = writeCount == 0 ? 0 : random.below(mode == .prefix ? writeCount + 1 : writeCount)
        grain = random.pick([.write, .block, .sector])
    }

    /// Goes on to the next write, in order.
    mutating func beginWrite(random: inout SimulationRandom) {
        if case .subset(let permille) = mode { keepsWrite = random.chance(permille: permille) }
        tearsWrite = random.isOne(in: 3)
    }

    /// Whether the write that was begun harms what lies beside it.
    var harmsNeighbours: Bool { mode == .neighbours && tearsWrite }

    /// The fate of block `block` of `blockCount` of write `write`.
    func fate(
        write: Int,
        block: Int,
        blockCount: Int,
        random: inout SimulationRandom
    ) -> BlockFate {
        switch mode {
        case .dropAll: return .old
        case .keepAll, .processKill: return .new
        case .subset(let permille):
            switch grain {
            case .write: return keepsWrite ? .new : .old
            case .block: return random.chance(permille: permille) ? .new : .old
            case .sector:
                var mask: UInt8 = 0
                for bit in 0..<8 where random.chance(permille: permille) { mask |= 1 << bit }
                return .sectors(mask)
            }
        case .prefix:
            guard write == chosen else { return write < chosen ? .new : .old }
            return random.isOne(in: 2) ? .new : .old
        case .oneMissing: return write == chosen ? .old : .new
        case .oneOnly: return write == chosen ? .new : .old
        case .garbage:
            switch random.below(3) {
            case 0: return .new
            case 1: return .old
            default: return .damaged
            }
        case .shorn:
            guard tearsWrite, random.isOne(in: 2) || block + 1 == blockCount else { return .new }
            return .sectors(random.isOne(in: 2) ? 0b0000_0111 : 0b0111_1111)
        case .torn:
            guard tearsWrite else { return .new }
            return .sectors(UInt8(truncatingIfNeeded: random.next()))
        case .zeroesMissing: return .zeroes(isNew: false)
        case .zeroesOnly: return .zeroes(isNew: true)
        case .unreadable:
            switch random.below(3) {
            case 0: return .new
            case 1: return .old
            default: return .unreadable
            }
        case .neighbours: return random.isOne(in: 2) ? .new : .old
        }
    }
}
