internal import Catalogue
internal import Format
internal import IO
internal import Units

// A round says everything again.  Its first checkpoint says all rows but leaves as they were when
// it was captured, and it and each one after it some of the leaves that the catalogue holds, in the
// order of volumes and addresses, as the checkpoint before left them; then comes its own image,
// which is newer.  A leaf that comes into being behind the round's place is in an image.

/// A round under way.
struct MirrorRound {
    /// Where it began.
    let begin: UInt64
    /// All rows of the lane but its leaves, until they are said.
    var rows: [MirrorItem]
    /// The checkpoint that began it has not said them yet.
    var isNew = true
    /// The next leaf, of this volume.
    var volume = 0
    var leaf: UInt64 = 0
    /// Leaves that were said.
    var leafCount = 0
    var isOver = false
    /// A leaf was asked of the catalogue.
    var isAwaiting = false
    /// Its answer, to be said.
    var answer: StoredLeaf?
    var heat: MirrorItem?

    init(begin: UInt64, rows: [MirrorItem]) {
        self.begin = begin
        self.rows = rows
    }
}

extension Lane {
    /// Leaves of the lane that the catalogue holds.
    private var storedLeafCount: Int { presence.reduce(0) { $0 + $1.count } }

    /// Keeps count of what rounds have to say.
    func countMirrored() { mirror.storedLeafCount = storedLeafCount }

    /// Whether to say everything again: half of the ring is used, or nothing in it is whole; and
    /// all finds room.
    var isRoundDue: Bool {
        guard let begin = mirror.state.begin else { return mirror.mayHoldTwoRounds }
        return Int(mirror.state.end - begin) > mirror.ring.blockCount / 2
            && mirror.roundBlockCount <= mirror.freeBlockCount
    }

    /// The mirror waits for a checkpoint, be there nothing else to be saved.
    var mirrorWantsCheckpoint: Bool {
        if mirror.loss != nil { return true }
        guard !mirror.isWhole, mirror.ring.blockCount > 0 else { return false }
        return mirror.round != nil || mirror.mayHoldTwoRounds
    }

    /// Everything that the catalogue knows of the lane, beside leaves and heat, when the checkpoint
    /// that is being captured is committed.
    var allRows: [MirrorItem] {
        var rows: [MirrorItem] = []
        let open = [host.segment, mature.segment, cold.segment].filter { $0 >= 0 }
        for segment in sealedSegments[0] + sealedSegments[1] + open {
            rows.append(MirrorItem(row(ofSegment: segment)))
        }
        for volume in 0..<volumeCount
        where volumes[volume].life != .free && !checkpoint.forgottenVolumes.contains(volume) {
            rows.append(MirrorItem(currentRow(volume)))
            rows.append(MirrorItem(treeRow(volume)))
        }
        return rows
    }

    /// Blocks of leaves that this checkpoint is to say, so that the round ends in half of the room
    /// that there is; but a few times what it says anyway at most, as others wait for it.
    func planSlice(beside imageBlockCount: Int) -> Int {
        guard let round = mirror.round else { return 0 }
        let left = mirror.blockCount(ofLeaves: max(0, mirror.storedLeafCount - round.leafCount))
        let room = (mirror.freeBlockCount - left - imageBlockCount) / 2
        let least = configuration.mirrorSliceBlockCount
        let most = max(4 * least, 2 * imageBlockCount)
        guard room > 0 else { return most }
        return min(most, max(least, (imageBlockCount + 1) * left / room + 1))
    }

    /// The next item of the round; nil when it is not here yet, and when enough was said.
    func nextRoundItem() -> MirrorItem? {
        if let heat = mirror.round?.heat {
            mirror.round?.heat = nil
            return heat
        }
        if let answer = mirror.round?.answer {
            mirror.round?.answer = nil
            if !answer.heat.isEmpty {
                // Heat that is no heat is forgotten.
                let isHeat = answer.heat.count == HeatFormat.byteCount
                mirror.round?.heat = .heat(
                    tree: answer.key.tree,
                    index: answer.key.index,
                    bytes: isHeat ? answer.heat : []
                )
            }
            mirror.noteLeaf(byteCount: answer.bytes.count + answer.heat.count + 48)
            guard isSound(answer) else {
                endRoundInVain()
                return nil
            }
            return .leaf(tree: answer.key.tree, index: answer.key.index, bytes: answer.bytes)
        }
        askForRoundLeaf()
        return nil
    }

    /// Whether a leaf is what it must be.  One that is damaged in the catalogue is not said again:
    /// what the mirror says of it is the last good copy.
    private func isSound(_ stored: StoredLeaf) -> Bool {
        do throws(FormatError) {
            let (tree, index) = try unsafe LeafFormat.identity(of: stored.bytes.span.bytes)
            guard tree == stored.key.tree, index == stored.key.index,
                stored.bytes.count + MirrorItem.overheadByteCountMax
                    <= mirrorArena.region.byteCount - MirrorRecord.itemsOffset
            else { throw FormatError.misplaced(structure: "leaf", field: "index") }
            return true
        } catch {
            // One that is in memory is good there, and is stored again when it changes.
            let volume = UInt32(mirror.round?.volume ?? 0)
            let isInMemory = leaves.find(volume: volume, index: stored.key.index) != nil
            if isInMemory || damagedLeaves.insert(stored.key).inserted {
                note(
                    "leaf_damaged",
                    "leaf \(stored.key.index) of tree \(stored.key.tree.rawValue) is damaged"
                )
            }
            return false
        }
    }

    /// The round comes to nothing; what the mirror said before it stays as good as it was.
    func endRoundInVain() {
        mirror.round = nil
        mirror.failureCount += 1
        mirror.restCount = 1 << min(mirror.failureCount, 8)
    }

    /// Asks the catalogue for the next leaf, if the slice is to go on and there is one.
    private func askForRoundLeaf() {
        guard var round = mirror.round, !round.isAwaiting, !round.isOver else { return }
        let said =
            Int(mirror.state.end - mirror.work.begunAt)
            + mirror.work.byteCount / Geometry.blockByteCount
        guard said < mirror.work.sliceBlockCount else { return }
        while round.volume < volumeCount {
            if volumes[round.volume].life != .free,
                let leaf = presence[round.volume].next(from: round.leaf)
            {
                let isSkipped = Mutant.mirrorSkipsLeaves.isOn && round.leafCount % 8 == 7
                round.leafCount += 1
                round.leaf = leaf + 1
                if isSkipped { continue }
                round.isAwaiting = true
                catalogueOutbox.append(.load(leafKey(round.volume, leaf)))
                catalogueAwaited.append(.mirror)
                return mirror.round = round
            }
            round.volume += 1
            round.leaf = 0
        }
        round.isOver = true
        mirror.round = round
    }

    /// The catalogue has answered for a round.
    func completeMirrorLoad(_ stored: StoredLeaf) {
        hasProgressed = true
        mirror.round?.isAwaiting = false
        mirror.round?.answer = stored
    }
}
