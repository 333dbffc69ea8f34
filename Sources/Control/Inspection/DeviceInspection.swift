internal import Format
internal import Units

/// Shows what lies on a device.  Reads only.
///
/// A damaged structure is shown as what it is, damaged, and the walk goes on behind it where that
/// is possible.
package struct DeviceInspection: ~Copyable {
    let source: InspectionSource

    package init(path: String) throws(ControlError) { source = try InspectionSource(path: path) }

    package var byteCount: UInt64 { source.byteCount }

    /// What `inspect` answers: text for people, and the same as the items of a document.
    package struct Findings: Sendable {
        package var text: String
        package var items: [JSONValue]
        package var isModelled = false
    }

    package func show(_ target: InspectionTarget) throws(ControlError) -> Findings {
        switch target {
        case .summary, .superblock: return superblock()
        case .witnesses: return try witnesses()
        case .segments: return try segments()
        case .segment(let index): return try segment(index, block: nil, showsEntries: false)
        case .record(let index, let block):
            return try segment(index, block: block, showsEntries: true)
        case .leaf: throw .inspectTarget(text: "leaf of a device: name the pool's catalogue")
        }
    }

    // MARK: Superblock

    private func superblock() -> Findings {
        let offsets = Superblock.offsets(deviceByteCount: source.byteCount)
        let copies = source.superblockCopies()
        var text = "\(source.path): \(ByteCountText.both(source.byteCount))\n"
        if copies.isEmpty { text += "too small to hold a superblock\n" }
        for (offset, copy) in zip(offsets, copies) {
            text +=
                "superblock at byte \(ByteCountText.grouped(offset)): "
                + InspectionText.of(copy) + "\n"
        }
        var items: [JSONValue] = []
        var isModelled = false
        do throws(SuperblockError) {
            let choice = try Superblock.choose(copies: copies)
            isModelled = choice.superblock.model != .none
            text += choice.superblock.inspectionText
            items = [Self.item(choice.superblock, copies: copies, offsets: offsets)]
        } catch {
            text += InspectionText.of(error) + "\n"
            items = [
                [
                    "error": .text(InspectionText.of(error)),
                    "copies": Self.item(copies: copies, offsets: offsets),
                ]
            ]
        }
        return Findings(text: text, items: items, isModelled: isModelled)
    }

    private static func item(copies: [SuperblockCopy], offsets: [UInt64]) -> JSONValue {
        .list(
            zip(offsets, copies).map { offset, copy in
                ["offset": .count(offset), "finding": .text(InspectionText.of(copy))]
            }
        )
    }

    private static func item(
        _ superblock: Superblock,
        copies: [SuperblockCopy],
        offsets: [UInt64]
    ) -> JSONValue {
        [
            "pool": .text(superblock.poolName),
            "poolIdentifier": .text(superblock.poolIdentifier.description),
            "deviceIdentifier": .text(superblock.deviceIdentifier.description),
            "deviceIndex": .count(superblock.deviceIndex.rawValue),
            "role": .text("\(superblock.role)"),
            "byteCount": .count(superblock.deviceByteCount),
            "segmentByteCount": .count(superblock.segmentByteCount),
            "segmentCount": .count(superblock.segmentCount),
            "laneCount": .count(superblock.laneCount),
            "generation": .count(superblock.generation),
            "created": .text(TimeText.utc(seconds: superblock.createdSeconds)),
            "model": superblock.model == .none ? .null : .text("\(superblock.model)"),
            "copies": item(copies: copies, offsets: offsets),
            "devices": .list(
                superblock.devices.map { device in
                    [
                        "index": .count(device.index.rawValue),
                        "identifier": .text(device.identifier.description),
                        "role": .text("\(device.role)"), "byteCount": .count(device.byteCount),
                    ]
                }
            ),
        ]
    }

    // MARK: Segments

    /// Columns of the list of segments.
    private static var segmentColumns: [Column] {
        [
            Column("segment", "SEGMENT", .count, "index on the device"),
            Column("sequence", "SEQUENCE", .count, "grows with every segment that the pool opens"),
            Column("lane", "LANE", .count, "whose log"),
            Column("stream", "STREAM", .text, "host, mature or cold"),
            Column("firstRecord", "FIRST RECORD", .count, "number of its first record"),
            Column("opened", "OPENED", .text, "when it was opened, UTC"),
        ]
    }

    private func segments() throws(ControlError) -> Findings {
        let superblock = try source.superblock().superblock
        var items: [JSONValue] = []
        var badCount = 0
        for index in 0..<superblock.segmentCount {
            let address = SegmentAddress(
                device: superblock.deviceIndex,
                index: SegmentIndex(index)
            )
            switch header(address, superblock) {
            case .success(let header): items.append(Self.item(header))
            case .failure(.noMagic): continue
            case .failure: badCount += 1
            }
        }
        var text = try Table(Self.segmentColumns).render(items, TableOptions())
        text +=
            "\(items.count) of \(superblock.segmentCount) segments have a header"
            + (badCount > 0 ? ", \(badCount) a damaged one" : "") + "\n"
        return Findings(text: text, items: items, isModelled: superblock.model != .none)
    }

    private func header(
        _ address: SegmentAddress,
        _ superblock: Superblock
    ) -> Result<SegmentHeader, FormatError> {
        let offset = DeviceLayout.offset(
            of: address.index,
            segmentByteCount: superblock.segmentByteCount
        )
        guard let block = source.block(at: offset) else {
            return .failure(.truncated(structure: "segment", needed: 4096, found: 0))
        }
        do throws(FormatError) {
            let header = try SegmentHeader(decoding: unsafe block.span.bytes)
            try header.check(
                pool: superblock.poolIdentifier,
                device: superblock.deviceIdentifier,
                address: address
            )
            return .success(header)
        } catch {
            return .failure(error)
        }
    }

    private static func item(_ header: SegmentHeader) -> JSONValue {
        [
            "segment": .count(header.segmentIndex.rawValue),
            "sequence": .count(header.segmentSequence), "lane": .count(header.lane.rawValue),
            "stream": .text("\(header.stream)"),
            "firstRecord": .count(header.firstRecord.rawValue),
            "opened": .text(TimeText.utc(seconds: header.openedSeconds)),
        ]
    }

    // MARK: Records

    private func segment(
        _ index: UInt32,
        block wanted: UInt32?,
        showsEntries: Bool
    ) throws(ControlError) -> Findings {
        let superblock = try source.superblock().superblock
        guard index < superblock.segmentCount else {
            throw .format(
                place: source.path,
                error: FormatText(
                    "no segment \(index): the device has \(superblock.segmentCount)"
                )
            )
        }
        let address = SegmentAddress(device: superblock.deviceIndex, index: SegmentIndex(index))
        let header: SegmentHeader
        switch self.header(address, superblock) {
        case .success(let found): header = found
        case .failure(let error):
            throw .format(
                place: "\(source.path) segment \(index)",
                error: FormatText(InspectionText.of(error))
            )
        }
        var text = header.describe() + "\n"
        var records: [JSONValue] = []
        let walk = RecordWalk(
            header: header,
            segmentByteCount: superblock.segmentByteCount,
            start: DeviceLayout.offset(
                of: address.index,
                segmentByteCount: superblock.segmentByteCount
            )
        )
        walk.run(over: source) { record in
            guard wanted == nil || wanted == record.header.blockOffset else { return }
            text += record.text(showsEntries: showsEntries)
            records.append(record.item(showsEntries: showsEntries))
        }
        if let wanted, records.isEmpty {
            throw .format(
                place: "\(source.path) segment \(index)",
                error: FormatText("no record begins at block \(wanted)")
            )
        }
        text += "\(records.count) record\(records.count == 1 ? "" : "s")\n"
        return Findings(text: text, items: records, isModelled: superblock.model != .none)
    }
}

extension Superblock {
    /// The chosen superblock for people.
    var inspectionText: String {
        var text = InspectionText.fields([
            ("pool", "\(poolName) \(poolIdentifier)"),
            ("device", "\(deviceIdentifier), \(role) \(deviceIndex.rawValue)"),
            ("size", ByteCountText.both(deviceByteCount)),
            (
                "segments",
                "\(ByteCountText.grouped(UInt64(segmentCount))) of "
                    + ByteCountText.short(UInt64(segmentByteCount))
            ),
            ("lanes", "\(laneCount)"), ("generation", "\(generation)"),
            ("created", TimeText.utc(seconds: createdSeconds)),
            ("model", model == .none ? "-" : "\(model) (modelled)"),
        ])
        for device in devices {
            text += InspectionText.fields([
                (
                    "  device \(device.index.rawValue)",
                    "\(device.identifier), \(device.role), \(ByteCountText.short(device.byteCount))"
                )
            ])
        }
        return text
    }
}
