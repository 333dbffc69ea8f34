internal import Policy
internal import Units

// Admission of writes near full: hosts are slowed smoothly to the rate at which reclaim frees
// segments, and never meet an edge.
extension Lane {
    /// Bytes for which the law's delay is one whole delay: small writes wait their share of it.
    private static var delayBlockCount: UInt64 { 256 }

    /// Whether a part may be appended now, or must wait for its time.
    func isAdmitted(_ part: ChangePart) -> Bool {
        if now >= admissionGate { return true }
        statistics.throttledTurns += 1
        return false
    }

    /// Moves the gate on by what blocks of data cost at the present shortage.
    func noteAdmitted(blockCount: Int) {
        guard blockCount > 0 else { return }
        let free = pool.freeSegmentCount(.flash)
        let marks = flashMarks
        guard free < marks.high else { return }
        let delay = marks.admissionDelay(freeSegments: free)
        let base = max(now, admissionGate)
        admissionGate = base.advanced(
            byNanoseconds: delay * UInt64(blockCount) / Self.delayBlockCount
        )
    }
}
