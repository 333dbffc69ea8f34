internal import Engine
internal import IO
internal import Units

// A device whose flushes are lies keeps in its cache what it said to be durable, and loses it with
// the power: everything since some moment, or some of it.  Until then nobody can tell.

/// A block that a flush was to make durable, and what a cut that comes soon leaves there.
struct LiedWrite {
    var flush: Int
    var block: Int
    /// Of the store: the bytes that were there before.
    var cell: UInt32
}

extension SimulatedDevice {
    /// Blocks that fit into the cache: what is older was written in the end.
    private static var cacheBlockCount: Int { 600 }

    /// Keeps what a lie pretends to have been replaced.
    func keepWhatWas(at block: Int) {
        guard let faults, faults.lies else { return }
        let cell = cells.acquire()
        cells.region(of: cell).copy(from: image.block(block))
        unflushed.append(LiedWrite(flush: flushCount, block: block, cell: cell))
        guard unflushed.count > Self.cacheBlockCount else { return }
        cells.release([unflushed.removeFirst().cell])
    }

    /// The cut takes what flushes had covered: of some of the last ones everything, or parts of it.
    func loseFlushed() {
        guard let first = unflushed.first?.flush, let last = unflushed.last?.flush else { return }
        let lostFrom = random.number(in: first...(last + 1))
        let isWhole = random.isOne(in: 2)
        for write in unflushed.reversed() {
            if write.flush >= lostFrom, isWhole || random.isOne(in: 2) {
                journal.trace("block \(write.block) of device \(index.rawValue) was never flushed")
                image.write(cells.region(of: write.cell), to: write.block)
                faults?.markWrong(write.block)
                hasLostFlushed = true
            }
        }
        writeCache()
    }

    /// The cache was written in the end.
    func writeCache() {
        guard !unflushed.isEmpty else { return }
        cells.release(unflushed.map(\.cell))
        unflushed = []
    }
}
