internal import Units

// A record of copies that a device refuses costs nothing: the sources stay, and nobody waits.
extension Lane {
    /// A device refused a record of copies twice: their sources stay, and others are tried in
    /// another segment.  When one after the other is refused, the tier rests for a while.
    func refuseMove(_ move: Int, _ record: Int) {
        let toDisk = moves[move].toDisk
        let segment = Int(records[record].segment)
        statistics.movesRefused += 1
        note("move_refused", "a write of moved blocks failed: they stay where they are")
        pool.noteWriteRefused(records[record].device)
        if toDisk {
            if cold.segment == segment { sealSegment(of: &cold) }
        } else if mature.segment == segment {
            sealSegment(of: &mature)
        }
        refusedMoveCount[toDisk ? 1 : 0] += 1
        if refusedMoveCount[toDisk ? 1 : 0] % Lane.refusedMoveMax == 0 {
            restMoves(toDisk: toDisk)
        }
        if Mutant.refusedMoveRecorded.isOn { return recordMove(move) }
        endMove(move)
    }

    /// Writes no more copies to a tier for a while.
    func restMoves(toDisk: Bool) {
        movesRestUntil[toDisk ? 1 : 0] = now.advanced(byNanoseconds: Lane.refusedMovePause)
    }

    /// Records of copies refused one after the other before their tier rests, and for how long.
    private static var refusedMoveMax: Int { 4 }
    private static var refusedMovePause: UInt64 { 10_000_000_000 }
}
