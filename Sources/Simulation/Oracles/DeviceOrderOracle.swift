package import Catalogue
internal import Format
package import IO
package import Units

// O13 and the durable half of O9, from what passes between engine, devices and catalogue.
//
//      commit asked for          commit durable             write or discard submitted
//            |                         |                             |
//   all that its leaves       its leaves replace the        touches no block that a
//   refer to is durable       old ones; live counts         durable or pending leaf
//   on its device             and owned counts are          refers to, nor one that was
//                             counted anew                  written since the root
//
// A root is a durable checkpoint of a lane.  What was written after it was asked for is the log
// that recovery would replay, and stays until a later checkpoint of that lane is durable.

/// Watches that nothing is given up before what replaces it is durable.
package final class DeviceOrderOracle {
    private let journal: Journal
    private let devices: [SimulatedDevice]
    private let geometries: [WatchedGeometry]
    /// For each device and block, references from leaves that are durable or being committed.
    private var references: [[UInt16]]
    /// For each device and block, the number of the write that filled it, and the lane's.
    private var writtenBy: [[WriteMark]]
    private var writeCount: UInt32 = 0
    /// For each lane, the last write before its newest durable checkpoint was asked for.
    private var roots: [UInt32]
    private var leaves: [LeafKey: LeafReferences] = [:]
    private var pending: [[PendingCommit]]

    private struct WriteMark {
        var number: UInt32 = 0
        var lane: UInt16 = 0
    }

    /// What a leaf refers to.
    private struct LeafReferences {
        var locations: [Location] = []
        var ownedCount: UInt64 = 0
    }

    private struct PendingCommit {
        var writeCount: UInt32
        var leaves: [(key: LeafKey, references: LeafReferences)]
    }

    package init(
        devices: [SimulatedDevice],
        geometries: [WatchedGeometry],
        laneCount: Int,
        journal: Journal
    ) {
        self.devices = devices
        self.geometries = geometries
        self.journal = journal
        references = devices.map { Array(repeating: 0, count: $0.blockCount) }
        writtenBy = devices.map { Array(repeating: WriteMark(), count: $0.blockCount) }
        roots = Array(repeating: 0, count: laneCount)
        pending = Array(repeating: [], count: laneCount)
    }

    // MARK: Operations

    /// Looks at an operation that a lane submits.
    ///
    /// - Parameter isRepeated: a write is done once more, with the same bytes, as it was refused.
    package func watch(_ operation: Operation, lane: LaneIndex, isRepeated: Bool) {
        guard operation.kind == .write || operation.kind == .discard else { return }
        let device = Int(operation.device.rawValue)
        let bytes =
            operation.kind == .write ? UInt64(operation.region.byteCount) : operation.byteCount
        let first = Int(operation.offset / 4096)
        // The write that this one is done again for, if it is.
        let repeated = isRepeated ? writtenBy[device][first].number : 0
        writeCount += 1
        for block in first..<(first + Int(bytes / 4096)) {
            if DeviceLayout.isWitness(block: UInt64(block)) { continue }
            if geometries[device].isMirror(block) { continue }
            guard geometries[device].contains(block) else {
                return journal.report(
                    .operationRules,
                    "a \(operation.kind) at block \(block) lies in no segment"
                )
            }
            check(operation.kind, device: device, block: block, repeated: repeated)
            if operation.kind == .write {
                if writtenBy[device][block].number > 0, geometries[device].isFirst(block) {
                    journal.met(.segmentReused)
                }
                writtenBy[device][block] = WriteMark(number: writeCount, lane: lane.rawValue)
            }
        }
    }

    private func check(_ kind: Operation.Kind, device: Int, block: Int, repeated: UInt32) {
        if references[device][block] > 0 {
            journal.report(
                .deviceOrder,
                "a \(kind) hits device \(device) block \(block), which a durable leaf refers to: "
                    + owners(device: device, block: block)
            )
        }
        let mark = writtenBy[device][block]
        if mark.number > roots[Int(mark.lane)], mark.number != repeated {
            journal.report(
                .deviceOrder,
                "a \(kind) hits device \(device) block \(block), written by lane \(mark.lane) "
                    + "after its durable root"
            )
        }
    }

    /// Which leaves refer to a block, in words.
    private func owners(device: Int, block: Int) -> String {
        let holds = { (references: LeafReferences) in
            references.locations.contains {
                Int($0.device.rawValue) == device && Int($0.block) == block
            }
        }
        let durable = leaves.keys.sorted().filter { leaves[$0].map(holds) ?? false }
        let waiting = pending.joined().flatMap(\.leaves).filter { holds($0.references) }
        let names = durable.map { "tree \($0.tree.rawValue) leaf \($0.index)" }
        let others = waiting.map { "pending tree \($0.key.tree.rawValue) leaf \($0.key.index)" }
        return (names + others).joined(separator: ", ")
    }

    // MARK: Checkpoints

    /// A lane asks for a commit.
    package func begin(_ image: CheckpointImage) {
        var commit = PendingCommit(writeCount: writeCount, leaves: [])
        for (key, bytes) in image.leaves {
            guard let found = decode(key, bytes) else { return }
            for location in found.locations { checkDurable(location, key) }
            count(found, by: 1)
            commit.leaves.append((key, found))
        }
        pending[Int(image.position.lane.rawValue)].append(commit)
    }

    private func checkDurable(_ location: Location, _ key: LeafKey) {
        let device = Int(location.device.rawValue)
        guard device < devices.count, geometries[device].contains(Int(location.block)) else {
            return journal.report(
                .deviceOrder,
                "tree \(key.tree.rawValue) leaf \(key.index) points nowhere"
            )
        }
        guard !devices[device].isDurable(Int(location.block)) else { return }
        journal.report(
            .deviceOrder,
            "a checkpoint refers to device \(device) block \(location.block), not durable, for "
                + "tree \(key.tree.rawValue) leaf \(key.index)"
        )
    }

    /// The oldest commit of a lane is durable; `tables` have it.
    package func end(_ image: CheckpointImage, tables: CatalogueTables) {
        let lane = Int(image.position.lane.rawValue)
        guard !pending[lane].isEmpty else { return }
        let commit = pending[lane].removeFirst()
        for (key, found) in commit.leaves {
            if let old = leaves[key] { count(old, by: -1) }
            leaves[key] = found.ownedCount == 0 ? nil : found
        }
        roots[lane] = commit.writeCount
        recount(tables, lane: image.position.lane)
    }

    /// After a crash: what `tables` hold is the root; what was written since is recovery's to
    /// judge.
    package func restart(_ tables: CatalogueTables) {
        for device in devices.indices {
            references[device] = Array(repeating: 0, count: devices[device].blockCount)
            for block in writtenBy[device].indices { writtenBy[device][block].lane = 0 }
        }
        leaves = [:]
        for lane in roots.indices {
            roots[lane] = writeCount
            pending[lane] = []
        }
        for key in tables.leafKeys {
            guard let found = decode(key, tables.leaf(key).bytes) else { return }
            count(found, by: 1)
            leaves[key] = found
        }
        for lane in roots.indices { recount(tables, lane: LaneIndex(UInt16(lane))) }
    }

    private func decode(_ key: LeafKey, _ bytes: [UInt8]) -> LeafReferences? {
        var found = LeafReferences()
        guard !bytes.isEmpty else { return found }
        guard let states = states(of: key, bytes) else { return nil }
        for state in states where !state.isAbsent {
            found.ownedCount += 1
            if state.flash.isPlace { found.locations.append(state.flash) }
            if state.disk.isPlace { found.locations.append(state.disk) }
        }
        return found
    }

    /// The blocks of a leaf as the catalogue has it; nil when it has none.
    func states(of key: LeafKey, _ tables: CatalogueTables) -> [BlockState]? {
        let bytes = tables.leaf(key).bytes
        return bytes.isEmpty ? nil : states(of: key, bytes)
    }

    private func states(of key: LeafKey, _ bytes: [UInt8]) -> [BlockState]? {
        var states = [BlockState](repeating: .absent, count: Geometry.blocksPerLeaf)
        do throws(FormatError) {
            var span = states.mutableSpan
            // The bytes of bytes have no padding between them.
            _ = try unsafe LeafFormat.decode(
                bytes.span.bytes,
                tree: key.tree,
                index: key.index,
                into: &span
            )
        } catch {
            journal.report(
                .recovers,
                "tree \(key.tree.rawValue) leaf \(key.index) is committed damaged: \(error)"
            )
            return nil
        }
        return states
    }

    private func count(_ found: LeafReferences, by change: Int) {
        for location in found.locations {
            let device = Int(location.device.rawValue)
            let block = Int(location.block)
            guard device < devices.count, block < devices[device].blockCount else { continue }
            references[device][block] = UInt16(Int(references[device][block]) + change)
        }
    }

    /// Counts the references to each segment of a lane, and the blocks that each volume owns, and
    /// compares them with what the catalogue says.
    private func recount(_ tables: CatalogueTables, lane: LaneIndex) {
        journal.met(.checkpointRecounted)
        for device in devices.indices {
            for segment in 0..<geometries[device].segmentCount {
                recountSegment(segment, device: device, tables: tables, lane: lane)
            }
        }
        var owned: [TreeIdentifier: UInt64] = [:]
        for (key, found) in leaves { owned[key.tree, default: 0] += found.ownedCount }
        for row in tables.contents.volumes where row.lane == lane {
            let counted = owned[row.tree] ?? 0
            if row.ownedBlockCount != counted {
                journal.report(
                    .space,
                    "volume \(row.name) owns \(counted) blocks, its row says \(row.ownedBlockCount)"
                )
            }
        }
    }

    private func recountSegment(
        _ segment: Int,
        device: Int,
        tables: CatalogueTables,
        lane: LaneIndex
    ) {
        let address = SegmentAddress(
            device: DeviceIndex(UInt8(device)),
            index: SegmentIndex(UInt32(segment))
        )
        let row = tables.segment(at: address)
        if let row, row.lane != lane { return }
        // A commit in flight counts beside the durable root: nothing exact can be said.
        let isExact =
            row == nil ? pending.allSatisfy(\.isEmpty) : pending[Int(lane.rawValue)].isEmpty
        guard isExact else { return }
        let blocks = geometries[device].blocks(of: segment)
        let live = references[device][blocks].reduce(0) { $0 + Int($1) }
        if let row, Int(row.liveBlockCount) != live {
            journal.report(
                .space,
                "device \(device) segment \(segment) has \(live) live blocks, its row says "
                    + "\(row.liveBlockCount)"
            )
        }
        if row == nil, live > 0 {
            journal.report(
                .deviceOrder,
                "device \(device) segment \(segment) is free, and \(live) leaf references point "
                    + "to it: "
                    + blocks.filter { references[device][$0] > 0 }.prefix(4).map {
                        "block \($0) of \(owners(device: device, block: $0))"
                    }.joined(separator: "; ")
            )
        }
    }
}

/// Where the segments of a device lie, in blocks.
package struct WatchedGeometry: Sendable {
    package var firstBlock: Int
    package var segmentBlockCount: Int
    package var segmentCount: Int
    package var mirrorBlockCount: Int

    package init(
        firstBlock: Int,
        segmentBlockCount: Int,
        segmentCount: Int,
        mirrorBlockCount: Int
    ) {
        self.firstBlock = firstBlock
        self.segmentBlockCount = segmentBlockCount
        self.segmentCount = segmentCount
        self.mirrorBlockCount = mirrorBlockCount
    }

    /// Whether it lies behind the last segment, where the mirror of the catalogue is.
    func isMirror(_ block: Int) -> Bool {
        let first = firstBlock + segmentCount * segmentBlockCount
        return block >= first && block < first + mirrorBlockCount
    }

    func contains(_ block: Int) -> Bool {
        block >= firstBlock && block < firstBlock + segmentCount * segmentBlockCount
    }

    /// Whether it is the first block of a segment.
    func isFirst(_ block: Int) -> Bool { (block - firstBlock) % segmentBlockCount == 0 }

    func blocks(of segment: Int) -> Range<Int> {
        let start = firstBlock + segment * segmentBlockCount
        return start..<(start + segmentBlockCount)
    }
}
