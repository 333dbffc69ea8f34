internal import Policy
internal import Units
internal import Format

/// The leaves of the map that are in memory: a fixed number of slots, found by volume and index.
///
/// A leaf covers 2 MiB of a volume: 512 block states and the heat of 32 chunks.  The catalogue
/// holds all leaves, this a bounded number.  A slot is taken back only when its leaf is clean and
/// nobody has it pinned; the clock hand passes over leaves that were used since it came by last.
/// The last slot is left empty as long as there are checkpoints: a lane that is read-only cleans no
/// leaf any more, and can read any volume through that one.
struct LeafMap {
    struct Entry: BitwiseCopyable {
        enum State: UInt8, BitwiseCopyable {
            case free
            /// Asked of the catalogue; requests wait.
            case loading
            case ready
        }
        var state = State.free
        /// Changed since the last checkpoint captured it.
        var isDirty = false
        /// Heat changed since it was last stored.
        var isHeatDirty = false
        /// Captured by the checkpoint in progress and not yet encoded: to be encoded before it
        /// changes.
        var isCaptured = false
        /// In the image of the checkpoint in progress: the catalogue's version is older.
        var isCommitting = false
        var wasUsed = false
        /// Bit k: chunk k is being moved between streams.
        var movingChunks: UInt32 = 0
        var pinCount: UInt32 = 0
        /// The oldest change keeps it.
        var isHeld = false
        var volume: UInt32 = 0
        var index: UInt64 = 0
        /// Next slot in the same hash chain; -1 ends it.
        var nextInChain: Int32 = -1
        /// First request that waits for the load; -1 for none.
        var firstWaiter: Int32 = -1
    }

    let count: Int
    let entries: Slab<Entry>
    let states: Slab<BlockState>
    let heat: Slab<Heat>
    private let chains: Slab<Int32>
    private let chainMask: UInt64
    private var hand = 0
    /// Slots whose leaf differs from the catalogue's, captured ones included.
    private(set) var dirtyCount = 0
    private(set) var readyCount = 0

    init(count: Int) {
        self.count = count
        entries = Slab(count: count, repeating: Entry())
        states = Slab(count: count * Geometry.blocksPerLeaf, repeating: .absent)
        heat = Slab(count: count * Geometry.chunksPerLeaf, repeating: Heat())
        var chainCount = 16
        while chainCount < count * 2 { chainCount *= 2 }
        chains = Slab(count: chainCount, repeating: -1)
        chainMask = UInt64(chainCount - 1)
    }

    func deallocate() {
        entries.deallocate()
        states.deallocate()
        heat.deallocate()
        chains.deallocate()
    }

    @inline(__always)
    private func chain(volume: UInt32, index: UInt64) -> Int {
        let mixed = (index &+ UInt64(volume) &* 0x9E37_79B9) &* 0x9E37_79B9_7F4A_7C15
        return Int((mixed >> 32) & chainMask)
    }

    /// The slot of a leaf that is in memory or on its way; nil otherwise.
    @inline(__always)
    func find(volume: UInt32, index: UInt64) -> Int? {
        var slot = chains[chain(volume: volume, index: index)]
        while slot >= 0 {
            let entry = entries[Int(slot)]
            if entry.index == index && entry.volume == volume { return Int(slot) }
            slot = entry.nextInChain
        }
        return nil
    }

    /// The state of one block of the leaf in `slot`.
    @inline(__always)
    func state(_ slot: Int, _ block: Int) -> BlockState {
        states[slot &* Geometry.blocksPerLeaf &+ block]
    }

    /// Puts a leaf into a slot that `victim()` gave.
    ///
    /// The slot's states are not cleared: the caller fills them.
    mutating func place(_ slot: Int, volume: UInt32, index: UInt64, as state: Entry.State) {
        invariant(entries[slot].state == .free, "a leaf is placed into a free slot")
        let place = chain(volume: volume, index: index)
        var entry = Entry()
        entry.state = state
        entry.volume = volume
        entry.index = index
        entry.wasUsed = true
        entry.nextInChain = chains[place]
        entries[slot] = entry
        chains[place] = Int32(slot)
        readyCount += 1
    }

    /// A slot that may be reused: free, or clean and idle since the hand last passed.  The caller
    /// saves its heat and removes the leaf first.  Nil when all are dirty or pinned.
    ///
    /// - Parameter reserve: the last slots, which are not given.
    mutating func victim(leaving reserve: Int) -> Int? {
        let usedCount = count - reserve
        if hand >= usedCount { hand = 0 }
        for _ in 0..<(2 * usedCount) {
            let slot = hand
            hand = hand + 1 >= usedCount ? 0 : hand + 1
            let entry = entries[slot]
            switch entry.state {
            case .free: return slot
            case .loading: continue
            case .ready: break
            }
            if (entry.isDirty && !Mutant.dirtyLeafEvicted.isOn) || entry.isCommitting
                || entry.isCaptured || entry.pinCount > 0 || entry.isHeld
                || entry.movingChunks != 0
            {
                continue
            }
            if entry.wasUsed {
                entries[slot].wasUsed = false
                continue
            }
            return slot
        }
        return nil
    }

    /// Takes a leaf out of memory.
    mutating func remove(_ slot: Int) {
        let entry = entries[slot]
        invariant(entry.state != .free, "a slot is emptied once")
        invariant(entry.firstWaiter < 0, "nobody waits for a leaf that goes")
        let place = chain(volume: entry.volume, index: entry.index)
        var before: Int32 = -1
        var at = chains[place]
        while at != Int32(slot) {
            invariant(at >= 0, "a leaf in memory is on its chain")
            before = at
            at = entries[Int(at)].nextInChain
        }
        if before < 0 {
            chains[place] = entry.nextInChain
        } else {
            entries[Int(before)].nextInChain = entry.nextInChain
        }
        if entry.isDirty { dirtyCount -= 1 }
        entries[slot] = Entry()
        readyCount -= 1
    }

    /// Makes every block of the leaf absent and its heat cold.
    func clear(_ slot: Int) {
        let firstState = slot * Geometry.blocksPerLeaf
        for block in 0..<Geometry.blocksPerLeaf { states[firstState + block] = .absent }
        let firstHeat = slot * Geometry.chunksPerLeaf
        for chunk in 0..<Geometry.chunksPerLeaf { heat[firstHeat + chunk] = Heat() }
    }

    mutating func setDirty(_ slot: Int, _ isDirty: Bool) {
        guard entries[slot].isDirty != isDirty else { return }
        entries[slot].isDirty = isDirty
        dirtyCount += isDirty ? 1 : -1
    }

    /// Whether no block of the leaf owns anything, so that the catalogue need not hold it.
    func isVacant(_ slot: Int) -> Bool {
        let first = slot * Geometry.blocksPerLeaf
        for block in 0..<Geometry.blocksPerLeaf where states[first + block].isCharged {
            return false
        }
        return true
    }
}
