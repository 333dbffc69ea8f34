package import Units

/// How a device is divided into segments.
package struct DeviceGeometry: Sendable, Equatable {
    package var index: DeviceIndex
    package var role: DeviceRole
    package var segmentBlockCount: Int
    package var segmentCount: Int
    /// Blocks behind the last segment that mirrors of the catalogue use; none on disk.
    package var mirrorBlockCount: Int

    /// The first block of segment zero: the first MiB belongs to the superblocks.
    package static var firstSegmentBlock: UInt64 { 256 }

    package init(
        index: DeviceIndex,
        role: DeviceRole,
        segmentBlockCount: Int,
        segmentCount: Int,
        mirrorBlockCount: Int = 0
    ) {
        self.index = index
        self.role = role
        self.segmentBlockCount = segmentBlockCount
        self.segmentCount = segmentCount
        self.mirrorBlockCount = role == .flash ? mirrorBlockCount : 0
    }

    /// The first block of a segment, counted on the device.
    package func firstBlock(of segment: SegmentIndex) -> UInt64 {
        Self.firstSegmentBlock + UInt64(segment.rawValue) * UInt64(segmentBlockCount)
    }

    /// The block behind the last segment.
    package var firstMirrorBlock: UInt64 {
        Self.firstSegmentBlock + UInt64(segmentCount) * UInt64(segmentBlockCount)
    }

    /// Whether a location read from elsewhere lies inside a segment of this device.
    package func contains(_ location: Location) -> Bool {
        location.block >= Self.firstSegmentBlock
            && location.block - Self.firstSegmentBlock
                < UInt64(segmentCount) * UInt64(segmentBlockCount)
    }
}
