internal import Format
internal import Units

// Which moves may use the room that is left: reclaim all of it, others not the last.
extension Lane {
    /// Whether a chunk may be queued for a move: there is room for it, and it does not wait behind
    /// moves that wait for a late disk.
    func canTake(_ purpose: MoveCandidate.Purpose) -> Bool {
        hasRoom(for: purpose)
            && (operations.lateDevices == 0 || purpose == .keep || mayHoldMore(needsDisk: true))
    }

    /// Whether a record of copies finds a segment now, as far as one lane can tell.
    func hasRoom(for purpose: MoveCandidate.Purpose) -> Bool {
        let toDisk = purpose == .demote || purpose == .relocate
        guard movesRestUntil[toDisk ? 1 : 0] <= now, answers(toDisk ? .disk : .flash) else {
            return false
        }
        if purpose == .promote && operations.silentDevices != 0 { return false }
        let stream = toDisk ? cold : mature
        let free = pool.freeSegmentCount(stream.role)
        let left = segmentsLeft(by: purpose)
        if free > left { return true }
        // What is left in a segment of the last ones is for reclaim, whose victim is to fit.
        if stream.remaining > RecordHeader.overheadBlockCount {
            return free == left && (purpose != .demote || !isRelocating)
        }
        return left == 0 && unfilledSegment(for: stream) != nil
    }

    /// Whether a disk segment is being emptied: its copies are to be written yet.
    private var isRelocating: Bool {
        if diskReclaim.phase != .idle || !relocations.isEmpty { return true }
        for move in 0..<moves.count
        where moves[move].phase == .reading || moves[move].phase == .ready {
            if moveItems[firstItem(move)].purpose == .relocate { return true }
        }
        return false
    }

    /// Free segments that moves of a purpose leave to others.  Reclaim may take the last ones of
    /// the tier that it works on; each gives back more than it takes.
    private func segmentsLeft(by purpose: MoveCandidate.Purpose) -> Int {
        switch purpose {
        case .promote: hostReserve
        case .demote: Lane.demoteSegmentReserve * pool.laneCount
        case .keep, .relocate: 0
        }
    }

    /// Disk segments that demotion leaves to each lane, so that disk segments can be compacted.
    static var demoteSegmentReserve: Int { 1 }

    /// Opens the record of a move in the stream's segment, or in another one when that is full.
    func openRecord(_ record: Int, of move: Int, in stream: inout LogStream) -> Bool {
        let reserve = segmentsLeft(by: moveItems[firstItem(move)].purpose)
        if stream.remaining <= RecordHeader.overheadBlockCount {
            guard openSegment(of: &stream, leaving: reserve) else { return false }
        }
        let lead = stream.cursor == 0 ? 1 : 0
        cut(move, to: stream.remaining - lead - RecordHeader.overheadBlockCount)
        return openRecord(
            record,
            in: &stream,
            dataCount: Int(moves[move].itemCount),
            leaving: reserve
        )
    }

    /// Leaves out what the stream's segment has no room for: segments are filled to the last block,
    /// as the pool's capacity supposes.  What is left out stays where it is, and is moved another
    /// time.
    private func cut(_ move: Int, to room: Int) {
        let count = Int(moves[move].itemCount)
        guard room < count else { return }
        moves[move].itemCount = Int32(room)
        let last = chunk(of: moveItems[firstItem(move) + room - 1])
        for index in room..<count {
            let item = moveItems[firstItem(move) + index]
            // The chunk that is cut ends with the move.
            if chunk(of: item) != last { endMoving(item) }
        }
    }
}
