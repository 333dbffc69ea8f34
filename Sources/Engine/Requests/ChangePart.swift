internal import Format
internal import IO
internal import Units

/// A part of a write, trim or write of zeros: what one record applies whole or not at all.
struct ChangePart {
    let volume: Int
    let offset: UInt64
    let byteCount: Int
    var first: UInt64 { offset / 4096 }
    /// The block behind the last.
    var end: UInt64 { (offset + UInt64(byteCount) - 1) / 4096 + 1 }
    var hasPartialHead: Bool { offset % 4096 != 0 || (end - first == 1 && byteCount < 4096) }
    var hasPartialTail: Bool { end - first > 1 && (offset + UInt64(byteCount)) % 4096 != 0 }
}

/// The one or two leaves that a part touches.
struct PartLeaves {
    var first: Int
    /// -1 when the part lies in one leaf.
    var second: Int
    /// The first block of the second leaf.
    var boundary: UInt64
    /// A trim of a leaf, or of a range, in which nothing is owned.
    var isVacantTrim: Bool

    @inline(__always)
    func slot(of block: UInt64) -> Int { block < boundary ? first : second }
}

/// The entries that a part becomes: at most one for its head, its middle and its tail.
struct EntryPlan {
    struct Item {
        var kind: EntryKind
        var first: UInt64
        var count: Int
    }
    var items: [3 of Item]
    var count = 0
    var dataCount = 0
    var tableByteCount = 0

    init() {
        items = .init(repeating: Item(kind: .data, first: 0, count: 0))
    }

    mutating func add(_ kind: EntryKind, from first: UInt64, to end: UInt64) {
        guard first < end else { return }
        let blockCount = Int(end - first)
        items[count] = Item(kind: kind, first: first, count: blockCount)
        count += 1
        if kind == .data { dataCount += blockCount }
        tableByteCount += RecordEntry.byteCount(kind, blockCount: blockCount)
    }
}

enum LeavesOutcome {
    case ready(PartLeaves)
    case damaged
    case waiting(Lane.PartOutcome)
}

extension Lane {
    /// Finds the leaves of a part, so that both are in memory at once.
    func findLeaves(of part: ChangePart, isTrim: Bool) -> LeavesOutcome {
        let blocksPerLeaf = UInt64(Geometry.blocksPerLeaf)
        let firstLeaf = part.first / blocksPerLeaf
        let lastLeaf = (part.end - 1) / blocksPerLeaf
        // A trim inside one leaf need not make it to find nothing there.
        let isForChange = !isTrim || lastLeaf > firstLeaf
        var found = PartLeaves(
            first: -1,
            second: -1,
            boundary: (firstLeaf + 1) * blocksPerLeaf,
            isVacantTrim: false
        )
        switch access(part.volume, leaf: firstLeaf, isForChange: isForChange) {
        case .ready(let slot): found.first = slot
        case .absent:
            found.isVacantTrim = true
            return .ready(found)
        case .damaged: return .damaged
        case .loading(let slot): return .waiting(.leaf(slot))
        case .noRoom: return .waiting(.stalled)
        }
        guard lastLeaf > firstLeaf else {
            found.isVacantTrim = isTrim && ownedCount(of: part, in: found) == 0
            return .ready(found)
        }
        leaves.entries[found.first].pinCount += 1
        defer { leaves.entries[found.first].pinCount -= 1 }
        switch access(part.volume, leaf: lastLeaf, isForChange: isForChange) {
        case .ready(let slot): found.second = slot
        case .absent: invariantFailed("a leaf to change is made", file: #fileID, line: #line)
        case .damaged: return .damaged
        case .loading(let slot): return .waiting(.leaf(slot))
        case .noRoom: return .waiting(.stalled)
        }
        found.isVacantTrim = isTrim && ownedCount(of: part, in: found) == 0
        return .ready(found)
    }

    private func ownedCount(of part: ChangePart, in found: PartLeaves) -> Int {
        var owned = 0
        for block in part.first..<part.end
        where leaves.state(found.slot(of: block), Int(block % UInt64(Geometry.blocksPerLeaf)))
            .isCharged
        {
            owned += 1
        }
        return owned
    }

    /// The entries of a part.  Zeros that keep no space are a trim; blocks covered in part, data.
    func entries(of part: ChangePart, kind: RequestKind, keepsSpace: Bool) -> EntryPlan {
        var plan = EntryPlan()
        if kind == .write {
            plan.add(.data, from: part.first, to: part.end)
            return plan
        }
        let middle: EntryKind = kind == .writeZeroes && keepsSpace ? .zero : .trim
        let isCut = kind == .writeZeroes
        let head = isCut && part.hasPartialHead ? part.first + 1 : part.first
        let tail = isCut && part.hasPartialTail ? part.end - 1 : part.end
        plan.add(.data, from: part.first, to: head)
        plan.add(middle, from: head, to: tail)
        plan.add(.data, from: max(head, tail), to: part.end)
        return plan
    }

    /// Blocks of the part that own no space yet and will.
    func absentCount(
        of part: ChangePart,
        in found: PartLeaves,
        keepsSpace: Bool,
        _ kind: RequestKind
    ) -> Int {
        var absent = 0
        for block in part.first..<part.end {
            let isEdge =
                (block == part.first && part.hasPartialHead)
                || (block + 1 == part.end && part.hasPartialTail)
            guard kind == .write || keepsSpace || isEdge else { continue }
            let place = Int(block % UInt64(Geometry.blocksPerLeaf))
            if !leaves.state(found.slot(of: block), place).isCharged { absent += 1 }
        }
        return absent
    }

    // MARK: Appending

    /// Writes the planned entries into the open host record and changes the map.
    func append(
        _ plan: EntryPlan,
        of part: ChangePart,
        in found: PartLeaves,
        payload: BufferRegion,
        for request: Int
    ) {
        willChange(found.first)
        if found.second >= 0 { willChange(found.second) }
        applyMergeOverlay(request, part, payload)
        for index in 0..<plan.count {
            let item = plan.items[index]
            switch item.kind {
            case .data: appendData(item, of: part, in: found, payload: payload, for: request)
            case .trim, .zero: appendRange(item, of: part, in: found)
            case .copy, .control:
                invariantFailed("a host's change is data, trim or zero", file: #fileID, line: #line)
            }
        }
        lastAppend = now
        lastRecordIsMark = false
    }

    private func appendData(
        _ item: EntryPlan.Item,
        of part: ChangePart,
        in found: PartLeaves,
        payload: BufferRegion,
        for request: Int
    ) {
        let record = openHostRecord
        let slot = records[record]
        let volume = volumes[part.volume]
        let sequence = nextSequence
        let place = RecordHeader.tableOffset + Int(slot.tableByteCount)
        var header = recordHeaderBlock(record).mutableBytes
        RecordEntry(
            volume: volume.identifier,
            address: item.first,
            blockCount: UInt32(item.count),
            kind: .data
        ).store(into: &header, at: place)
        for index in 0..<item.count {
            let block = item.first + UInt64(index)
            let source = sourceBlock(block, of: part, payload: payload, for: request)
            let start = Checksum.blockStart(seed: volume.seed, address: block, sequence: sequence)
            let target = recordDataBlock(record, Int(slot.dataCount) + index)
            let checksum = target.copy(from: source, checksumFrom: start)
            RecordEntry.store(checksum: checksum, ofBlock: index, into: &header, at: place)
            let state = BlockState(
                kind: .stored,
                flash: Location(
                    device: slot.device,
                    block: slot.firstDataBlock + UInt64(slot.dataCount) + UInt64(index)
                ),
                disk: .nowhere,
                sequence: sequence,
                checksum: checksum,
                writer: 0
            )
            let inLeaf = Int(block % UInt64(Geometry.blocksPerLeaf))
            replace(found.slot(of: block), inLeaf, with: state)
            if index == 0 || block % UInt64(Geometry.blocksPerChunk) == 0 {
                touchWritten(found.slot(of: block), chunk: inLeaf / Geometry.blocksPerChunk)
            }
        }
        records[record].dataCount += Int32(item.count)
        endEntry(record, RecordEntry.byteCount(.data, blockCount: item.count))
        loggedBlockCount += item.count
        statistics.blocksWritten += UInt64(item.count)
    }

    private func appendRange(_ item: EntryPlan.Item, of part: ChangePart, in found: PartLeaves) {
        let record = openHostRecord
        let place = RecordHeader.tableOffset + Int(records[record].tableByteCount)
        var header = recordHeaderBlock(record).mutableBytes
        RecordEntry(
            volume: volumes[part.volume].identifier,
            address: item.first,
            blockCount: UInt32(item.count),
            kind: item.kind
        ).store(into: &header, at: place)
        let isZero = item.kind == .zero
        for block in item.first..<(item.first + UInt64(item.count)) {
            let state = BlockState(
                kind: isZero ? .zero : .absent,
                flash: .nowhere,
                disk: .nowhere,
                sequence: isZero ? nextSequence : SequenceNumber(0),
                checksum: 0,
                writer: 0
            )
            replace(found.slot(of: block), Int(block % UInt64(Geometry.blocksPerLeaf)), with: state)
        }
        endEntry(record, RecordEntry.fixedByteCount)
    }

    /// Closes the entry that was just written: the next one gets the next sequence number.
    func endEntry(_ record: Int, _ byteCount: Int) {
        records[record].tableByteCount += Int32(byteCount)
        records[record].entryCount += 1
        nextSequence = SequenceNumber(nextSequence.rawValue + 1)
    }

    /// The new contents of one block: from the payload, or merged with what was there.
    @inline(__always)
    private func sourceBlock(
        _ block: UInt64,
        of part: ChangePart,
        payload: BufferRegion,
        for request: Int
    ) -> BufferRegion {
        if block == part.first && part.hasPartialHead {
            return mergeBlock(request, 0)
        }
        if block + 1 == part.end && part.hasPartialTail {
            return mergeBlock(request, 1)
        }
        let start = Int(block * 4096 - part.offset)
        return payload[start..<(start + 4096)]
    }
}
