package import IO
package import Units

// What a volume must hold, thought out without the engine: an array of blocks, each with the
// requests that changed it, in the order in which they were handed to the engine.
//
// The write order of a volume is the engine's to choose within limits that a client can see:
//
// 1. Requests that touch the same block are applied in the order in which they were issued.
// 2. A request that was answered comes before every request that was issued later.
// 3. Requests are acknowledged in write order; one that asked for durability may be answered late.
//
// While the volume is served, a read shows of each block a version not older than the newest that
// was acknowledged, or shown by another read, before it began; and not newer than the newest issued
// when it ended.  After a crash the volume is a prefix of the write order, with every request up to
// the atomic size there whole or not at all: after a killed process with all that was acknowledged,
// after a power cut with all that a FLUSH or FUA has covered.

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
    /// Counts everything that happens to the volume: says what came before what.
    private(set) var tick: UInt64 = 0
    /// Requests by order, from `firstRequest` on.
    private var requests: [IssuedRequest] = []
    private var firstRequest: UInt64 = 1

    /// When the reads in flight began, oldest first.
    var openReads: [UInt64] = []

    /// Blocks by leaf of 2 MiB: index into `pages`.
    private var pageOfLeaf: [UInt64: Int] = [:]
    private(set) var pages: [(leaf: UInt64, blocks: [BlockHistory])] = []
    /// Blocks with patches; each once.
    var listed: [UInt64] = []
    /// A crash has come between the model and the volume; reads will tell what is left.
    package internal(set) var isUnsettled = false
    /// A lane was restarted because it changed nothing any more: of what its requests without an
    /// answer own, only the most is known from then on.
    var hasUnclearSpace = false
    /// What was acknowledged must be there after the crash that left the volume unsettled.
    var keepsAcknowledged = false

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

    func withBlock<Result>(_ block: UInt64, _ body: (inout BlockHistory) -> Result) -> Result {
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
        guard let last = history.patches.lastIndex(where: { request($0.order) == nil }) else {
            return
        }
        var end = last + 1
        if history.doubtfulCount(before: end) > 0 {
            // What is in doubt under a patch that covers it all is of no interest any more.
            guard
                let whole = history.patches[..<end].lastIndex(where: {
                    $0.isWhole && !$0.isDoubtful
                })
            else { return }
            end = whole + 1
        }
        history.fold(before: end, volume: number, block: block, seed: seed, scratch: scratch)
    }

    // MARK: Requests

    /// What is known of a request; nil when no crash and no read in flight can go behind it.
    func request(_ order: UInt64) -> IssuedRequest? {
        order < firstRequest ? nil : requests[Int(order - firstRequest)]
    }

    func withRequest(_ order: UInt64, _ body: (inout IssuedRequest) -> Void) {
        guard order >= firstRequest else { return }
        body(&requests[Int(order - firstRequest)])
    }

    var openRequests: [IssuedRequest] { requests }

    func nextTick() -> UInt64 {
        tick += 1
        return tick
    }

    /// Notes a write that is handed to the engine now; its order goes into the stamps.
    package func beginWrite(offset: UInt64, byteCount: Int, isDurable: Bool) -> UInt64 {
        let order = issue(byteCount: UInt64(byteCount), asksDurability: isDurable)
        addPatches(.data, offset: offset, byteCount: UInt64(byteCount), order: order)
        return order
    }

    package func beginZeroes(
        offset: UInt64,
        byteCount: UInt64,
        keepsSpace: Bool,
        isDurable: Bool
    ) -> UInt64 {
        let order = issue(byteCount: byteCount, asksDurability: isDurable)
        addPatches(keepsSpace ? .zero : .hole, offset: offset, byteCount: byteCount, order: order)
        return order
    }

    /// Only whole blocks inside the range are trimmed.
    package func beginTrim(offset: UInt64, byteCount: UInt64, isDurable: Bool) -> UInt64 {
        let order = issue(byteCount: byteCount, asksDurability: isDurable)
        let first = (offset + 4095) / 4096
        let end = (offset + byteCount) / 4096
        if first < end {
            addPatches(.hole, offset: first * 4096, byteCount: (end - first) * 4096, order: order)
        }
        return order
    }

    /// Another size, which is a multiple of a block; a smaller one only behind a trim.
    package func beginResize(to newByteCount: UInt64) -> UInt64 {
        let order = issue(byteCount: 0, asksDurability: true)
        requests[requests.count - 1].newByteCount = newByteCount
        return order
    }

    private func issue(byteCount: UInt64, asksDurability: Bool) -> UInt64 {
        issued += 1
        requests.append(
            IssuedRequest(
                order: issued,
                isAtomic: byteCount <= UInt64(atomicByteCount),
                asksDurability: asksDurability,
                issuedAt: nextTick()
            )
        )
        return issued
    }

    private func addPatches(_ kind: Patch.Kind, offset: UInt64, byteCount: UInt64, order: UInt64) {
        journal.trace(
            "volume \(number) order \(order): \(kind) in blocks \(offset / 4096)..."
                + "\((offset + byteCount - 1) / 4096)"
        )
        var position = offset
        let end = offset + byteCount
        while position < end {
            let block = position / 4096
            let from = position % 4096
            let to = min(end - block * 4096, 4096)
            add(Patch(order: order, from: UInt16(from), to: UInt16(to), kind: kind), to: block)
            position = block * 4096 + to
        }
    }

    // MARK: Answers

    /// The engine answered that the request is done.
    package func acknowledge(_ order: UInt64) {
        let now = nextTick()
        guard let known = request(order) else { return }
        withRequest(order) { $0.answeredAt = now }
        if let size = known.newByteCount { byteCount = size }
        guard known.asksDurability else { return }
        withRequest(order) { $0.isDurable = true }
        makeDurable { $0.answeredAt < known.issuedAt }
    }

    /// The engine refused the request.
    ///
    /// - Parameter leavesNothing: it was not begun; else one that is not atomic may be there in
    ///   part.
    package func refuse(_ order: UInt64, leavesNothing: Bool = false) {
        let now = nextTick()
        guard let known = request(order) else { return }
        withRequest(order) { request in
            request.isRefused = true
            request.isThereInPart = !known.isAtomic && !leavesNothing
            request.answeredAt = now
        }
        for block in listed {
            withBlock(block) { history in
                for index in history.patches.indices.reversed()
                where history.patches[index].order == order {
                    if known.isAtomic || leavesNothing {
                        history.patches.remove(at: index)
                    } else {
                        history.patches[index].isDoubtful = true
                    }
                }
            }
        }
    }

    /// A flush covers what was acknowledged when it was issued: keep this and give it to `flushed`.
    package var flushBound: UInt64 { nextTick() }

    package func flushed(_ bound: UInt64) { makeDurable { $0.answeredAt < bound } }

    private func makeDurable(where isCovered: (IssuedRequest) -> Bool) {
        for index in requests.indices where isCovered(requests[index]) {
            requests[index].isDurable = true
        }
        forgetSettled()
    }

    /// Forgets requests that every crash leaves there and every read in flight must show.
    func forgetSettled() {
        let oldestRead = openReads.first ?? .max
        let count =
            requests.firstIndex { !$0.isSettled || $0.answeredAt > oldestRead }
            ?? requests.count
        guard count > 0 else { return }
        requests.removeFirst(count)
        firstRequest += UInt64(count)
    }

    /// All that was issued has settled.
    func forgetRequests() {
        openReads = []
        requests = []
        firstRequest = issued + 1
    }
}

/// A request that changes a volume, until it is done and durable.
struct IssuedRequest: Equatable {
    var order: UInt64
    var isAtomic: Bool
    var asksDurability: Bool
    /// Ticks of the volume.
    var issuedAt: UInt64
    /// The largest number while there is no answer.
    var answeredAt = UInt64.max
    var isRefused = false
    /// Refused half-way: what it did is there like any other change, and as durable.
    var isThereInPart = false
    /// Survives any crash.
    var isDurable = false
    /// Size of the volume from here on, for a resize.
    var newByteCount: UInt64?
    /// What reads after a crash have shown: blocks where it is there, and where it is not.
    var isSeenIn = false
    var isSeenOut = false

    var isAcknowledged: Bool { answeredAt != .max && !isRefused }
    var isSettled: Bool { isDurable || isRefused && !isThereInPart }
}

extension BlockHistory {
    /// Whether anything was ever done to the block.
    var isInUse: Bool { !patches.isEmpty || base != .hole }
}
