package import Catalogue
package import Units

// The catalogue in memory and virtual time: what SQLite promises, and no more.
//
// Each lane's requests are served one after another and answered in order.  A commit is atomic, and
// durable at the latest when it is answered.  A crash finds a commit that was not answered either
// wholly done or not at all; of several, the first ones.

/// Serves the requests of lanes, one queue each.
package final class SimulatedCatalogue {
    package private(set) var tables = CatalogueTables()
    /// Of each lane, what the tables were before its last commit.
    package private(set) var tablesBefore: [LaneIndex: CatalogueTables] = [:]
    /// Copies of the tables are made now and then, and kept.
    package var keepsCopies = false
    private var copies: [CatalogueTables] = []
    private static var copyCountMax: Int { 8 }
    /// One request of so many fails; zero for none.
    package var errorOneIn = 0
    /// Requests that failed since the engine was started.
    package private(set) var failureCount = 0
    private var queues: [[CatalogueRequest]]
    private var random: SimulationRandom
    private let journal: Journal
    /// Typical nanoseconds of a load and of a commit, and how many of them are slow.
    package let loadNanoseconds: UInt64
    package let commitNanoseconds: UInt64
    package let slowOneIn: Int

    package init(
        laneCount: Int,
        loadNanoseconds: UInt64,
        commitNanoseconds: UInt64,
        slowOneIn: Int,
        seed: UInt64,
        journal: Journal
    ) {
        queues = Array(repeating: [], count: laneCount)
        random = SimulationRandom(seed: seed, stream: .catalogue)
        self.loadNanoseconds = loadNanoseconds
        self.commitNanoseconds = commitNanoseconds
        self.slowOneIn = slowOneIn
        self.journal = journal
    }

    /// Takes a request; the nanoseconds after which `finish` is due, or nil when others of the lane
    /// come first.
    package func submit(_ request: CatalogueRequest, lane: LaneIndex) -> UInt64? {
        let index = Int(lane.rawValue)
        queues[index].append(request)
        return queues[index].count == 1 ? duration(of: request) : nil
    }

    /// Serves the lane's oldest request.  Gives the answer, the request, and the nanoseconds after
    /// which the next one is due.  A commit that failed may be done all the same.
    package func finish(
        lane: LaneIndex
    ) -> (answer: CatalogueAnswer, request: CatalogueRequest, next: UInt64?) {
        let index = Int(lane.rawValue)
        let request = queues[index].removeFirst()
        let next = queues[index].first.map { duration(of: $0) }
        if errorOneIn > 0, random.isOne(in: errorOneIn) {
            fail(request)
            return (.failed("no space left on device"), request, next)
        }
        switch request {
        case .load(let key):
            journal.met(.leafLoaded)
            return (.loaded(tables.leaf(key)), request, next)
        case .commit(let image):
            journal.met(.checkpointCommitted)
            keepCopy()
            apply(image)
            return (.committed, request, next)
        }
    }

    private func fail(_ request: CatalogueRequest) {
        failureCount += 1
        switch request {
        case .load: journal.fired(.catalogueError, .catalogueLoad)
        case .commit(let image):
            journal.fired(.catalogueError, .catalogueCommit)
            if random.isOne(in: 2) { apply(image) }
        }
    }

    private func apply(_ image: CheckpointImage) {
        tablesBefore[image.position.lane] = tables
        tables.apply(image)
    }

    private func keepCopy() {
        guard keepsCopies, random.isOne(in: 3) else { return }
        if copies.count == Self.copyCountMax {
            copies.remove(at: random.below(Self.copyCountMax))
        }
        copies.append(tables)
    }

    /// One of the copies that were made, mostly since the pool was opened last; nil for none.
    package func olderCopy() -> CatalogueTables? {
        guard !copies.isEmpty else { return nil }
        let young = copies.filter { $0.incarnation == tables.incarnation }
        return random.pick(young.isEmpty || random.isOne(in: 4) ? copies : young)
    }

    /// Somebody puts a copy in the catalogue's place.
    package func putBack(_ copy: CatalogueTables) {
        tables = copy
        tablesBefore = [:]
    }

    /// Requests that are not answered.
    package var requestCount: Int { queues.reduce(0) { $0 + $1.count } }

    package var hasCommitInFlight: Bool {
        queues.contains { queue in
            queue.contains { if case .commit = $0 { true } else { false } }
        }
    }

    /// The engine is gone: each lane's first unanswered commits are done, how many is chance.
    package func crash() {
        failureCount = 0
        for index in queues.indices {
            var isDone = random.isOne(in: 2)
            for request in queues[index] {
                guard case .commit(let image) = request else { continue }
                journal.met(.crashWithCommitInFlight)
                journal.met(isDone ? .commitInFlightSurvived : .commitInFlightLost)
                if isDone {
                    apply(image)
                    isDone = random.isOne(in: 2)
                }
            }
            queues[index] = []
        }
    }

    /// The engine is gone: all unanswered commits are done, or none.
    package func crash(keepingCommits: Bool) {
        for index in queues.indices {
            for case .commit(let image) in queues[index] where keepingCommits {
                apply(image)
            }
            queues[index] = []
        }
    }

    /// A life of the pool begins: durable before anything else happens.
    package func begin(incarnation: UInt32, logEnds: [LogEnd]) {
        tables.incarnation = incarnation
        tables.logEnds = logEnds
    }

    /// Every device was told of the incarnation.
    package func noteWitnessed(_ incarnation: UInt32) {
        tables.witnessedIncarnation = incarnation
    }

    private func duration(of request: CatalogueRequest) -> UInt64 {
        switch request {
        case .load: random.duration(around: loadNanoseconds, slowOneIn: slowOneIn)
        case .commit: random.duration(around: commitNanoseconds, slowOneIn: slowOneIn)
        }
    }
}

/// The catalogue's rows.  Never iterated in an order that depends on hashing.
package struct CatalogueTables: Sendable {
    package var incarnation: UInt32 = 0
    package var witnessedIncarnation: UInt32 = 0
    package var logEnds: [LogEnd] = []
    private var leaves: [LeafKey: [UInt8]] = [:]
    private var heat: [LeafKey: [UInt8]] = [:]
    private var volumes: [VolumeIdentifier: VolumeRow] = [:]
    private var trees: [TreeIdentifier: TreeRow] = [:]
    private var segments: [SegmentAddress: SegmentRow] = [:]
    private var positions: [LaneIndex: LanePosition] = [:]
    private var scrubs: [String: ScrubRow] = [:]
    /// Rows of all checkpoints, oldest first.
    package private(set) var events: [EventRow] = []

    package init() {}

    /// Carries out one transaction.
    package mutating func apply(_ image: CheckpointImage) {
        positions[image.position.lane] = image.position
        for (key, bytes) in image.leaves {
            leaves[key] = bytes.isEmpty ? nil : bytes
            if bytes.isEmpty { heat[key] = nil }
        }
        for (key, bytes) in image.heat { heat[key] = bytes.isEmpty ? nil : bytes }
        for address in image.freedSegments { segments[address] = nil }
        for row in image.segments { segments[row.address] = row }
        for row in image.volumes { volumes[row.identifier] = row }
        for row in image.trees { trees[row.identifier] = row }
        for identifier in image.forgottenVolumes { forget(identifier) }
        events.append(contentsOf: image.events)
        for row in image.scrubs { scrubs[row.key] = ScrubRow(key: row.key, text: row.text) }
    }

    private mutating func forget(_ identifier: VolumeIdentifier) {
        volumes[identifier] = nil
        for tree in sortedTrees where tree.volume == identifier { trees[tree.identifier] = nil }
    }

    package func leaf(_ key: LeafKey) -> StoredLeaf {
        StoredLeaf(key: key, bytes: leaves[key] ?? [], heat: heat[key] ?? [])
    }

    package func segment(at address: SegmentAddress) -> SegmentRow? { segments[address] }

    package var leafKeys: [LeafKey] { leaves.keys.sorted() }

    package var segmentRows: [SegmentRow] { segments.values.sorted { $0.address < $1.address } }

    package var scrubRows: [ScrubRow] { scrubs.keys.sorted().compactMap { scrubs[$0] } }

    package var positionRows: [LanePosition] { positions.values.sorted { $0.lane < $1.lane } }

    private var sortedTrees: [TreeRow] { trees.values.sorted { $0.identifier < $1.identifier } }

    /// What the engine gets to open a pool.
    package var contents: CatalogueContents {
        CatalogueContents(
            incarnation: incarnation,
            volumes: volumes.values.sorted { $0.identifier < $1.identifier },
            trees: sortedTrees,
            segments: segmentRows,
            positions: positionRows,
            logEnds: logEnds,
            leafKeys: leafKeys,
            scrubs: scrubRows,
            witnessedIncarnation: witnessedIncarnation
        )
    }
}

// MARK: A catalogue that was made anew

extension CatalogueTables {
    /// Takes over what only people need, and no device holds.
    package mutating func keepEvents(of other: CatalogueTables) { events = other.events }

    /// In what the rows of a lane are not those of `other`; nil when they are the same.
    package func difference(from other: CatalogueTables, lane: LaneIndex) -> String? {
        func rows(_ tables: CatalogueTables) -> [VolumeRow] {
            tables.contents.volumes.filter { $0.lane == lane }
        }
        let (mine, theirs) = (rows(self), rows(other))
        guard mine == theirs else { return "volumes \(mine) are not \(theirs)" }
        let names = Set(mine.map(\.identifier))
        let (trees, others) = (
            sortedTrees.filter { names.contains($0.volume) },
            other.sortedTrees.filter { names.contains($0.volume) }
        )
        guard trees == others else { return "trees \(trees) are not \(others)" }
        let position = (positions[lane], other.positions[lane])
        guard position.0 == position.1 else {
            return "position \(String(describing: position.0)) is not "
                + "\(String(describing: position.1))"
        }
        return segmentDifference(from: other, lane: lane)
            ?? leafDifference(from: other, Set(trees.map(\.identifier)))
    }

    private func segmentDifference(from other: CatalogueTables, lane: LaneIndex) -> String? {
        // How far hosts have written in a segment is of no use to anybody, and told now and then.
        func rows(_ tables: CatalogueTables) -> [SegmentRow] {
            tables.segmentRows.filter { $0.lane == lane }.map { row in
                var row = row
                if row.stream == .host { row.writtenBlockCount = 0 }
                return row
            }
        }
        let (mine, theirs) = (rows(self), rows(other))
        if let row = mine.first(where: { !theirs.contains($0) }) { return "segment \(row) is new" }
        if let row = theirs.first(where: { !mine.contains($0) }) { return "segment \(row) is gone" }
        return nil
    }

    private func leafDifference(
        from other: CatalogueTables,
        _ trees: Set<TreeIdentifier>
    ) -> String? {
        let keys = Set(leafKeys).union(other.leafKeys).filter { trees.contains($0.tree) }
        for key in keys.sorted() {
            let (mine, theirs) = (leaf(key), other.leaf(key))
            let name = "leaf \(key.tree.rawValue)/\(key.index)"
            if mine.bytes != theirs.bytes {
                return "\(name) has \(mine.bytes.count) bytes, not these \(theirs.bytes.count)"
            }
            if mine.heat != theirs.heat { return "\(name) has other heat" }
        }
        return nil
    }
}
