internal import Units

/// What a lane knows of a segment it owns.
struct SegmentState: BitwiseCopyable {
    enum Use: UInt8, BitwiseCopyable {
        /// In the pool's list, or never used.
        case free
        /// A stream appends to it.
        case open
        /// Written; emptied by overwrites and reclaim.
        case sealed
        /// Nothing refers to it; the next checkpoint forgets it.
        case emptied
        /// Forgotten by a checkpoint that is being committed.
        case forgetting
        /// Forgotten durably, but a read is still in flight to it.
        case draining
    }
    var use = Use.free
    var stream = StreamKind.host
    /// Its row in the catalogue is out of date.
    var isChanged = false
    /// Reclaim works on it.
    var isVictim = false
    /// Reclaim has worked on it.
    var wasVictim = false
    /// Copies went on in it after it was sealed.
    var wasContinued = false
    var lane = LaneIndex(0)
    /// Records being written to it.
    var recordsInFlight: UInt16 = 0
    /// Leaf references to its blocks.
    var liveBlockCount: UInt32 = 0
    /// Blocks handed out to records, header included; 0 when nobody knows.
    var writtenBlockCount: UInt32 = 0
    /// Reads in flight to it.
    var readerCount: UInt32 = 0
    /// When a stream opened it; 0 for one that was opened before the pool was.
    var openedTick: UInt32 = 0
    var sequence: UInt64 = 0
    var nonce: UInt64 = 0
}
