internal import Format
internal import Units

// What a device was told of the pool's age: all places of each lane's witness.
extension DeviceInspection {
    private static var witnessColumns: [Column] {
        [
            Column("lane", "LANE", .count, "whose witness"),
            Column("place", "PLACE", .count, "which of its places"),
            Column("number", "NUMBER", .count, "grows with every witness; the higher one counts"),
            Column("incarnation", "INCARNATION", .count, "of the pool: how often it was opened"),
            Column("checkpoint", "CHECKPOINT", .count, "of the lane, counted over all lives"),
            Column("witnessed", "WITNESSED", .count, "one of which all flash devices were told"),
            Column("logText", "LOG", .text, "where it stood then: device:segment, next record"),
            Column(
                "mirrorText",
                "MIRROR",
                .text,
                "first block that counts, and the one behind all"
            ),
            Column("finding", "FINDING", .text, "good, or what is wrong with it"),
        ]
    }

    func witnesses() throws(ControlError) -> Findings {
        let superblock = try source.superblock().superblock
        var items: [JSONValue] = []
        for lane in 0..<min(Int(superblock.laneCount), DeviceLayout.witnessLaneCountMax) {
            for place in 0..<Witness.placeCount {
                items.append(item(LaneIndex(UInt16(lane)), place, superblock))
            }
        }
        let text = try Table(Self.witnessColumns).render(items, TableOptions())
        return Findings(text: text, items: items, isModelled: superblock.model != .none)
    }

    private func item(_ lane: LaneIndex, _ place: Int, _ superblock: Superblock) -> JSONValue {
        let block = DeviceLayout.witnessBlock(lane: lane, place: place)
        var witness: Witness?
        var finding = "cannot be read"
        if let bytes = source.block(at: block * UInt64(Geometry.blockByteCount)) {
            do throws(FormatError) {
                let found = try Witness(decoding: unsafe bytes.span.bytes)
                witness = found
                let isOurs =
                    found.poolIdentifier == superblock.poolIdentifier
                    && found.deviceIdentifier == superblock.deviceIdentifier && found.lane == lane
                finding = isOurs ? "good" : "of another pool, device or lane"
            } catch {
                finding = InspectionText.of(error)
            }
        }
        return .object(
            [
                JSONField("lane", .count(lane.rawValue)), JSONField("place", .count(place)),
                JSONField("finding", .text(finding)),
            ] + fields(of: witness)
        )
    }

    /// What a witness says; each field is there without one, too.
    private func fields(of witness: Witness?) -> [JSONField] {
        func count(_ value: (Witness) -> some FixedWidthInteger) -> JSONValue {
            witness.map { .count(value($0)) } ?? .null
        }
        let segment = witness?.log.segment
        let mirror = witness?.mirror
        return [
            JSONField("number", count(\.number)), JSONField("incarnation", count(\.incarnation)),
            JSONField("checkpoint", count(\.checkpoint)),
            JSONField("witnessed", count(\.witnessed)),
            JSONField("witnessedIncarnation", count(\.witnessedIncarnation)),
            JSONField("logText", .text(orNull: witness.map(Self.text))),
            JSONField("logDevice", .count(orNull: segment.map { Int($0.device.rawValue) })),
            JSONField("logSegment", .count(orNull: segment.map { Int($0.index.rawValue) })),
            JSONField("logSegmentSequence", count(\.log.segmentSequence)),
            JSONField("logBlock", count(\.log.blockOffset)),
            JSONField("logNextRecord", count(\.log.nextRecord.rawValue)),
            JSONField("logEndRecord", count(\.logEnd.rawValue)),
            JSONField("logEndSegmentSequence", count(\.logEndSegment)),
            JSONField("mirrorText", .text(orNull: mirror.map(Self.text))),
            JSONField("mirrorWhole", mirror.map { .boolean($0.begin != nil) } ?? .null),
            JSONField("mirrorBegin", .count(orNull: mirror?.begin)),
            JSONField("mirrorEnd", count(\.mirror.end)),
        ]
    }

    /// Where a log stood.
    private static func text(of witness: Witness) -> String {
        let place = witness.log.segment.map { "\($0.device.rawValue):\($0.index.rawValue)" }
        return "\(place ?? "none"), \(witness.log.nextRecord.rawValue)"
    }

    private static func text(of mirror: MirrorState) -> String {
        guard let begin = mirror.begin else { return "not whole" }
        return "\(begin) to \(mirror.end)"
    }
}
