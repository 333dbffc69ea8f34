package import IO
package import Units

// What a volume must hold, thought out without the engine: an array of blocks, each with the
// requests that changed it, in the order in which they were handed to the engine.
//
//      order      1    2    3    4    5    6    7    8    9
//      request    w    w    t    w    W    w    w    z    w        W: above the atomic size
//                      ^         ^              ^         ^
//                  durable    acknowledged   observed   issued
//
// The promises, in these terms.  The state of a volume is always that of some point in this order.
// While it is served, the point lies at or behind the newest request that was acknowledged, and
// behind the newest that any read has shown, before the read began; and not behind the newest that
// was issued when the read ended.  After a process was killed it lies at or behind the newest
// acknowledged; after a power cut at or behind the newest that a FLUSH or FUA has covered.  The
// point is the same for all blocks of the volume, save that a request above the atomic size may be
// there in part when it is the last.

/// The volume as its clients may expect it.
package final class ReferenceVolume {
    /// Unique in the seed; part of every stamp.
    package let number: UInt64
    package let identifier: VolumeIdentifier
    package let name: String
    package internal(set) var byteCount: UInt64
    let seed: UInt64
    let atomicByteCount: Int
    let journal: Journal
    let scratch: [BufferRegion]

    /// The order of the newest request issued; the first one is 1.
    package internal(set) var issued: UInt64 = 0
    package internal(set) var acknowledged: UInt64 = 0
    package internal(set) var observed: UInt64 = 0
    package internal(set) var durable: UInt64 = 0
    /// Requests that are not answered, and those that are not durable, by order.
    var requests: [IssuedRequest] = []

    /// Blocks by leaf of 2 MiB: index into `pages`.
    private var pageOfLeaf: [UInt64: Int] = [:]
    private(set) var pages: [(leaf: UInt64, blocks: [BlockHistory])] = []
    /// Blocks with patches; each once.
    var listed: [UInt64] = []

    /// Points in the order at which the volume may stand since the last crash; empty when known.
    var candidates: [Candidate] = []
    /// The earliest point that the last crash allowed.
    var lowest: UInt64 = 0

    /// A request that changes the volume.
    struct IssuedRequest {
        var order: UInt64
        var isAtomic: Bool
        var isDurable: Bool
        var isAnswered = false
        /// Size of the volume from here on, for a resize.
        var newByteCount: UInt64?
    }

    /// A point in the order at which a crash may have left the volume.
    struct Candidate: Equatable {
        var order: UInt64
        /// Of the request at `order` only some blocks are there.
        var isPartial: Bool
    }

    package init(
        number: UInt64,
        identifier: VolumeIdentifier,
        name: String,
        byteCount: UInt64,
        seed: UInt64,
        atomicByteCount: Int,
        scratch: [BufferRegion],
        journal: Journal
    ) {
        self.number = number
        self.identifier = identifier
        self.name = name
        self.byteCount = byteCount
        self.seed = seed
        self.atomicByteCount = atomicByteCount
        self.scratch = scratch
        self.journal = journal
    }

    package var blockCount: UInt64 { byteCount / 4096 }

    // MARK: Blocks

    func withBlock<Result>(
        _ block: UInt64,
        _ body: (inout BlockHistory) -> Result
    ) -> Result {
        let leaf = block / 512
        let page: Int
        if let known = pageOfLeaf[leaf] {
            page = known
        } else {
            page = pages.count
            pages.append((leaf, Array(repeating: BlockHistory(), count: 512)))
            pageOfLeaf[leaf] = page
        }
        return body(&pages[page].blocks[Int(block % 512)])
    }

    /// The block's history; that of a block never written when there is none.
    func history(of block: UInt64) -> BlockHistory {
        guard let page = pageOfLeaf[block / 512] else { return BlockHistory() }
        return pages[page].blocks[Int(block % 512)]
    }

    private func add(_ patch: Patch, to block: UInt64) {
        let isNew = withBlock(block) { history -> Bool in
            if history.patches.count >= 6 { foldDurable(&history, block) }
            history.patches.append(patch)
            defer { history.isListed = true }
            return !history.isListed
        }
        if isNew { listed.append(block) }
    }

    /// Forgets versions that no crash can bring back.
    func foldDurable(_ history: inout BlockHistory, _ block: UInt64) {
        let end = history.end(at: durable)
        guard end > 0, history.doubtfulCount(before: end) == 0 else { return }
        history.fold(before: end, volume: number, block: block, seed: seed, scratch: scratch)
    }

    // MARK: Requests that change the volume

    /// Notes a write that is handed to the engine now; its order goes into the stamps.
    package func beginWrite(offset: UInt64, byteCount: Int, isDurable: Bool) -> UInt64 {
        let order = issue(byteCount: UInt64(byteCount), isDurable: isDurable)
        addPatches(.data, offset: offset, byteCount: UInt64(byteCount), order: order)
        return order
    }

    package func beginZeroes(
        offset: UInt64,
        byteCount: UInt64,
        keepsSpace: Bool,
        isDurable: Bool
    ) -> UInt64 {
        let order = issue(byteCount: byteCount, isDurable: isDurable)
        addPatches(keepsSpace ? .zero : .hole, offset: offset, byteCount: byteCount, order: order)
        return order
    }

    /// Only whole blocks inside the range are trimmed.
    package func beginTrim(offset: UInt64, byteCount: UInt64, isDurable: Bool) -> UInt64 {
        let order = issue(byteCount: byteCount, isDurable: isDurable)
        let first = (offset + 4095) / 4096
        let end = (offset + byteCount) / 4096
        if first < end {
            addPatches(.hole, offset: first * 4096, byteCount: (end - first) * 4096, order: order)
        }
        return order
    }

    /// What lies behind a smaller size is gone.
    package func beginResize(to newByteCount: UInt64) -> UInt64 {
        let order = issue(byteCount: 0, isDurable: true)
        requests[requests.count - 1].newByteCount = newByteCount
        let firstLost = newByteCount / 4096
        for index in pages.indices {
            for position in 0..<512 {
                let block = pages[index].leaf * 512 + UInt64(position)
                guard block >= firstLost, pages[index].blocks[position].isInUse else { continue }
                add(Patch(order: order, from: 0, to: 4096, kind: .hole), to: block)
            }
        }
        return order
    }

    private func issue(byteCount: UInt64, isDurable: Bool) -> UInt64 {
        issued += 1
        requests.append(
            IssuedRequest(
                order: issued,
                isAtomic: byteCount <= UInt64(atomicByteCount),
                isDurable: isDurable
            )
        )
        return issued
    }

    private func addPatches(_ kind: Patch.Kind, offset: UInt64, byteCount: UInt64, order: UInt64) {
        var position = offset
        let end = offset + byteCount
        while position < end {
            let block = position / 4096
            let from = position % 4096
            let to = min(end - block * 4096, 4096)
            add(
                Patch(order: order, from: UInt16(from), to: UInt16(to), kind: kind),
                to: block
            )
            position = block * 4096 + to
        }
    }

    // MARK: Answers

    /// The engine answered that the request is done.
    package func acknowledge(_ order: UInt64) {
        guard let index = requests.firstIndex(where: { $0.order == order }) else { return }
        acknowledged = max(acknowledged, order)
        requests[index].isAnswered = true
        if let size = requests[index].newByteCount { byteCount = size }
        if requests[index].isDurable { makeDurable(through: order) }
        forgetSettledRequests()
    }

    /// The engine refused the request.  One that is not atomic may be there in part.
    package func refuse(_ order: UInt64) {
        guard let index = requests.firstIndex(where: { $0.order == order }) else { return }
        let isAtomic = requests[index].isAtomic
        requests.remove(at: index)
        for block in listed {
            withBlock(block) { history in
                for index in history.patches.indices.reversed()
                where history.patches[index].order == order {
                    if isAtomic {
                        history.patches.remove(at: index)
                    } else {
                        history.patches[index].isDoubtful = true
                    }
                }
            }
        }
    }

    /// A flush covers what is acknowledged when it is issued: keep this and give it to `flushed`.
    package var flushBound: UInt64 { acknowledged }

    package func flushed(_ bound: UInt64) {
        makeDurable(through: bound)
        forgetSettledRequests()
    }

    private func makeDurable(through order: UInt64) { durable = max(durable, order) }

    private func forgetSettledRequests() {
        guard let first = requests.first, first.isAnswered, first.order <= durable else { return }
        requests.removeAll { $0.isAnswered && $0.order <= durable }
    }
}

extension BlockHistory {
    /// Whether anything was ever done to the block.
    var isInUse: Bool { !patches.isEmpty || base != .hole }
}
