internal import Catalogue
internal import Format
internal import IO
internal import Units

// The mirror: what each checkpoint tells the catalogue is told to flash as well, so that the
// catalogue can be made anew from the devices alone (MirrorReader).
//
//     place   begin                        end          a ring of blocks, all flash devices' slices
//       ------|----------------------------|------      in a row
//             everything, once at least,
//             and all changes since
//
// A checkpoint appends its image.  When half of the ring is used, a round begins: each checkpoint
// says a few leaves again that did not change, as the catalogue has them, before its own image;
// when all were said, what lies before the round is needed no more.  The slices are such that a
// round ends before the ring does, where it is large enough.
//
// Crash order, within that of a checkpoint (Checkpoint.swift):
//
// 1. The records are written, behind all that the devices were told of.
// 2. Flash is flushed.
// 3. The catalogue commits, and with it how far the mirror has come.
// 4. The devices are told (Checkpoint+Telling).  Only now may blocks before `begin` be written.
//
// Where there is no room, or flash refuses a record twice, the mirror is given up until another
// round has said everything.  A checkpoint takes longer by what it says; nothing else waits for it.

/// A lane's mirror.
struct Mirror {
    let ring: MirrorRing
    /// As of the last record that was written.
    var state = MirrorState.empty
    /// From here on blocks are needed by what the devices were told last; nil for none.
    var told: UInt64?
    var round: MirrorRound?
    var look: MirrorLook?
    /// What the scrub found to be bad of it: the place, and how.
    var loss: (place: UInt64, finding: String)?
    /// Checkpoints to go until another round is tried, and rounds that came to nothing.
    var restCount = 0
    var failureCount = 0
    /// Bytes of a leaf and its heat, by those that were said last; and leaves in the catalogue.
    var leafByteCount = 4096
    var storedLeafCount = 0
    var work = MirrorWork()

    /// Room for the record that is being filled.
    static func arena(_ configuration: LaneConfiguration) -> Arena {
        invariant(
            configuration.mirrorRecordBlockMax <= Scrub.sliceBlockCount,
            "the scrub reads records of the mirror whole"
        )
        return Arena(
            byteCount: configuration.mirrorRecordBlockMax * Geometry.blockByteCount,
            isPopulated: configuration.isPopulated
        )
    }

    var isWhole: Bool { state.begin != nil }

    /// Blocks that can be written now.
    var freeBlockCount: Int {
        let needed = [told, state.begin, round?.begin].compactMap(\.self)
        guard let first = Mutant.mirrorOverTold.isOn ? needed.last : needed.min() else {
            return ring.blockCount
        }
        return max(0, ring.blockCount - Int(min(state.end - first, UInt64(ring.blockCount))))
    }

    mutating func noteLeaf(byteCount: Int) {
        leafByteCount += (byteCount - leafByteCount) / 16
    }

    /// Blocks of a round, about, with a quarter more for what changes meanwhile.
    var roundBlockCount: Int {
        blockCount(ofLeaves: storedLeafCount) * 5 / 4 + 2
    }

    /// Whether there is room for a round behind the last one.
    var mayHoldTwoRounds: Bool { 2 * roundBlockCount <= ring.blockCount }

    /// Blocks that leaves take in records, about.
    func blockCount(ofLeaves count: Int) -> Int {
        count == 0 ? 0 : count * leafByteCount / Geometry.blockByteCount * 9 / 8 + 1
    }
}

/// What the mirror does in a checkpoint.
struct MirrorWork {
    enum Stage { case idle, planning, rows, leaves, image, ending }
    var stage = Stage.idle
    var image: ImageItems?
    /// It is in no record yet.
    var item: MirrorItem?
    /// Rows of the round that were said, and blocks of it that this checkpoint is to say.
    var rowCount = 0
    var sliceBlockCount = 0
    var begunAt: UInt64 = 0
    /// Bytes of items in the record that is being filled.
    var byteCount = 0
    var piecesInFlight = 0
    var isRefused = false
    /// Blocks of the record in flight, and its checksum.
    var blockCount = 0
    var checksum: UInt32 = 0
}

extension Lane {
    // MARK: In a checkpoint

    /// Takes part in step 1: what a round that begins has to say of all rows is as it is now.
    func captureForMirror() {
        giveUpLostMirror()
        guard mirror.round == nil, mirror.ring.blockCount > 0 else { return }
        if mirror.restCount > 0 {
            mirror.restCount -= 1
        } else if isRoundDue {
            mirror.round = MirrorRound(begin: mirror.state.end, rows: allRows)
        }
    }

    /// Takes that back.
    func cancelMirror() {
        if mirror.round?.isNew == true { mirror.round = nil }
    }

    func beginMirroring() {
        checkpoint.phase = .mirroring
        mirror.work = MirrorWork()
        mirror.work.stage = .planning
        hasProgressed = true
    }

    /// Goes on with saying; true when all is written.
    func runMirror() -> Bool {
        while mirror.work.stage != .idle {
            guard mirror.work.piecesInFlight == 0 else { return false }
            if mirror.work.blockCount > 0 { endMirrorRecord() }
            switch mirror.work.stage {
            case .idle: break
            case .planning: planMirror()
            case .rows, .leaves, .image, .ending: guard fillMirror() else { return false }
            }
        }
        return true
    }

    private func planMirror() {
        guard let image = checkpoint.image else { return }
        mirror.work.image = ImageItems(image)
        mirror.work.begunAt = mirror.state.end
        guard mirror.isWhole || mirror.round != nil else {
            mirror.work.stage = .idle
            return
        }
        mirror.work.sliceBlockCount = planSlice(beside: ImageItems.blockCount(of: image))
        mirror.work.stage = mirror.round == nil ? .image : .rows
        if Mutant.mirrorRoundLast.isOn { mirror.work.stage = .image }
    }

    /// Puts items into the record, and writes it when it is full; false when something has to
    /// happen first.
    private func fillMirror() -> Bool {
        while mirror.work.stage != .idle {
            if let item = mirror.work.item.take() ?? nextMirrorItem() {
                if putIntoMirror(item) { continue }
                mirror.work.item = item
                return writeMirrorRecord()
            }
            if mirror.work.stage != .ending { return false }
            if mirror.work.byteCount > 0 { return writeMirrorRecord() }
            endMirroring()
        }
        return true
    }

    /// Appends an item to the record; false when it has no room.
    private func putIntoMirror(_ item: MirrorItem) -> Bool {
        let offset = MirrorRecord.itemsOffset + mirror.work.byteCount
        let byteCount = item.byteCount
        guard offset + byteCount <= mirrorArena.region.byteCount else {
            invariant(mirror.work.byteCount > 0, "a record has room for every item")
            return false
        }
        let region = mirrorArena.region
        var bytes = region.mutableBytes
        item.store(into: &bytes, at: offset)
        mirror.work.byteCount += byteCount
        return true
    }

    /// The next item to be said; nil when it is not here yet, and behind the last.
    private func nextMirrorItem() -> MirrorItem? {
        if mirror.work.stage == .rows {
            if let rows = mirror.round?.rows, mirror.work.rowCount < rows.count {
                mirror.work.rowCount += 1
                return rows[mirror.work.rowCount - 1]
            }
            mirror.round?.rows = []
            mirror.round?.isNew = false
            mirror.work.stage = .leaves
        }
        if mirror.work.stage == .leaves {
            if let item = nextRoundItem() { return item }
            if mirror.round?.isAwaiting == true { return nil }
            mirror.work.stage = Mutant.mirrorRoundLast.isOn ? .ending : .image
        }
        if mirror.work.stage == .image {
            if let item = mirror.work.image?.next() {
                if case .leaf(_, _, let bytes) = item {
                    if bytes.isEmpty && Mutant.mirrorForgetsRemoved.isOn { return nextMirrorItem() }
                    if !bytes.isEmpty { mirror.noteLeaf(byteCount: item.byteCount) }
                }
                return item
            }
            if Mutant.mirrorRoundLast.isOn && mirror.round != nil {
                mirror.work.image = nil
                mirror.work.stage = .rows
                return nextMirrorItem()
            }
            mirror.work.stage = .ending
        }
        return nil
    }

    private func endMirroring() {
        mirror.work = MirrorWork()
        if Mutant.mirrorBeginsEarly.isOn, let round = mirror.round {
            mirror.state.begin = round.begin
        }
        guard let round = mirror.round, round.isOver else { return }
        mirror.round = nil
        let wasWhole = mirror.isWhole
        mirror.state.begin = round.begin
        // One round may fit where the next one does not.
        if wasWhole { mirror.failureCount = 0 }
        statistics.mirrorRounds += 1
        if !wasWhole { note("mirror_whole", "the mirror of the catalogue is whole again") }
    }

    // MARK: Records

    /// Writes what was put into the record; false when it cannot be now.
    private func writeMirrorRecord() -> Bool {
        let count = MirrorRecord.blockCount(itemByteCount: mirror.work.byteCount)
        guard count <= mirror.freeBlockCount else {
            giveUpMirror("it has no room for all that there is to say")
            return true
        }
        let pieces = mirror.ring.pieces(from: mirror.state.end, count: count)
        guard operations.freeCount > pieces.count + pool.devices.count else { return false }
        let record = MirrorRecord(
            poolIdentifier: pool.identifier,
            lane: index,
            place: mirror.state.end,
            blockCount: count,
            byteCount: mirror.work.byteCount,
            previousChecksum: mirror.state.checksum
        )
        let region = mirrorArena.region[0..<(count * Geometry.blockByteCount)]
        var bytes = region.mutableBytes
        mirror.work.checksum = record.seal(&bytes)
        mirror.work.blockCount = count
        mirror.work.piecesInFlight = pieces.count
        statistics.mirrorBlocksWritten += UInt64(count)
        statistics.flashBlocksWritten += UInt64(count)
        for piece in pieces {
            operations.submit(
                .write,
                at: (piece.device, piece.block),
                blockCount: piece.blockCount,
                region: mirrorRegion(piece.offset, piece.blockCount),
                for: OperationSlot(
                    owner: .mirror,
                    firstBlock: Int32(piece.offset),
                    blockCount: Int32(piece.blockCount)
                )
            )
        }
        return false
    }

    private func mirrorRegion(_ first: Int, _ count: Int) -> BufferRegion {
        let block = Geometry.blockByteCount
        return mirrorArena.region[(first * block)..<((first + count) * block)]
    }

    /// A piece of the record was written, or refused: then it is written once more.
    func completeMirrorWrite(_ slot: OperationSlot, isGood: Bool) {
        if !Mutant.mirrorUnflushed.isOn { flashIsUnflushed = true }
        hasProgressed = true
        if !isGood && !slot.isRepeated {
            var again = slot
            again.isRepeated = true
            return operations.submit(
                .write,
                at: (slot.location.device, slot.location.block),
                blockCount: Int(slot.blockCount),
                region: mirrorRegion(Int(slot.firstBlock), Int(slot.blockCount)),
                for: again
            )
        }
        mirror.work.piecesInFlight -= 1
        if !isGood { mirror.work.isRefused = true }
    }

    /// The record in flight has ended.
    private func endMirrorRecord() {
        mirror.state.end += UInt64(mirror.work.blockCount)
        if mirror.work.isRefused { return giveUpMirror("a flash device refuses its writes") }
        mirror.state.checksum = mirror.work.checksum
        mirror.work.blockCount = 0
        mirror.work.byteCount = 0
    }

    /// The mirror says nothing more until a round has said everything.
    private func giveUpMirror(_ reason: String) {
        if mirror.isWhole {
            note("mirror_given_up", "the mirror of the catalogue is not whole any more: \(reason)")
        }
        mirror.state.begin = nil
        endRoundInVain()
        mirror.work = MirrorWork()
        statistics.mirrorsGivenUp += 1
    }
}

extension Lane {
    /// Whether the catalogue could be made anew from the devices, as far as this lane goes, behind
    /// the next checkpoint.
    package var isMirrorWhole: Bool { mirror.isWhole && mirror.loss == nil }

    /// Whether the mirror finds room for a good deal more than all that there is to say.
    package var hasRoomForMirror: Bool {
        let rows = allRows.reduce(0) { $0 + $1.byteCount }
        let needed =
            mirror.blockCount(ofLeaves: mirror.storedLeafCount + leaves.count)
            + MirrorRecord.blockCount(itemByteCount: rows)
        return mirror.ring.blockCount > 4 * needed + 4 * configuration.mirrorRecordBlockMax
    }
}
