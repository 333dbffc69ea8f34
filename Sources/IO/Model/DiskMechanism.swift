internal import Units

/// The arm and the platters of a modelled disk: where the heads are, and how long it takes from
/// there to any sector and over any run of sectors.
///
/// The platter's angle is the time modulo the rotation, for ever: it is never reset, so what a
/// request costs depends on when it comes, as on a real disk.
struct DiskMechanism: Sendable {
    /// One track, and the angle (as a time, 0..<rotation) at which its first sector begins.
    struct Track {
        var cylinder: Int
        var surface: Int
        var firstSector: UInt64
        var sectorCount: Int
        var angle: UInt64
        /// From the end of this track's last sector to the start of the next track's first one.
        var skew: UInt64
    }

    private struct ZoneStart {
        var firstSector: UInt64
        var firstCylinder: Int
        var zone: DiskProfile.Zone
    }

    let profile: DiskProfile
    let sectorCount: UInt64
    let cylinderCount: Int
    private let zones: [ZoneStart]

    private var cylinder = 0
    private var surface = 0
    /// The sector after the last one that passed under the head.
    private(set) var nextSector: UInt64 = 0

    init(profile: DiskProfile) {
        invariant(!profile.zones.isEmpty, "a disk has a zone")
        self.profile = profile
        var starts: [ZoneStart] = []
        var sector: UInt64 = 0
        var cylinder = 0
        for zone in profile.zones {
            invariant(zone.sectorsPerTrack > 0 && zone.cylinderCount > 0, "a zone has tracks")
            starts.append(ZoneStart(firstSector: sector, firstCylinder: cylinder, zone: zone))
            let perCylinder = zone.sectorsPerTrack * profile.surfaceCount
            sector += UInt64(zone.cylinderCount * perCylinder)
            cylinder += zone.cylinderCount
        }
        zones = starts
        sectorCount = sector
        cylinderCount = cylinder
    }

    // MARK: Geometry

    /// The track that holds `sector`; sectors beyond the end count as the last one.
    func track(of sector: UInt64) -> Track {
        let sector = min(sector, sectorCount - 1)
        var index = zones.count - 1
        while zones[index].firstSector > sector { index -= 1 }
        let start = zones[index]
        let zone = start.zone
        let perTrack = UInt64(zone.sectorsPerTrack)
        let trackIndex = Int((sector - start.firstSector) / perTrack)
        let cylinder = trackIndex / profile.surfaceCount
        let surface = trackIndex % profile.surfaceCount
        let cylinderTurn = zone.cylinderSkew + (profile.surfaceCount - 1) * zone.trackSkew
        let skewSectors = cylinder * cylinderTurn + surface * zone.trackSkew
        let isLastSurface = surface == profile.surfaceCount - 1
        return Track(
            cylinder: start.firstCylinder + cylinder,
            surface: surface,
            firstSector: start.firstSector + UInt64(trackIndex) * perTrack,
            sectorCount: zone.sectorsPerTrack,
            angle: angle(ofSectors: skewSectors % zone.sectorsPerTrack, of: zone.sectorsPerTrack),
            skew: angle(
                ofSectors: isLastSurface ? zone.cylinderSkew : zone.trackSkew,
                of: zone.sectorsPerTrack
            )
        )
    }

    private func angle(ofSectors count: Int, of sectorsPerTrack: Int) -> UInt64 {
        UInt64(count) * profile.rotation / UInt64(sectorsPerTrack)
    }

    // MARK: Time

    /// From the command to the moment at which the head is over `track` and quiet.
    private func seekTime(to track: Track, isWrite: Bool) -> UInt64 {
        let distance = abs(track.cylinder - cylinder)
        if distance == 0 && track.surface == surface { return 0 }
        let move =
            distance == 0
            ? profile.headSwitch : max(profile.headSwitch, seekTime(across: distance))
        return isWrite ? move + profile.writeSettle : move
    }

    /// The seek curve itself, for one cylinder and more.
    func seekTime(across distance: Int) -> UInt64 {
        switch profile.seek {
        case .squareRoot(let settle, let stroke):
            let part = Double(distance - 1) / Double(max(1, cylinderCount))
            return settle + UInt64(Double(stroke) * part.squareRoot())
        case .twoPieces(let first, let threshold, let a, let b, let c, let e):
            if distance <= first.count { return first[distance - 1] }
            let length = Double(distance)
            return UInt64(distance < threshold ? a + b * length.squareRoot() : c + e * length)
        case .measured(let distances, let times):
            return Self.interpolated(distance, distances, times)
        }
    }

    private static func interpolated(
        _ distance: Int,
        _ distances: [Int],
        _ times: [UInt64]
    ) -> UInt64 {
        guard let upper = distances.firstIndex(where: { $0 >= distance }) else {
            return times.last ?? 0
        }
        guard upper > 0, distances[upper] != distance else { return times[upper] }
        let span = Double(distances[upper] - distances[upper - 1])
        let part = Double(distance - distances[upper - 1]) / span
        return UInt64(Double(times[upper - 1]) * (1 - part) + Double(times[upper]) * part)
    }

    /// From `instant` to the moment at which `sector` begins to pass under a quiet head, not before
    /// `ready`, when a write's data is there.
    func positioningTime(
        to sector: UInt64,
        isWrite: Bool,
        at instant: UInt64,
        ready: UInt64 = 0
    ) -> UInt64 {
        let target = track(of: sector)
        let angle = (target.angle + sectorTime(sector, on: target)) % profile.rotation
        // Going on where the last transfer ended, the skew alone covers the switch.
        let isNext = sector == nextSector
        let move = isNext ? 0 : seekTime(to: target, isWrite: isWrite)
        let seek = max(move, ready > instant ? ready - instant : 0)
        let arrival = (instant + seek) % profile.rotation
        let wait = (angle + profile.rotation - arrival) % profile.rotation
        // Sector times are rounded to nanoseconds: a sector that has just begun is not missed.
        let tolerance: UInt64 = 1000
        return seek + (wait > profile.rotation - tolerance ? 0 : wait)
    }

    private func sectorTime(_ sector: UInt64, on track: Track) -> UInt64 {
        (sector - track.firstSector) * profile.rotation / UInt64(track.sectorCount)
    }

    /// From the moment at which `sector` begins to pass under the head to the end of `count`
    /// sectors, with the switches between tracks.
    func transferTime(from sector: UInt64, count: UInt64) -> UInt64 {
        var time: UInt64 = 0
        var sector = sector
        var left = count
        while left > 0 && sector < sectorCount {
            let track = track(of: sector)
            let here = min(left, track.firstSector + UInt64(track.sectorCount) - sector)
            time += here * profile.rotation / UInt64(track.sectorCount)
            left -= here
            sector += here
            if left > 0 { time += track.skew }
        }
        return time
    }

    /// How many sectors from `sector` on pass under the head within `time`, at most `countMax`.
    func sectorsPassed(from sector: UInt64, within time: UInt64, countMax: UInt64) -> UInt64 {
        var left = time
        var count: UInt64 = 0
        while count < countMax && sector + count < sectorCount {
            let track = track(of: sector + count)
            let onTrack = track.firstSector + UInt64(track.sectorCount) - sector - count
            let here = min(onTrack, countMax - count)
            let needed = here * profile.rotation / UInt64(track.sectorCount)
            if left < needed {
                return count + left * UInt64(track.sectorCount) / profile.rotation
            }
            count += here
            left -= needed
            guard left > track.skew else { break }
            left -= track.skew
        }
        return count
    }

    /// Sectors from `sector` to the end of its track.
    func sectorsToTrackEnd(from sector: UInt64) -> UInt64 {
        guard sector < sectorCount else { return 0 }
        let track = track(of: sector)
        return track.firstSector + UInt64(track.sectorCount) - sector
    }

    /// Leaves the head after `sector - 1`.
    mutating func settle(before sector: UInt64) {
        let track = track(of: max(1, sector) - 1)
        cylinder = track.cylinder
        surface = track.surface
        nextSector = sector
    }
}
