internal import Format
internal import IO
internal import Policy
internal import Units

// What moves have written to a disk is named by the map only when the disk has been flushed.  Until
// then the sources stand, so that a flush that fails, or a disk that answers nothing, costs the
// moves alone: no checkpoint and no host waits for a disk.
//
//      verified -> waiting | flush submitted | -> covered | flush ended, and is believed | -> named
//
// A flush that fails may have lost what any lane had written by then; the next one succeeds.  So a
// copy is named only if no flush of its disk has failed since it was submitted, whoever asked for
// the flush.  One that is not named stays where it was, and reclaim decides anew.

/// A record of copies that is on a disk, read back, and named by no map.
struct LandedMove {
    /// Of the copies, in the order of the items.
    let firstBlock: UInt64
    let segment: Int
    let items: [MoveItem]
    /// Flushes of the disk that had failed when the record was submitted.
    let failedFlushCount: Int
}

/// The copies of one lane on one disk that wait for a flush.
struct DiskFlush {
    let device: DeviceIndex
    /// Those that the flush under way does not cover.
    var waiting: [LandedMove] = []
    var waitingBlockCount = 0
    /// Those that it covers.
    var covered: [LandedMove] = []
    var isInFlight = false
    var begunAt = Instant(nanoseconds: 0)
    /// Nanoseconds for which a flush is waited for, if more than for a device that hangs: the last
    /// one took as long.
    var patience: UInt64 = 0
    /// It ended well, and waits for those of other lanes.
    var bar: FlushBar?

    init(device: DeviceIndex) { self.device = device }

    var isIdle: Bool { waiting.isEmpty && covered.isEmpty && !isInFlight && bar == nil }

    /// The flush that is submitted now covers all that waits.
    mutating func begin(now: Instant) {
        covered = takeWaiting()
        isInFlight = true
        begunAt = now
    }

    mutating func takeWaiting() -> [LandedMove] {
        let taken = waiting
        waiting.removeAll()
        waitingBlockCount = 0
        return taken
    }

    /// Blocks of moves of a purpose, whose sources stand until then.
    func blockCount(of purpose: MoveCandidate.Purpose) -> Int {
        var count = 0
        for move in waiting where move.items.first?.purpose == purpose { count += move.items.count }
        for move in covered where move.items.first?.purpose == purpose { count += move.items.count }
        return count
    }
}

extension Lane {
    /// Blocks for which a disk is flushed while more are on their way: 16 MiB, a tenth of a second
    /// of a disk's writing.
    private static var flushBlockCount: Int { 4096 }
    /// For no longer what waits for a flush is kept from others, however long the disk takes.
    private static var flushPatienceMax: UInt64 { 240_000_000_000 }

    /// Keeps what a move has written to disk until the disk is flushed; the move is free.
    func awaitFlush(of move: Int) {
        let record = configuration.hostRecordCount + move
        let count = Int(moves[move].itemCount)
        let landed = LandedMove(
            firstBlock: records[record].firstDataBlock,
            segment: Int(records[record].segment),
            items: (0..<count).map { moveItems[firstItem(move) + $0] },
            failedFlushCount: moves[move].failedFlushCount
        )
        let device = Int(records[record].device.rawValue)
        diskFlushes[device].waiting.append(landed)
        diskFlushes[device].waitingBlockCount += count
        // Its blocks are not live yet: the segment is neither empty nor a victim.
        pool.segments[landed.segment].recordsInFlight += 1
        freeMove(move)
        hasProgressed = true
    }

    /// Goes on with what disks were flushed for, and flushes them where that is due.
    func runDiskFlushes() {
        for index in diskFlushes.indices where !diskFlushes[index].isIdle {
            believeDiskFlush(index)
            if isReadOnly { dropLanded(index) }
            if isDiskFlushDue(index) { submitDiskFlush(index) }
        }
    }

    /// As many moves share a flush as can without anybody waiting for it.
    private func isDiskFlushDue(_ index: Int) -> Bool {
        let flush = diskFlushes[index]
        guard !flush.waiting.isEmpty, !flush.isInFlight, flush.bar == nil,
            operations.freeCount > pool.devices.count
        else { return false }
        if flush.waitingBlockCount >= Lane.flushBlockCount { return true }
        if isShortOfSegments || movingLeafCount * 2 >= leaves.count { return true }
        // Of moves that hang on another disk none is waited for.
        for move in 0..<moves.count
        where moves[move].phase != .free && moves[move].toDisk && operations.lateDevices == 0 {
            return false
        }
        return true
    }

    private func submitDiskFlush(_ index: Int) {
        let device = diskFlushes[index].device
        diskFlushes[index].begin(now: now)
        statistics.diskFlushes += 1
        operations.submit(
            .flush,
            at: (device, 0),
            blockCount: 0,
            region: .empty,
            for: OperationSlot(
                owner: .moveFlush,
                ownerIndex: Int32(index),
                ticket: pool.beginFlush(.disk(device))
            )
        )
    }

    func completeDiskFlush(_ slot: OperationSlot, isGood: Bool) {
        let index = Int(slot.ownerIndex)
        let device = diskFlushes[index].device
        settle(slot.ticket, .disk(device), isGood: isGood)
        diskFlushes[index].isInFlight = false
        if isGood {
            let taken = now.nanoseconds(since: diskFlushes[index].begunAt)
            diskFlushes[index].patience = min(2 * taken, Lane.flushPatienceMax)
        }
        if diskFlushes[index].covered.isEmpty {
            // What it was to cover was given up meanwhile; what waits came later.
        } else if isGood || Mutant.failedFlushBelieved.isOn {
            diskFlushes[index].bar = pool.flushBar(.disk(device))
        } else {
            endCovered(index, isNamed: false)
        }
        hasProgressed = true
    }

    /// Goes on when all flushes that were in flight beside this one have settled.
    private func believeDiskFlush(_ index: Int) {
        guard var bar = diskFlushes[index].bar else { return }
        let belief = pool.belief(&bar)
        diskFlushes[index].bar = belief == .waiting ? bar : nil
        if belief != .waiting { endCovered(index, isNamed: true) }
    }

    /// Names the copies that a flush covered, or those of them that no flush has lost.
    private func endCovered(_ index: Int, isNamed: Bool) {
        let device = diskFlushes[index].device
        let failedCount = pool.failedFlushCount(.disk(device))
        let ended = diskFlushes[index].covered
        diskFlushes[index].covered.removeAll(keepingCapacity: true)
        var isLost = false
        for move in ended {
            let hasFailed = move.failedFlushCount != failedCount && !Mutant.lostCopiesNamed.isOn
            if hasFailed || !isNamed { isLost = true }
            end(move, on: device, isNamed: isNamed && !hasFailed)
        }
        hasProgressed = true
        guard isLost else { return }
        note(
            "disk_flush_failed",
            "device \(device.rawValue): what was moved to it last stays where it was"
        )
        restMoves(toDisk: true)
    }

    /// Forgets what is on a disk and not named: the lane changes nothing any more, or the disk
    /// hangs and would keep leaves in memory, and chunks from being kept on flash.
    func dropLanded(_ index: Int) {
        let device = diskFlushes[index].device
        let dropped = diskFlushes[index].covered + diskFlushes[index].takeWaiting()
        diskFlushes[index].covered.removeAll()
        for move in dropped { end(move, on: device, isNamed: false) }
        if !dropped.isEmpty { hasProgressed = true }
    }

    private func end(_ move: LandedMove, on device: DeviceIndex, isNamed: Bool) {
        var last: ChunkKey?
        for (index, item) in move.items.enumerated() {
            if isNamed && !item.isBad {
                recordItem(
                    item,
                    at: Location(device: device, block: move.firstBlock + UInt64(index))
                )
            }
        }
        for item in move.items { endChunk(of: item, after: &last) }
        if !isNamed { statistics.movesUnflushed += 1 }
        pool.segments[move.segment].recordsInFlight -= 1
        noteIfEmptied(move.segment)
    }
}
