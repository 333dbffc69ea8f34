internal import Catalogue
internal import Format
internal import IO
internal import Units

// The scrub reads every copy of every block from its device and compares it with the map, so that
// damage is found while there is another copy, and not when a host asks.  Each tier has its own,
// with its own place and pace: a promoted block has a copy on flash and one on disk, and both are
// looked at.
//
//      idle --(due)--> (waiting) --> reading --> examining --> idle --> ... --> pass ended
//                       for a leaf   a slice     each block that was
//                                                not as expected
//
// A pass over flash ends with the mirror of the catalogue (Mirror/MirrorLook).
//
// It goes through the map, volume by volume and address by address, because the map knows every
// block that counts; what lies on disk was written in that order.  A slice is up to 64 blocks of a
// leaf, read in the order of their places.  It never touches heat, and what it reads is not kept.
//
// A block that was not as expected proves nothing by itself: the host may have written it anew, or
// a move may have taken it elsewhere, while the read was on its way.  So
//
// 1. the map is asked again: only if place and sequence are still those that were read,
// 2. the block is read a second time, and a third time if it was refused and then wrong,
// 3. and its other copy, if it has one, is read too;
// 4. then the map is asked once more, and the verdict is carried out in the same turn.
//
//      this copy     the other     verdict
//      damaged       good          this copy is given up
//      damaged       damaged       this copy is given up, the block is poisoned
//      damaged       none          the block is poisoned
//      damaged       unreadable    this copy is given up: the other may be readable later
//      unreadable    good          given up if the device gave other blocks of the slice
//      unreadable    damaged       the other copy is given up
//      unreadable    else          nothing: it may be readable later
//
// While the disk does not give a copy, reclaim keeps the one on flash (Moves/OtherCopies).
//
// To give a copy up is to drop it from the map; where that is the home on disk, the copy on flash
// is the only one from then on, and is demoted like any other.  Every verdict is an event.

/// How fast scrubs go.
package struct ScrubPace: Sendable {
    /// Nanoseconds that a full pass may take at most, if all live blocks are looked at in it.
    package var flashPass: UInt64 = 7 * 86_400_000_000_000
    package var diskPass: UInt64 = 14 * 86_400_000_000_000
    /// Nanoseconds after the opening of the pool before the first slice.
    package var delay: UInt64 = 60_000_000_000
    /// Nanoseconds for each block of a pass that was asked for: with no hosts, 512 MiB/s of flash
    /// and 128 MiB/s of disk; beside active hosts 64 and 4 MiB/s.
    package var flashIdleBlock: UInt64 = 7_600
    package var diskIdleBlock: UInt64 = 30_500
    package var flashBusyBlock: UInt64 = 61_000
    package var diskBusyBlock: UInt64 = 976_000
    /// Hosts count as active so long after a request.
    package var hostPause: UInt64 = 100_000_000
    /// Progress is stored at the latest so long after it was made.
    package var storeInterval: UInt64 = 60_000_000_000
    package init() {}

    func pass(_ role: DeviceRole) -> UInt64 { role == .flash ? flashPass : diskPass }

    /// Nanoseconds for a block of a pass that was asked for.
    func block(_ role: DeviceRole, isBusy: Bool) -> UInt64 {
        switch role {
        case .flash: isBusy ? flashBusyBlock : flashIdleBlock
        case .disk: isBusy ? diskBusyBlock : diskIdleBlock
        }
    }
}

/// What a read of one copy has brought.
enum ScrubOutcome: UInt8, BitwiseCopyable { case good, damaged, unreadable }

/// One copy of a block, as the map had it when its read was submitted.
struct ScrubItem: BitwiseCopyable {
    var volume: UInt32
    var address: UInt64
    var location: Location
    var sequence: SequenceNumber
    var checksum: UInt32
    var outcome = ScrubOutcome.good
}

/// The second look at a copy that was not as expected.
struct ScrubExamination {
    /// Nil until it was read a second time.
    var own: ScrubOutcome?
    /// The other copy that was read; nowhere until then.
    var otherLocation = Location.nowhere
    var other: ScrubOutcome?
    var otherLookCount = 0
    /// Of these, those that brought wrong bytes.
    var otherWrongCount = 0
    /// Once more if it was not good, and if it was refused and then wrong, a third time.
    var isOtherToBeRead: Bool {
        otherLookCount < 2 || otherLookCount == 2 && other == .damaged && otherWrongCount < 2
    }
    /// Of the read in flight: it is of the other copy.
    var isOther = false
}

/// The scrub of one tier of a lane.
struct Scrub {
    /// A slice that is due waits for a leaf, or for operations; something will end that.
    enum Phase { case idle, waiting, reading, examining }

    /// Blocks of a slice: 256 KiB.  No record of the mirror is larger.
    static var sliceBlockCount: Int { 64 }
    /// And one more for a second look.
    static var bufferBlockCount: Int { sliceBlockCount + 1 }

    let role: DeviceRole
    var phase = Phase.idle
    /// Place, switches and findings, as the next checkpoint stores them.
    var row: ScrubRow
    var isChanged = false
    var storedAt = Instant(nanoseconds: 0)
    /// The slice: at most `sliceBlockCount` copies of one leaf, in the order of their places.
    var items: [ScrubItem] = []
    /// Blocks of the last slice.
    var sliceCount = 0
    /// Where the next one begins.
    var nextTree = TreeIdentifier(0)
    var nextLeaf: UInt64 = 0
    var nextBlock = 0
    var operationCount = 0
    /// The item that is examined, and what is known of it.
    var suspect = 0
    var examination = ScrubExamination()
    /// A pass was begun anew while the slice was being read: it counts for nothing.
    var isDropped = false
    /// The leaf of the next slice was brought into memory for it.
    var hasLoadedLeaf = false
    var due = Instant(nanoseconds: 0)
    var sliceEndedAt = Instant(nanoseconds: 0)
    var passBeganAt = Instant(nanoseconds: 0)
    /// Blocks of the tier that the lane's leaves refer to, and when they were counted.
    var liveBlockCount: UInt64 = 0
    var countedAt: Instant?
    /// Of the pass, since the pool was opened.
    var sessionBlockCount: UInt64 = 0

    init(role: DeviceRole) {
        self.role = role
        row = ScrubRow(lane: LaneIndex(0), role: role)
        items.reserveCapacity(Self.sliceBlockCount)
    }

    /// 0 for flash, 1 for disk.
    static func tier(_ role: DeviceRole) -> Int { role == .flash ? 0 : 1 }
}
