internal import Format
internal import IO
internal import Units

// The scrub of the mirror.  Behind the last copies of each pass over flash the lane's mirror is
// read back, a slice at a time, and held against what MirrorReader would ask of it: every record
// whole, in its place, and behind the one before it.
//
// What is bad in two looks is not mended where it lies.  The mirror is given up with the next
// checkpoint, and whole again behind a round that said everything.

/// A reading of the mirror under way.
struct MirrorLook {
    /// The record that is read next.
    var place: UInt64
    /// Of the one before it; nil when that was not read.
    var checksum: UInt32?
    /// The mirror as it was when the reading began: what came since was written lately.
    let end: UInt64
    let lastChecksum: UInt32
    /// Of the slice in flight.
    var blockCount = 0
    var isRefused = false
    /// The record at the place was bad in the first look.
    var isSecond = false
}

extension Lane {
    /// Goes on with reading the mirror back; false when there is no more of it to be read.
    func readMirror() -> Bool {
        guard !Mutant.mirrorUnread.isOn, let begin = mirror.state.begin, mirror.loss == nil else {
            return false
        }
        var look =
            mirror.look
            ?? MirrorLook(
                place: begin,
                end: mirror.state.end,
                lastChecksum: mirror.state.checksum
            )
        if look.place < begin {
            // A round has ended: what lies before it is needed no more.
            look.place = begin
            look.checksum = nil
            look.isSecond = false
        }
        guard look.place < look.end else { return false }
        look.blockCount = min(Scrub.sliceBlockCount, Int(look.end - look.place))
        look.isRefused = false
        mirror.look = look
        scrubs[0].phase = .reading
        let pieces = mirror.ring.pieces(from: look.place, count: look.blockCount)
        scrubs[0].operationCount = pieces.count
        for piece in pieces {
            let start = piece.offset * Geometry.blockByteCount
            let end = start + piece.blockCount * Geometry.blockByteCount
            var slot = OperationSlot(owner: .mirrorLook)
            slot.isRepeated = look.isSecond
            operations.submit(
                .read,
                at: (piece.device, piece.block),
                blockCount: piece.blockCount,
                region: scrubArena.region[start..<end],
                for: slot
            )
        }
        return true
    }

    /// A device answered a part of a slice.
    func completeMirrorLook(isGood: Bool) {
        scrubs[0].operationCount -= 1
        if !isGood { mirror.look?.isRefused = true }
        guard scrubs[0].operationCount == 0 else { return }
        if let look = mirror.look.take(), !scrubs[0].isDropped { mirror.look = judge(look) }
        scrubs[0].isDropped = false
        endSliceOfMirror()
    }

    /// What a slice says: the reading as it goes on, nil when there is nothing more to be read.
    private func judge(_ look: MirrorLook) -> MirrorLook? {
        guard let begin = mirror.state.begin else { return nil }
        // What is needed no more may have been written over.
        guard look.place >= begin else { return look }
        statistics.mirrorBlocksScrubbed += UInt64(look.blockCount)
        var next = look
        next.isSecond = false
        if !look.isRefused && verify(&next) { return next }
        // A record behind good ones was looked at once.
        guard look.isSecond, next.place == look.place else {
            next.isSecond = true
            return next
        }
        let finding = look.isRefused ? "cannot be read" : "is not what was written"
        mirror.loss = (look.place, "block \(look.place) of it \(finding)")
        return nil
    }

    /// Goes over the records that are whole in the slice; false at one that is bad.
    private func verify(_ look: inout MirrorLook) -> Bool {
        var offset = 0
        while look.place < look.end, offset < look.blockCount {
            let bytes = scrubArena.region[
                (offset * Geometry.blockByteCount)..<(look.blockCount * Geometry.blockByteCount)
            ]
            guard let count = MirrorRecord.claimedBlockCount(in: bytes.bytes) else { return false }
            // One that begins behind others is read whole with the next slice.
            guard offset + count <= look.blockCount else { return offset > 0 }
            do throws(FormatError) {
                let (record, checksum) = try MirrorRecord.decode(
                    bytes[0..<(count * Geometry.blockByteCount)].bytes
                )
                guard record.poolIdentifier == pool.identifier, record.lane == index,
                    record.place == look.place,
                    record.previousChecksum == look.checksum ?? record.previousChecksum
                else { return false }
                look.checksum = checksum
            } catch {
                return false
            }
            offset += count
            look.place += UInt64(count)
        }
        return look.place < look.end || look.checksum == look.lastChecksum
    }

    /// Gives up what was found to be bad, unless a round has made it needless.
    func giveUpLostMirror() {
        guard let (place, finding) = mirror.loss.take(), let begin = mirror.state.begin,
            place >= begin
        else { return }
        note("mirror_given_up", "the mirror of the catalogue is not whole any more: \(finding)")
        mirror.state.begin = nil
        statistics.mirrorsGivenUp += 1
        if let round = mirror.round, round.begin <= place { endRoundInVain() }
    }
}
