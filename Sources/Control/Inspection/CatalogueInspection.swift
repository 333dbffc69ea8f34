internal import Catalogue
internal import Format
internal import Foundation
internal import Units

/// Shows what a catalogue holds, by way of a copy: the file itself is never opened for writing.
///
/// Refused while a process has the pool open, since a copy of a file that changes tells nothing.
package struct CatalogueInspection {
    package typealias Findings = DeviceInspection.Findings

    private let path: String

    package init(path: String) { self.path = path }

    /// Whether the file begins as a database does.
    package static func isCatalogue(_ path: String) -> Bool {
        guard let handle = FileHandle(forReadingAtPath: path) else { return false }
        defer { handle.closeFile() }
        return handle.readData(ofLength: 16).elementsEqual(Array("SQLite format 3\0".utf8))
    }

    package func show(_ target: InspectionTarget) throws(ControlError) -> Findings {
        let folder = NSTemporaryDirectory() + "/isotherm-inspect-" + UUID().uuidString
        defer {
            // A copy that cannot be removed is no reason to hide what it showed.
            try? FileManager.default.removeItem(atPath: folder)
        }
        try copy(to: folder)
        let catalogue = try ControlError.converting { () throws(CatalogueError) in
            try Catalogue(openingAt: folder + "/catalogue.sqlite")
        }
        let findings = try show(target, in: catalogue)
        try ControlError.converting { () throws(CatalogueError) in try catalogue.close() }
        return findings
    }

    /// The database and its log, which may hold what was committed last.
    private func copy(to folder: String) throws(ControlError) {
        let directory = PathText.absolute(path).split(separator: "/").dropLast()
        let socket = "/" + directory.joined(separator: "/") + "/control.sock"
        guard !ControlClient(path: socket).isReachable else {
            throw .poolServed(name: directory.last.map(String.init) ?? path, processIdentifier: nil)
        }
        do {
            let files = FileManager.default
            try files.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            for suffix in ["", "-wal"] where files.fileExists(atPath: path + suffix) {
                try files.copyItem(
                    atPath: path + suffix,
                    toPath: folder + "/catalogue.sqlite" + suffix
                )
            }
        } catch {
            throw .system(what: path, reason: error.localizedDescription)
        }
    }

    private func show(
        _ target: InspectionTarget,
        in catalogue: Catalogue
    ) throws(ControlError) -> Findings {
        let contents = try ControlError.converting { () throws(CatalogueError) in
            try catalogue.contents()
        }
        switch target {
        case .summary: return summary(catalogue, contents)
        case .segments: return try segments(contents)
        case .leaf(let tree, nil): return try leaves(of: TreeIdentifier(tree), contents)
        case .leaf(let tree, let index?):
            let key = LeafKey(tree: TreeIdentifier(tree), index: index)
            return try leaf(key, in: catalogue)
        case .superblock, .witnesses, .segment, .record:
            throw .inspectTarget(text: "\(target) of a catalogue: name a device")
        }
    }

    // MARK: What the pool consists of

    private func summary(_ catalogue: Catalogue, _ contents: CatalogueContents) -> Findings {
        let pool = catalogue.pool
        var text =
            "catalogue of pool \(pool.name)\n"
            + InspectionText.fields([
                ("pool", pool.identifier.description), ("lanes", "\(pool.laneCount)"),
                ("created", TimeText.utc(seconds: pool.createdSeconds)),
                ("incarnation", "\(contents.incarnation)"),
                ("segments in use", "\(contents.segments.count)"),
                ("leaves", "\(contents.leafKeys.count)"),
                ("closed", catalogue.wasClosedCleanly ? "in order" : "hard; its log was replayed"),
            ])
        for device in catalogue.devices {
            text +=
                "device \(device.index.rawValue): \(device.role) \(device.path), "
                + ByteCountText.short(device.byteCount)
                + (device.model.map { ", \($0) (modelled)" } ?? "") + "\n"
        }
        for volume in contents.volumes {
            text +=
                "volume \(volume.name): \(ByteCountText.short(volume.byteCount)), "
                + "lane \(volume.lane.rawValue), tree \(volume.tree.rawValue), "
                + "\(volume.state), owns \(volume.ownedBlockCount) blocks\n"
        }
        for position in contents.positions {
            let place = position.segment.map { segment in
                "device \(segment.device.rawValue) segment \(segment.index.rawValue) "
                    + "block \(position.blockOffset)"
            }
            text +=
                "lane \(position.lane.rawValue): replay starts at record "
                + "\(position.nextRecord.rawValue), \(place ?? "no segment yet")\n"
        }
        let item: JSONValue = [
            "pool": .text(pool.name), "identifier": .text(pool.identifier.description),
            "incarnation": .count(contents.incarnation),
            "segmentCount": .count(contents.segments.count),
            "leafCount": .count(contents.leafKeys.count),
            "volumes": .list(
                contents.volumes.map { volume in
                    [
                        "name": .text(volume.name), "byteCount": .count(volume.byteCount),
                        "lane": .count(volume.lane.rawValue), "tree": .count(volume.tree.rawValue),
                        "state": .text("\(volume.state)"),
                    ]
                }
            ),
        ]
        return Findings(
            text: text,
            items: [item],
            isModelled: catalogue.devices.contains { $0.model != nil }
        )
    }

    private func segments(_ contents: CatalogueContents) throws(ControlError) -> Findings {
        let columns = [
            Column("device", "DEVICE", .count, "index of the device"),
            Column("segment", "SEGMENT", .count, "index on the device"),
            Column("lane", "LANE", .count, "whose it is"),
            Column("stream", "STREAM", .text, "host, mature or cold"),
            Column("sequence", "SEQUENCE", .count, "names this use of the segment"),
            Column("liveBlockCount", "LIVE BLOCKS", .count, "blocks that leaves refer to"),
            Column("writtenBlockCount", "WRITTEN BLOCKS", .count, "blocks that records were given"),
        ]
        let items: [JSONValue] = contents.segments.map { row in
            [
                "device": .count(row.address.device.rawValue),
                "segment": .count(row.address.index.rawValue),
                "lane": .count(row.lane.rawValue), "stream": .text("\(row.stream)"),
                "sequence": .count(row.sequence), "liveBlockCount": .count(row.liveBlockCount),
                "writtenBlockCount": .count(row.writtenBlockCount),
            ]
        }
        return Findings(text: try Table(columns).render(items, TableOptions()), items: items)
    }

    // MARK: Leaves

    private func leaves(
        of tree: TreeIdentifier,
        _ contents: CatalogueContents
    ) throws(ControlError) -> Findings {
        let keys = contents.leafKeys.filter { $0.tree == tree }
        guard !keys.isEmpty else {
            throw .format(place: path, error: FormatText("tree \(tree.rawValue) has no leaves"))
        }
        let items: [JSONValue] = keys.map { key in
            [
                "tree": .count(tree.rawValue), "leaf": .count(key.index),
                "offset": .count(offset(of: key)),
            ]
        }
        let lines = keys.map { key in
            "leaf \(tree.rawValue):\(key.index) from "
                + ByteCountText.short(offset(of: key)) + "\n"
        }
        return Findings(text: lines.joined(), items: items)
    }

    private func offset(of key: LeafKey) -> UInt64 {
        key.index.saturated(times: UInt64(Geometry.leafByteCount))
    }

    private func leaf(_ key: LeafKey, in catalogue: Catalogue) throws(ControlError) -> Findings {
        let stored = try ControlError.converting { () throws(CatalogueError) in
            try catalogue.load(key)
        }
        let place = "\(path) leaf \(key.tree.rawValue):\(key.index)"
        guard !stored.bytes.isEmpty else {
            throw .format(place: place, error: FormatText("there is no such leaf"))
        }
        var states = [BlockState](repeating: .absent, count: Geometry.blocksPerLeaf)
        let writers: [VolumeIdentifier]
        do throws(FormatError) {
            var span = states.mutableSpan
            writers = try LeafFormat.decode(
                unsafe stored.bytes.span.bytes,
                tree: key.tree,
                index: key.index,
                into: &span
            )
        } catch {
            throw .format(place: place, error: FormatText(InspectionText.of(error)))
        }
        let runs = LeafRun.runs(of: states)
        var text =
            "leaf \(key.tree.rawValue):\(key.index), \(stored.bytes.count) bytes, "
            + "\(writers.count) writers\n"
        for (index, writer) in writers.enumerated() { text += "  writer \(index): \(writer)\n" }
        for run in runs { text += "  " + run.text + "\n" }
        return Findings(text: text, items: runs.map(\.json))
    }
}

/// Neighbouring blocks of a leaf that lie one behind the other.
struct LeafRun {
    var first: Int
    var count: Int
    var state: BlockState

    /// The runs of a leaf's 512 states; absent blocks are in none.
    static func runs(of states: [BlockState]) -> [LeafRun] {
        var runs: [LeafRun] = []
        for (block, state) in states.enumerated() where !state.isAbsent {
            if let last = runs.last, last.first + last.count == block, last.goesOn(with: state) {
                runs[runs.count - 1].count += 1
            } else {
                runs.append(LeafRun(first: block, count: 1, state: state))
            }
        }
        return runs
    }

    private func goesOn(with next: BlockState) -> Bool {
        func follows(_ location: Location, _ first: Location) -> Bool {
            guard first.isPlace, location.isPlace else {
                return first.rawValue == location.rawValue
            }
            return location.device == first.device && location.block == first.block + UInt64(count)
        }
        return next.kindCode == state.kindCode && follows(next.flash, state.flash)
            && follows(next.disk, state.disk)
    }

    private static func text(_ location: Location) -> String {
        location.isPlace ? "device \(location.device.rawValue) block \(location.block)" : "-"
    }

    var text: String {
        "block \(first) + \(count): \(state.kind.map { "\($0)" } ?? "damaged"), "
            + "flash \(Self.text(state.flash)), disk \(Self.text(state.disk)), "
            + "sequence \(state.sequence.rawValue)"
    }

    var json: JSONValue {
        func place(_ location: Location) -> JSONValue {
            guard location.isPlace else { return .null }
            return ["device": .count(location.device.rawValue), "block": .count(location.block)]
        }
        return [
            "block": .count(first), "blockCount": .count(count),
            "kind": .text(state.kind.map { "\($0)" } ?? "damaged"), "flash": place(state.flash),
            "disk": place(state.disk), "sequence": .count(state.sequence.rawValue),
        ]
    }
}
