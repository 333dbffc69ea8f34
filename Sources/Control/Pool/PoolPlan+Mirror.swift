internal import Format
internal import Units

// Room for the mirror of the catalogue: what a flash device has between its last segment and its
// tail.  It gets more of it by being divided into fewer segments.
//
//     | head | segment 0 | ... | last segment | mirror | tail |
//                                              <------>
//                        what was left over, and the segments given up
extension PoolPlan {
    /// The mirror has one byte for so many of all devices.
    private static var mirrorShare: UInt64 { 256 }
    /// What a lane's part of it needs to hold more than its own rounds.
    private static var mirrorByteCountMinPerLane: UInt64 { 4 << 20 }
    /// It has at most one byte for so many of the flash.
    private static var mirrorFlashShare: UInt64 { 8 }

    /// Bytes that the mirror of such a pool should have.
    static func mirrorByteCount(
        flashByteCount: UInt64,
        diskByteCount: UInt64,
        laneCount: Int
    ) -> UInt64 {
        let wanted = max(
            (flashByteCount + diskByteCount) / mirrorShare,
            mirrorByteCountMinPerLane * UInt64(laneCount)
        )
        return min(wanted, flashByteCount / mirrorFlashShare)
    }

    /// The devices, with fewer segments on flash where the mirror needs room.
    ///
    /// Each flash device gives room in proportion to its size.  What all of them give up together
    /// leaves each lane the segments that it needs; where that is not enough, each gives less.
    static func givingRoom(_ devices: [Device], laneCount: Int) -> [Device] {
        let flash = devices.filter { $0.role == .flash }
        let flashByteCount = flash.reduce(0) { $0 + $1.byteCount }
        let wanted = mirrorByteCount(
            flashByteCount: flashByteCount,
            diskByteCount: devices.reduce(0) { $0 + $1.byteCount } - flashByteCount,
            laneCount: laneCount
        )
        let needed = devices.map { device in
            segmentsGiven(by: device, for: wanted, of: flashByteCount)
        }
        let neededCount = needed.reduce(0, +)
        let segmentCount = flash.reduce(0) { $0 + UInt64($1.segmentCount) }
        let kept = UInt64(segmentCountMin(.flash)) * UInt64(laneCount)
        let spare = segmentCount > kept ? segmentCount - kept : 0
        return zip(devices, needed).map { device, needed in
            var device = device
            // Counts of segments are below 2^32 each, and devices at most 32.
            let given = neededCount <= spare ? needed : needed * spare / neededCount
            device.segmentCount -= UInt32(given)
            return device
        }
    }

    /// Segments that a device gives up for its part of a mirror of `wanted` bytes.
    private static func segmentsGiven(
        by device: Device,
        for wanted: UInt64,
        of flashByteCount: UInt64
    ) -> UInt64 {
        guard device.role == .flash else { return 0 }
        let product = wanted.multipliedFullWidth(by: device.byteCount)
        // At most `wanted`, as the device is part of the flash.
        let part = flashByteCount.dividingFullWidth(product).quotient
        let left = device.mirrorByteCount
        guard part > left else { return 0 }
        let segment = UInt64(device.segmentByteCount)
        let count = (part - left + segment - 1) / segment
        // The last segment is given only if the mirror does not get too large by it.
        let isTooMuch = left + count * segment > device.byteCount / mirrorFlashShare
        return min(isTooMuch ? count - 1 : count, UInt64(device.segmentCount))
    }

    /// Whether each lane has the least that its part of the mirror needs, as far as a pool of this
    /// size can have it.
    static func hasRoom(_ devices: [Device], laneCount: Int) -> Bool {
        let flashByteCount = devices.filter { $0.role == .flash }.reduce(0) { $0 + $1.byteCount }
        let least = min(
            mirrorByteCountMinPerLane * UInt64(laneCount),
            flashByteCount / mirrorFlashShare
        )
        return devices.reduce(0) { $0 + $1.mirrorByteCount } >= least
    }
}

extension PoolPlan.Device {
    /// Bytes behind its last segment that the mirror of the catalogue uses; none on disk.
    package var mirrorByteCount: UInt64 {
        guard role == .flash else { return 0 }
        let blockCount = DeviceLayout.mirrorBlockCount(
            deviceByteCount: byteCount,
            segmentByteCount: segmentByteCount,
            segmentCount: segmentCount
        )
        return UInt64(blockCount) * UInt64(Geometry.blockByteCount)
    }
}
