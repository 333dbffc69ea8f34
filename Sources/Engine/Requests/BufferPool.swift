internal import IO
internal import Units

/// Buffers for the data of requests, in a few sizes, from one arena.
///
/// Beside every block of a buffer stands what its checksum must be, noted when a read is submitted.
struct BufferPool {
    private struct Slot: BitwiseCopyable {
        var firstBlock: Int32
        var blockCount: Int32
        var nextFree: Int32
        var sizeClass: Int32
        var isTaken: Bool
    }

    private let arena: Arena
    private let slots: Slab<Slot>
    private let firstFree: Slab<Int32>
    private let classBlockCounts: [Int]
    let checks: Slab<BlockCheck>
    private(set) var freeCount = 0

    init(_ classes: [BufferClass], isPopulated: Bool) {
        let blocks = classes.reduce(0) { $0 + $1.blockCount * $1.count }
        let count = classes.reduce(0) { $0 + $1.count }
        arena = Arena(byteCount: blocks * Geometry.blockByteCount, isPopulated: isPopulated)
        checks = Slab(count: blocks, repeating: .none)
        slots = Slab(
            count: count,
            repeating: Slot(
                firstBlock: 0,
                blockCount: 0,
                nextFree: -1,
                sizeClass: 0,
                isTaken: false
            )
        )
        firstFree = Slab(count: classes.count, repeating: -1)
        classBlockCounts = classes.map(\.blockCount)
        var slot = 0
        var block = 0
        for (index, sizeClass) in classes.enumerated() {
            for _ in 0..<sizeClass.count {
                slots[slot] = Slot(
                    firstBlock: Int32(block),
                    blockCount: Int32(sizeClass.blockCount),
                    nextFree: firstFree[index],
                    sizeClass: Int32(index),
                    isTaken: false
                )
                firstFree[index] = Int32(slot)
                slot += 1
                block += sizeClass.blockCount
            }
        }
        freeCount = count
    }

    func deallocate() {
        slots.deallocate()
        firstFree.deallocate()
        checks.deallocate()
    }

    /// Whether `take` would succeed.
    func has(blockCount: Int) -> Bool {
        for index in 0..<classBlockCounts.count
        where classBlockCounts[index] >= blockCount && firstFree[index] >= 0 {
            return true
        }
        return false
    }

    /// Takes the smallest free buffer of at least `blockCount` blocks; nil when there is none.
    mutating func take(blockCount: Int) -> Int32? {
        for index in 0..<classBlockCounts.count where classBlockCounts[index] >= blockCount {
            let slot = firstFree[index]
            guard slot >= 0 else { continue }
            firstFree[index] = slots[Int(slot)].nextFree
            slots[Int(slot)].isTaken = true
            freeCount -= 1
            return slot
        }
        return nil
    }

    mutating func give(_ slot: Int32) {
        let index = Int(slots[Int(slot)].sizeClass)
        invariant(slots[Int(slot)].isTaken, "a buffer is given back once")
        slots[Int(slot)].isTaken = false
        slots[Int(slot)].nextFree = firstFree[index]
        firstFree[index] = slot
        freeCount += 1
    }

    func region(_ slot: Int32) -> BufferRegion {
        let buffer = slots[Int(slot)]
        let start = Int(buffer.firstBlock) * Geometry.blockByteCount
        return arena.region[start..<(start + Int(buffer.blockCount) * Geometry.blockByteCount)]
    }

    func block(_ slot: Int32, _ index: Int) -> BufferRegion {
        arena.region.block(Int(slots[Int(slot)].firstBlock) + index)
    }

    /// Index of the check of the buffer's block zero.
    func firstCheck(_ slot: Int32) -> Int { Int(slots[Int(slot)].firstBlock) }
}
