import Format
import Units

/// Leaves drawn at random from patterns that occur and values at the ends of their ranges.
struct LeafGenerator {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// A leaf of stretches that each have a pattern of their own, and the writers it names.
    mutating func leaf() -> (states: [BlockState], writers: [VolumeIdentifier]) {
        let writerCount = random.once(in: 20) ? 512 : 1 + random.number(below: 4)
        let writers = (0..<writerCount).map { _ in VolumeIdentifier(from: &random) }
        var states: [BlockState] = []
        while states.count < LeafFormat.blockCount {
            let lengthMax = random.once(in: 3) ? 3 : 200
            let length = 1 + random.number(below: lengthMax)
            states += stretch(min(length, LeafFormat.blockCount - states.count), writerCount)
        }
        return (states, writers)
    }

    private mutating func stretch(_ length: Int, _ writerCount: Int) -> [BlockState] {
        let pattern = random.number(below: 8)
        guard pattern > 0 else { return .init(repeating: .absent, count: length) }
        let kind: BlockState.Kind = pattern == 1 ? .zero : pattern == 2 ? .poisoned : .stored
        let places = kind == .zero ? 0 : kind == .stored ? 1 + random.number(below: 3) : 0
        let flash = numbers(length, of: 1 << 40)
        let disk = numbers(length, of: 1 << 40)
        let sequence = numbers(length, of: .max)
        let flashDevice = device()
        let diskDevice = device()
        let writer = UInt16(random.number(below: writerCount))
        return (0..<length).map { index in
            BlockState(
                kind: kind,
                flash: places & 1 == 0
                    ? .nowhere : Location(device: flashDevice, block: flash[index]),
                disk: places & 2 == 0
                    ? .nowhere : Location(device: diskDevice, block: disk[index]),
                sequence: SequenceNumber(sequence[index]),
                checksum: kind == .zero ? 0 : UInt32(truncatingIfNeeded: random.next()),
                writer: writer
            )
        }
    }

    private mutating func device() -> DeviceIndex {
        DeviceIndex(random.once(in: 4) ? 255 : UInt8(random.number(below: 3)))
    }

    /// Numbers below `end`: ascending, all the same, scattered, or in short steps.
    private mutating func numbers(_ count: Int, of end: UInt64) -> [UInt64] {
        let first = random.once(in: 4) ? end - 1 - random.next() % 8 : random.next() % end
        switch random.number(below: 4) {
        case 0: return (0..<count).map { (first &+ UInt64($0)) % end }
        case 1: return .init(repeating: first, count: count)
        case 2: return (0..<count).map { _ in random.next() % end }
        default: return (0..<count).map { (first &+ UInt64($0 / 3 * 7 + $0 % 3)) % end }
        }
    }
}
