package import Catalogue
package import Format
package import IO
package import Units

/// The devices of a pool, for who only reads.
package protocol DeviceReader {
    /// Reads whole blocks of a device into `region`; false when the device reports an error.
    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool
}

/// Where recovery reads from.  It only reads: a crash in recovery changes nothing.
package protocol RecoverySource: DeviceReader {
    /// A leaf as the last checkpoint left it; its bytes are empty when there is none.
    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf
    /// Lets time go by, before what was refused is asked for again.
    func pause()
}

extension RecoverySource {
    package func pause() {}
}

/// Why a pool cannot be opened.
package enum RecoveryError: Error, Equatable, Sendable {
    /// The catalogue names a place that no device has.
    case segmentOutside(SegmentAddress)
    case unknownLane(LaneIndex)
    /// A row of the catalogue has a value that no checkpoint writes, or is there twice.
    case rowImpossible(table: StaticName)
    case unknownTree(TreeIdentifier)
    /// A record that was flushed is damaged, header and tail: which blocks it changed is unknown,
    /// and what they read as would be old data.
    ///
    /// - Parameter toldBy: the segment of a record that says that it was durable; nil when the
    ///   catalogue says so.
    case recordLost(lane: LaneIndex, number: RecordNumber, toldBy: SegmentAddress?)
    /// A device was told of a later opening of the pool, or of a later checkpoint, than this
    /// catalogue knows: it was put back from a copy.
    case catalogueOlder(device: DeviceIndex, lane: LaneIndex, has: Age, witnessed: Age)
    /// A device was not told what all devices were: it was put back from a copy.
    case deviceOlder(device: DeviceIndex, has: Age, witnessed: Age)
    /// A device refused blocks and gave them later, or gives nothing any more: what it holds cannot
    /// be told from what it lacks.
    case deviceAway(device: DeviceIndex)
    /// A device takes no witness of the opening, in none of the places.
    case witnessRefused(device: DeviceIndex)
    /// A leaf is damaged in the catalogue.
    case leafDamaged(LeafKey)
    /// The log since the last checkpoint touches more leaves than the lane holds in memory.
    case mapTooSmall(leafCount: Int)
    /// The catalogue does not give a leaf; it is damaged, or its file could not be read.
    case catalogue(String, isDamaged: Bool)
}

/// What recovery found, for the people who started it.
package struct RecoveryReport: Sendable, Equatable {
    package var recordsReplayed = 0
    package var entriesReplayed = 0
    package var segmentsScanned = 0
    /// Segments whose header is damaged and whose first record served instead.
    package var segmentsFromRecord: [SegmentAddress] = []
    /// Segments whose header the device does not give, and in which nothing durable seems to lie.
    package var segmentsRefused: [SegmentAddress] = []
    /// Records whose header was damaged and whose tail served instead.
    package var recordsFromTail = 0
    /// Records behind the last whole one, never acknowledged as durable, that were left out.
    package var recordsDropped = 0
    package init() {}
}
