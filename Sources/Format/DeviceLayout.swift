package import Units

// Where things lie on a device of n bytes.
//
//     byte                      what
//     0                         superblock, copy 0
//     64 KiB                    superblock, copy 1
//     128 KiB                   witnesses of the lanes, a block each, first place
//     352, 576, 800 KiB         the same, second to fourth place
//     1 MiB                     segment 0, then one behind the other
//     behind the last segment   of flash: the mirror of the catalogue
//     n - 1 MiB at the latest   its end
//     n - 128 KiB               superblock, copy 2; rounded down to 4 KiB
//     n - 64 KiB                superblock, copy 3; rounded down to 4 KiB

/// Where superblocks and segments lie on a device.
package enum DeviceLayout {
    /// Bytes before the first segment.
    package static var headByteCount: UInt64 { 1 << 20 }
    /// Bytes behind the last segment, at least.
    package static var tailByteCount: UInt64 { 1 << 20 }
    /// Copies of the superblock.
    package static var superblockCount: Int { 4 }

    /// Blocks of the smallest segment: its header, and a record with one block of data.
    package static var segmentBlockCountMin: Int { 2 + RecordHeader.overheadBlockCount }

    /// Lanes whose witnesses have room: a block each.
    package static var witnessLaneCountMax: Int { 56 }

    /// The device block of a lane's witness.  Its places lie apart: damage comes in clusters.
    package static func witnessBlock(lane: LaneIndex, place: Int) -> UInt64 {
        invariant(Int(lane.rawValue) < witnessLaneCountMax, "every lane has room for a witness")
        invariant(place < Witness.placeCount, "a witness has so many places")
        return UInt64(32 + place * witnessLaneCountMax) + UInt64(lane.rawValue)
    }

    /// Whether a block of a device is kept for witnesses.
    package static func isWitness(block: UInt64) -> Bool {
        block >= 32 && block < UInt64(32 + Witness.placeCount * witnessLaneCountMax)
    }

    /// Blocks between the last segment of a device and its last MiB: on flash, the mirror's.
    ///
    /// - Parameter deviceByteCount: its size when it joined the pool.
    package static func mirrorBlockCount(
        deviceByteCount: UInt64,
        segmentByteCount: UInt32,
        segmentCount: UInt32
    ) -> Int {
        let used =
            headByteCount + tailByteCount + UInt64(segmentCount) * UInt64(segmentByteCount)
        guard deviceByteCount > used else { return 0 }
        return Int((deviceByteCount - used) / UInt64(Geometry.blockByteCount))
    }

    /// Where the copies of the superblock lie, in bytes; none on a device that is too small.
    package static func superblockOffsets(deviceByteCount: UInt64) -> [UInt64] {
        guard deviceByteCount >= headByteCount + tailByteCount else { return [] }
        let block = UInt64(Geometry.blockByteCount)
        return [0, 64 << 10, deviceByteCount - (128 << 10), deviceByteCount - (64 << 10)]
            .map { $0 / block * block }
    }

    /// How many segments of `segmentByteCount` bytes a device has room for; 0 when it is too small.
    package static func segmentCount(deviceByteCount: UInt64, segmentByteCount: UInt32) -> UInt32 {
        guard segmentByteCount > 0, deviceByteCount >= headByteCount + tailByteCount else {
            return 0
        }
        let room = deviceByteCount - headByteCount - tailByteCount
        return UInt32(clamping: room / UInt64(segmentByteCount))
    }

    /// The first byte of a segment.  Never overflows: 2^32 segments of 2^32 bytes end below 2^64,
    /// for a device that holds them.
    package static func offset(of segment: SegmentIndex, segmentByteCount: UInt32) -> UInt64 {
        headByteCount + UInt64(segment.rawValue) * UInt64(segmentByteCount)
    }

    /// The device block at which a segment begins.
    package static func block(of segment: SegmentIndex, segmentByteCount: UInt32) -> UInt64 {
        offset(of: segment, segmentByteCount: segmentByteCount) / UInt64(Geometry.blockByteCount)
    }
}
