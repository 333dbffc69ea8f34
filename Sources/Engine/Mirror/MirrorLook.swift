internal import Format
internal import IO
internal import Units

// The scrub of the mirror.  Behind the last copies of each pass over flash the lane's mirror is
// read back, a slice at a time, and held against what MirrorReader would ask of it: every record
// whole, in its place, and behind the one before it.
//
// A slice that is refused is read again after a while, block by block: what a device refuses that
// gives others is bad, and of one that gives nothing the next pass may know more.
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
    var refusedCount = 0
    var firstRefused = 0
    /// The record at the place was bad, or refused, in the first look.
    var isSecond = false
    var wasRefused = false
    /// The next slice is read no sooner.
    var due = Instant(nanoseconds: 0)
}

extension Lane {
    /// Nanoseconds after which a device is asked again for a slice.
    private static var refusalPause: UInt64 { 20_000_000_000 }

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
            look.wasRefused = false
        }
        guard look.place < look.end else { return false }
        look.blockCount = min(Scrub.sliceBlockCount, Int(look.end - look.place))
        look.refusedCount = 0
        mirror.look = look
        scrubs[0].phase = .reading
        let step = look.wasRefused ? 1 : look.blockCount
        for first in stride(from: 0, to: look.blockCount, by: step) {
            let pieces = mirror.ring.pieces(from: look.place + UInt64(first), count: step)
            for piece in pieces { submitLook(piece, behind: first, isRepeated: look.isSecond) }
        }
        return true
    }

    private func submitLook(_ piece: MirrorRing.Piece, behind first: Int, isRepeated: Bool) {
        scrubs[0].operationCount += 1
        let start = (first + piece.offset) * Geometry.blockByteCount
        let end = start + piece.blockCount * Geometry.blockByteCount
        var slot = OperationSlot(owner: .mirrorLook)
        slot.firstBlock = Int32(first + piece.offset)
        slot.blockCount = Int32(piece.blockCount)
        slot.isRepeated = isRepeated
        operations.submit(
            .read,
            at: (piece.device, piece.block),
            blockCount: piece.blockCount,
            region: scrubArena.region[start..<end],
            for: slot
        )
    }

    /// A device answered a part of a slice.
    func completeMirrorLook(_ slot: OperationSlot, isGood: Bool) {
        scrubs[0].operationCount -= 1
        if !isGood, var look = mirror.look {
            let first = Int(slot.firstBlock)
            look.firstRefused = look.refusedCount == 0 ? first : min(look.firstRefused, first)
            look.refusedCount += Int(slot.blockCount)
            mirror.look = look
        }
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
        guard look.refusedCount == 0 else { return judgeRefused(look) }
        statistics.mirrorBlocksScrubbed += UInt64(look.blockCount)
        var next = look
        next.isSecond = false
        next.wasRefused = false
        if verify(&next) { return next }
        // A record behind good ones was looked at once; so was one that was refused at first.
        guard look.isSecond, !look.wasRefused, next.place == look.place else {
            next.isSecond = true
            return next
        }
        mirror.loss = (look.place, "block \(look.place) of it is not what was written")
        return nil
    }

    private func judgeRefused(_ look: MirrorLook) -> MirrorLook? {
        guard look.wasRefused else {
            var again = look
            again.isSecond = true
            again.wasRefused = true
            again.due = now.advanced(byNanoseconds: Lane.refusalPause)
            return again
        }
        // A device that gives none of many is away.
        guard look.refusedCount < look.blockCount || look.blockCount == 1 else {
            var over = look
            over.place = over.end
            return over
        }
        let place = look.place + UInt64(look.firstRefused)
        mirror.loss = (place, "block \(place) of it cannot be read")
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
