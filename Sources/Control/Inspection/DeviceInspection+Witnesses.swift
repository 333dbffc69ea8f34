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
        return [
            "lane": .count(lane.rawValue), "place": .count(place),
            "number": witness.map { .count($0.number) } ?? .null,
            "incarnation": witness.map { .count($0.incarnation) } ?? .null,
            "checkpoint": witness.map { .count($0.checkpoint) } ?? .null,
            "finding": .text(finding),
        ]
    }
}
