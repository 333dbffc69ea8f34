internal import Format
internal import IO
internal import Units

// Where a stream gets its segments from.
//
// A segment that is sealed early keeps a rest that nobody has written: one that a write was refused
// in, and the ones that were open when the pool was killed.  Reclaim wins them back; but reclaim
// itself needs a segment to copy to, so that a series of crashes, or of refused writes, could use
// up the last ones before it has emptied any.  Where segments are short, copies therefore go on in
// a rest.
//
//      | header | copies ... | torn or refused | copies of a later life ... |     |
//                            ^ blocks written, as of the last checkpoint
//
// Nothing behind that block is referred to, and copies are never replayed: what an earlier life
// left there counts for nothing.  Host segments stay sealed, as replay goes by what lies in them.
extension Lane {
    /// Whether reclaim has a flash segment to copy to.
    package var hasOpenMatureSegment: Bool { mature.segment >= 0 }

    /// The slot of the segment that host records are appended to; -1 when there is none.
    package var hostSegment: Int { host.segment }

    /// Gives the stream a segment with room, sealing the one it has; false when there is none.
    func openSegment(of stream: inout LogStream, leaving reserve: Int) -> Bool {
        if reserve == 0, let rest = unfilledSegment(for: stream) {
            goOn(in: rest, &stream)
            return true
        }
        guard let (slot, sequence) = pool.acquireSegment(stream.role, leaving: reserve) else {
            noteNoSegment()
            return false
        }
        sealSegment(of: &stream)
        var state = SegmentState()
        state.use = .open
        state.stream = stream.kind
        state.lane = index
        state.openedTick = tick
        state.sequence = sequence
        state.nonce = random.next()
        pool.segments[slot] = state
        noteChanged(slot)
        stream.newestSequence = sequence
        point(&stream, at: slot)
        return true
    }

    private func point(_ stream: inout LogStream, at segment: Int) {
        let address = pool.address(of: segment)
        let geometry = pool.geometry(of: segment)
        stream.segment = segment
        stream.device = address.device
        stream.firstBlock = geometry.firstBlock(of: address.index)
        stream.segmentBlockCount = geometry.segmentBlockCount
        stream.cursor = Int(pool.segments[segment].writtenBlockCount)
    }

    // MARK: Rests

    /// The sealed segment of a stream of copies that has most room behind what was written, if
    /// segments are short; nil if not, or when none has any.  What reclaim has begun to empty is
    /// left to it.
    func unfilledSegment(for stream: LogStream) -> Int? {
        guard stream.kind != .host, isShort(stream.role) else { return nil }
        let isLast = pool.freeSegmentCount(stream.role) == 0
        let avoided = pool.avoidedDevice(stream.role)
        var best: Int?
        // Less than a chunk is worth no move, unless there is nothing else.
        var most = RecordHeader.overheadBlockCount + (isLast ? 0 : Geometry.blocksPerChunk - 1)
        for segment in sealedSegments[stream.kind == .cold ? 1 : 0] {
            let room = restBlockCount(of: segment, for: stream)
            guard room > most, pool.address(of: segment).device != avoided else { continue }
            most = room
            best = segment
        }
        return best
    }

    /// Blocks behind what was written to a sealed segment in which the stream may go on.
    func restBlockCount(of segment: Int, for stream: LogStream) -> Int {
        let state = pool.segments[segment]
        guard state.stream == stream.kind, state.writtenBlockCount > 0,
            state.recordsInFlight == 0, !state.wasVictim
        else { return 0 }
        return pool.geometry(of: segment).segmentBlockCount - Int(state.writtenBlockCount)
    }

    /// Whether no segments are left but those that hosts and demotion may not take.
    func isShort(_ role: DeviceRole) -> Bool {
        pool.freeSegmentCount(role)
            <= (role == .flash ? hostReserve : Lane.demoteSegmentReserve * pool.laneCount)
    }

    /// Lets the stream append behind what was written to a sealed segment, sealing the one it has.
    private func goOn(in segment: Int, _ stream: inout LogStream) {
        let tier = stream.kind == .cold ? 1 : 0
        sealedSegments[tier].removeAll { $0 == segment }
        sealSegment(of: &stream)
        pool.segments[segment].use = .open
        pool.segments[segment].wasContinued = true
        point(&stream, at: segment)
        if Mutant.copiesOverCopies.isOn { stream.cursor = 1 }
        statistics.segmentsContinued += 1
    }

    /// Seals the stream's segment: nothing is appended to it any more.
    func sealSegment(of stream: inout LogStream) {
        guard stream.segment >= 0 else { return }
        let slot = stream.segment
        pool.segments[slot].use = .sealed
        stream.previous = SegmentLink(
            address: pool.address(of: slot),
            sequence: pool.segments[slot].sequence
        )
        stream.segment = -1
        sealedSegments[stream.kind == .cold ? 1 : 0].append(slot)
        noteChanged(slot)
        noteIfEmptied(slot)
    }
}
