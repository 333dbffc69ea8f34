/// Everything that makes one kind of hard disk different from another.
///
/// All times are nanoseconds.  A profile is data only; `DiskModel` gives it a state.
package struct DiskProfile: Sendable {
    /// One band of cylinders with the same number of sectors on every track.
    package struct Zone: Sendable {
        package var cylinderCount: Int
        package var sectorsPerTrack: Int
        /// Sectors by which the next track of the cylinder is turned against the one before, so
        /// that a run goes on without a lost revolution once the head has switched.
        package var trackSkew: Int
        /// The same for the first track of the next cylinder.
        package var cylinderSkew: Int

        package init(
            cylinderCount: Int,
            sectorsPerTrack: Int,
            trackSkew: Int,
            cylinderSkew: Int
        ) {
            self.cylinderCount = cylinderCount
            self.sectorsPerTrack = sectorsPerTrack
            self.trackSkew = trackSkew
            self.cylinderSkew = cylinderSkew
        }
    }

    /// How long the arm takes to cross cylinders and settle.
    package enum SeekCurve: Sendable {
        /// `settle + stroke * sqrt(x)`, x being the part of all cylinders that is crossed, not
        /// counting the first: a move to the next cylinder takes `settle`.
        case squareRoot(settle: UInt64, stroke: UInt64)
        /// `a + b sqrt(d)` up to `threshold` cylinders, `c + e d` from there; the first distances
        /// from a list.  In nanoseconds.
        case twoPieces(
            first: [UInt64],
            threshold: Int,
            a: Double,
            b: Double,
            c: Double,
            e: Double
        )
        /// Measured points with rising distances, straight lines between them.
        case measured(distances: [Int], times: [UInt64])
    }

    /// What comes first in every printed figure of a device with this profile.
    package var name: String
    package var sectorByteCount: Int
    package var rotation: UInt64
    package var surfaceCount: Int
    package var zones: [Zone]
    package var seek: SeekCurve
    /// To another surface of the same cylinder.
    package var headSwitch: UInt64
    /// What a write adds to every move of the arm: it may not begin before the head is quite still.
    package var writeSettle: UInt64

    /// From the arrival of a command to the start of its positioning, when the disk is idle.
    package var readOverhead: UInt64
    package var writeOverhead: UInt64
    /// From the arrival of a command that the buffer can serve to the transfer of its first byte.
    package var bufferReadOverhead: UInt64
    package var bufferWriteOverhead: UInt64
    /// To move one sector over the interface.
    package var sectorTransfer: UInt64
    /// Part of a read, in percent, that must be in the buffer before its transfer begins.
    package var readStartPercent: Int = 0
    /// Part of a write, in percent, that must be in the buffer before it goes to the platter.
    package var writeStartPercent: Int = 100

    /// Parts of the buffer for reading, and bytes in each.
    package var readSegmentCount: Int
    package var readSegmentByteCount: Int
    /// Bytes that are read ahead of a run of reads; a lone read is read ahead to its track's end.
    package var readAheadByteCount: Int
    /// Reads ahead as far after a lone read as in a run.
    package var readsAheadAlways: Bool

    /// Bytes of writes that may be answered before they are on the platter; zero: no write cache.
    package var writeBufferByteCount: Int
    /// Separate runs that the write buffer can hold.
    package var writeRunCountMax: Int

    /// Commands that the disk itself looks at; more wait before it.
    package var queueDepth: Int
    /// Between the end of one command and the choice of the next, when some wait.
    package var turnaround: UInt64 = 100_000
    /// A command that has waited longer than this is preferred, the more the longer: shortest
    /// positioning time first alone would let it starve.
    package var deadline: UInt64

    /// Part of all seconds, in a million, in which the mechanism takes `slowFactor` times as long.
    package var slowSecondsPerMillion: Int = 0
    package var slowFactor: Int = 1

    package init(
        name: String,
        sectorByteCount: Int,
        rotation: UInt64,
        surfaceCount: Int,
        zones: [Zone],
        seek: SeekCurve,
        headSwitch: UInt64,
        writeSettle: UInt64,
        readOverhead: UInt64,
        writeOverhead: UInt64,
        bufferReadOverhead: UInt64,
        bufferWriteOverhead: UInt64,
        sectorTransfer: UInt64,
        readSegmentCount: Int,
        readSegmentByteCount: Int,
        readAheadByteCount: Int,
        readsAheadAlways: Bool,
        writeBufferByteCount: Int,
        writeRunCountMax: Int,
        queueDepth: Int,
        deadline: UInt64
    ) {
        self.name = name
        self.sectorByteCount = sectorByteCount
        self.rotation = rotation
        self.surfaceCount = surfaceCount
        self.zones = zones
        self.seek = seek
        self.headSwitch = headSwitch
        self.writeSettle = writeSettle
        self.readOverhead = readOverhead
        self.writeOverhead = writeOverhead
        self.bufferReadOverhead = bufferReadOverhead
        self.bufferWriteOverhead = bufferWriteOverhead
        self.sectorTransfer = sectorTransfer
        self.readSegmentCount = readSegmentCount
        self.readSegmentByteCount = readSegmentByteCount
        self.readAheadByteCount = readAheadByteCount
        self.readsAheadAlways = readsAheadAlways
        self.writeBufferByteCount = writeBufferByteCount
        self.writeRunCountMax = writeRunCountMax
        self.queueDepth = queueDepth
        self.deadline = deadline
    }
}

extension DiskProfile {
    /// A 7,200 rpm nearline disk of today, scaled to `byteCount`.
    ///
    /// The whole address range spans the whole stroke, whatever the size: a small modelled disk is
    /// not the fast outer rim of a large one, so random access costs the same 11.6 ms and the last
    /// address is at the slow inner edge.  What shrinks is the number of cylinders; the length of a
    /// track, and with it every sequential rate, stays that of the real disk.  The price: two
    /// addresses a given number of bytes apart are a larger part of the stroke apart than on a
    /// large disk, so near seeks are dearer than they would be there.
    ///
    /// - Parameter hasWriteCache: false answers a write when it is on the platter.
    package static func hdd7200(byteCount: UInt64, hasWriteCache: Bool = true) -> DiskProfile {
        let rotation: UInt64 = 8_333_333
        let sectorByteCount = 4096
        let settle: UInt64 = 600_000
        let (zones, surfaceCount) = scaledZones(
            byteCount: byteCount,
            sectorByteCount: sectorByteCount,
            rotation: rotation,
            settle: settle
        )
        return DiskProfile(
            name: "hdd7200 (modelled)",
            sectorByteCount: sectorByteCount,
            rotation: rotation,
            surfaceCount: surfaceCount,
            zones: zones,
            // 0.6 + 12.75 x 8/15, the mean root of the distance of two random places: 7.4 ms.
            seek: .squareRoot(settle: settle, stroke: 12_750_000),
            headSwitch: settle,
            writeSettle: 500_000,
            readOverhead: 20_000,
            writeOverhead: 20_000,
            bufferReadOverhead: 100_000,
            bufferWriteOverhead: 100_000,
            // 4096 bytes at 550 MB/s.
            sectorTransfer: 7_447,
            // 256 MiB: half for reading, in 32 parts, half for writing.
            readSegmentCount: 32,
            readSegmentByteCount: 4 << 20,
            readAheadByteCount: 4 << 20,
            readsAheadAlways: false,
            writeBufferByteCount: hasWriteCache ? 128 << 20 : 0,
            writeRunCountMax: 4096,
            queueDepth: 32,
            deadline: 250_000_000
        )
    }

    /// Zones whose rate falls in a straight line from 285 MB/s outside to 130 MB/s inside, with as
    /// many cylinders as `byteCount` needs.
    private static func scaledZones(
        byteCount: UInt64,
        sectorByteCount: Int,
        rotation: UInt64,
        settle: UInt64
    ) -> (zones: [Zone], surfaceCount: Int) {
        let outerRate = 285e6
        let innerRate = 130e6
        let trackByteCountMean = (outerRate + innerRate) / 2 * Double(rotation) / 1e9
        let trackCount = max(1, (Double(byteCount) / trackByteCountMean).rounded(.up))
        // As many surfaces as a large disk has, but at least a thousand cylinders where it can be.
        let surfaceCount = max(1, min(16, Int(trackCount) / 1024))
        let cylinderCount = Int((trackCount / Double(surfaceCount)).rounded(.up))
        let zoneCount = min(32, cylinderCount)
        var zones: [Zone] = []
        var sectorCount = 0
        for index in 0..<zoneCount {
            let first = cylinderCount * index / zoneCount
            let next = cylinderCount * (index + 1) / zoneCount
            let place = (Double(first + next) / 2) / Double(cylinderCount)
            let rate = outerRate + (innerRate - outerRate) * place
            let sectors = Int(rate * Double(rotation) / 1e9 / Double(sectorByteCount))
            let skew = Int((Double(settle) / Double(rotation) * Double(sectors)).rounded(.up)) + 1
            zones.append(
                Zone(
                    cylinderCount: next - first,
                    sectorsPerTrack: sectors,
                    trackSkew: skew,
                    cylinderSkew: skew
                )
            )
            sectorCount += (next - first) * surfaceCount * sectors
        }
        // Rounding may have lost some sectors: the innermost zone takes what is missing.
        let missing = Int(byteCount / UInt64(sectorByteCount)) - sectorCount
        if missing > 0 {
            let perCylinder = zones[zoneCount - 1].sectorsPerTrack * surfaceCount
            zones[zoneCount - 1].cylinderCount += (missing + perCylinder - 1) / perCylinder
        }
        return (zones, surfaceCount)
    }
}
