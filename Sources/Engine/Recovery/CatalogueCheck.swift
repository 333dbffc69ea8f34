internal import Catalogue
internal import Format
internal import Units

/// Refuses a catalogue that names what the pool does not have, before anything is built from it.
///
/// SQLite holds rows without a checksum, and a catalogue may come from elsewhere: each number that
/// is an index, a count or a size here was looked at.
struct CatalogueCheck {
    let laneCount: Int
    let devices: [DeviceGeometry]

    func check(_ contents: CatalogueContents) throws(RecoveryError) {
        for row in contents.segments { try check(row) }
        for position in contents.positions {
            try check(position)
            guard let address = position.segment else { continue }
            let isKnown = contents.segments.contains { row in
                row.address == address && row.lane == position.lane && row.stream == .host
                    && row.sequence == position.segmentSequence
            }
            guard isKnown else { throw .rowImpossible(table: "positions") }
        }
        for end in contents.logEnds {
            try check(end.lane)
            guard isRecord(end.nextRecord), end.incarnation <= contents.incarnation,
                end.segmentSequence >> 32 < max(1, end.incarnation)
            else {
                throw .rowImpossible(table: "log_ends")
            }
        }
        try check(contents.volumes)
        let trees = Set(contents.volumes.map(\.tree))
        let leafCountMax = Geometry.volumeByteCountMax / UInt64(Geometry.leafByteCount)
        for key in contents.leafKeys {
            guard trees.contains(key.tree) else { throw .unknownTree(key.tree) }
            guard key.index < leafCountMax else { throw .leafDamaged(key) }
        }
    }

    /// The device that a place is on.
    private func device(of address: SegmentAddress) throws(RecoveryError) -> DeviceGeometry {
        let device = Int(address.device.rawValue)
        guard device < devices.count,
            Int(address.index.rawValue) < devices[device].segmentCount
        else { throw .segmentOutside(address) }
        return devices[device]
    }

    private func check(_ lane: LaneIndex) throws(RecoveryError) {
        guard Int(lane.rawValue) < laneCount else { throw .unknownLane(lane) }
    }

    private func check(_ row: SegmentRow) throws(RecoveryError) {
        let device = try device(of: row.address)
        try check(row.lane)
        let role: DeviceRole = row.stream == .cold ? .disk : .flash
        // Far more references than there are, and room to count on; those to copies lie in what was
        // written.
        guard device.role == role, row.liveBlockCount <= UInt32.max / 2,
            Int(row.writtenBlockCount) <= device.segmentBlockCount,
            row.stream == .host || row.liveBlockCount <= row.writtenBlockCount
        else {
            throw .rowImpossible(table: "segments")
        }
    }

    /// Whether a log can have come so far.
    private func isRecord(_ number: RecordNumber) -> Bool {
        number.rawValue > 0 && number.rawValue < .max >> 1
    }

    private func check(_ position: LanePosition) throws(RecoveryError) {
        try check(position.lane)
        guard isRecord(position.nextRecord), position.checkpoint < .max >> 1,
            position.witnessed <= position.checkpoint, position.mirror.end < .max >> 1,
            position.mirror.begin ?? 0 <= position.mirror.end
        else { throw .rowImpossible(table: "positions") }
        let ring = MirrorRing(lane: position.lane, laneCount: laneCount, devices: devices)
        if let begin = position.mirror.begin,
            position.mirror.end - begin > UInt64(ring.blockCount)
        {
            throw .rowImpossible(table: "positions")
        }
        guard let segment = position.segment else { return }
        let device = try device(of: segment)
        guard device.role == .flash, Int(position.blockOffset) <= device.segmentBlockCount else {
            throw .rowImpossible(table: "positions")
        }
    }

    private func check(_ volumes: [VolumeRow]) throws(RecoveryError) {
        let blockCountMax = Geometry.volumeByteCountMax / UInt64(Geometry.blockByteCount)
        var identifiers: Set<VolumeIdentifier> = []
        var trees: Set<TreeIdentifier> = []
        for row in volumes {
            try check(row.lane)
            guard row.byteCount <= Geometry.volumeByteCountMax, NameText.isStorable(row.name),
                row.ownedBlockCount <= blockCountMax,
                identifiers.insert(row.identifier).inserted, trees.insert(row.tree).inserted
            else { throw .rowImpossible(table: "volumes") }
        }
    }
}
