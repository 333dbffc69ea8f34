package import IO
internal import Units

/// What a simulated device holds without power: flat memory, and for each block whether it was ever
/// written.  A block that was not reads as random bytes that depend on seed and place only.
///
/// The memory is obtained once and used by one seed after another; `reset` forgets what was there.
package final class DurableImage {
    private var arena = Arena(byteCount: Geometry.blockByteCount, isPopulated: false)
    private var isWritten: [Bool] = []
    private var seed: UInt64 = 0
    package private(set) var blockCount = 0

    package init() {}

    /// Becomes the image of a device that was never written.
    package func reset(blockCount: Int, seed: UInt64) {
        if arena.region.byteCount < blockCount * Geometry.blockByteCount {
            arena = Arena(byteCount: blockCount * Geometry.blockByteCount, isPopulated: false)
        }
        self.blockCount = blockCount
        self.seed = seed
        isWritten = [Bool](repeating: false, count: blockCount)
    }

    /// The memory of a block, filled when it is first asked for.
    package func block(_ index: Int) -> BufferRegion {
        let region = arena.region.block(index)
        if !isWritten[index] {
            region.fillRandomly(seed: seed ^ UInt64(index))
            isWritten[index] = true
        }
        return region
    }

    package func write(_ source: BufferRegion, to index: Int) {
        arena.region.block(index).copy(from: source)
        isWritten[index] = true
    }

    package func read(_ index: Int, into target: BufferRegion) { target.copy(from: block(index)) }
}

/// Memory for the blocks of writes that are not durable, in cells of one block each.
package final class CellStore {
    private var arenas: [Arena] = []
    private var free: [UInt32] = []
    private static var cellsPerArena: Int { 1024 }

    package init() {}

    package func region(of cell: UInt32) -> BufferRegion {
        arenas[Int(cell) / Self.cellsPerArena].region.block(Int(cell) % Self.cellsPerArena)
    }

    package func acquire() -> UInt32 {
        if free.isEmpty { grow() }
        return free.removeLast()
    }

    private func grow() {
        let first = arenas.count * Self.cellsPerArena
        arenas.append(
            Arena(byteCount: Self.cellsPerArena * Geometry.blockByteCount, isPopulated: false)
        )
        // Handed out from the end: lowest first.
        for index in (first..<(first + Self.cellsPerArena)).reversed() {
            free.append(UInt32(index))
        }
    }

    package func release(_ cells: [UInt32]) { free.append(contentsOf: cells) }
}
