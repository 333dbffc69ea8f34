package import Units

/// Where a lane's mirror lies: a slice behind the last segment of each flash device, one after the
/// other.  Places count on and on; modulo the ring's length they are its blocks.
package struct MirrorRing {
    private struct Slice {
        var device: DeviceIndex
        var firstBlock: UInt64
        var blockCount: Int
    }

    /// A stretch of the ring without a gap on its device.
    package struct Piece {
        package var device: DeviceIndex
        /// Counted on the device.
        package var block: UInt64
        /// Behind the first place that was asked for, in blocks.
        package var offset: Int
        package var blockCount: Int
    }

    private var slices: [Slice] = []
    /// Zero when no device has room.
    package private(set) var blockCount = 0

    package init(lane: LaneIndex, laneCount: Int, devices: [DeviceGeometry]) {
        for device in devices where device.role == .flash {
            let share = device.mirrorBlockCount / laneCount
            guard share > 0 else { continue }
            slices.append(
                Slice(
                    device: device.index,
                    firstBlock: device.firstMirrorBlock + UInt64(lane.rawValue) * UInt64(share),
                    blockCount: share
                )
            )
            blockCount += share
        }
    }

    /// Where `count` blocks from a place on lie; no more than the ring has.
    package func pieces(from place: UInt64, count: Int) -> [Piece] {
        invariant(count <= blockCount, "a stretch of the ring does not meet itself")
        var pieces: [Piece] = []
        var offset = 0
        while offset < count {
            var rest = Int((place + UInt64(offset)) % UInt64(blockCount))
            var slice = 0
            while rest >= slices[slice].blockCount {
                rest -= slices[slice].blockCount
                slice += 1
            }
            let length = min(count - offset, slices[slice].blockCount - rest)
            pieces.append(
                Piece(
                    device: slices[slice].device,
                    block: slices[slice].firstBlock + UInt64(rest),
                    offset: offset,
                    blockCount: length
                )
            )
            offset += length
        }
        return pieces
    }
}
