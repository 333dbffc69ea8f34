/// The item of the document `pool.status/1` for a terminal.
package struct StatusText: Sendable {
    package var width: Int?

    package init(width: Int?) { self.width = width }

    private static var labelWidth: Int { 6 }

    /// Devices of a pool.  Wide tables go under `config:`.
    package static var deviceColumns: [Column] {
        [
            Column("name", "NAME", .text, "the device's path, the last part of it"),
            Column("role", "TIER", .text, "flash or disk"),
            Column("state", "STATE", .text, DeviceFigures.State.alternatives),
            Column("byteCount", "SIZE", .byteCount, "bytes of the device"),
            Column(
                "segmentCount",
                "SEGMENTS",
                .count,
                "segments that it is divided into",
                yields: 2
            ),
            Column("freeSegmentCount", "FREE", .count, "segments that hold nothing", yields: 1),
            Column(
                "errorCount",
                "ERRORS",
                .count,
                "failed operations since the pool was opened"
            ),
            Column("model", "MODEL", .text, "the drive that it is delayed to behave like"),
            Column("path", "PATH", .text, "where it was found", isShown: false),
        ]
    }

    package func render(_ item: JSONValue) -> String {
        let name = item["name"]?.string ?? "-"
        let state = item["state"]?.string ?? "-"
        let since = item["secondsServed"]?.unsigned.map {
            " for " + TimeText.duration(seconds: $0)
        }
        let mark = item["modelled"]?.isTrue == true ? "   (modelled)" : ""
        var text = line("pool", "\(name)      state: \(state)\(since ?? "")\(mark)")
        for reason in item["reasons"]?.items ?? [] {
            text += line("check", reason["text"]?.string ?? "-")
            text += line("action", reason["action"]?.string ?? "-")
        }
        text += line("space", space(item))
        if let hits = hits(item) { text += line("hits", hits) }
        if let moves = moves(item) { text += line("moves", moves) }
        if let decided = item["decisions"].flatMap(DecisionText.line) {
            text += line("policy", decided)
        }
        if case .boolean(false)? = item["mirrorWhole"] {
            text += line(
                "mirror",
                "of the catalogue is not whole: what is lost of the catalogue now cannot be made "
                    + "anew from the devices"
            )
        }
        for scrub in item["scrubs"]?.items ?? [] { text += line("scrub", self.scrub(scrub)) }
        for export in item["uris"]?.items?.compactMap(\.string) ?? [] {
            text += line("export", PlainText.printable(export))
        }
        return text + config(item)
    }

    private func line(_ label: String, _ value: String) -> String {
        Wrapping.line(label, value, labelWidth: Self.labelWidth, width: width)
    }

    private func space(_ item: JSONValue) -> String {
        func part(_ tier: String) -> String {
            guard let total = item[path: "space.\(tier).byteCount"]?.unsigned,
                let used = item[path: "space.\(tier).usedByteCount"]?.unsigned
            else { return "\(tier) -" }
            let share = total == 0 ? 0 : Double(used) / Double(total)
            return "\(tier) \(ByteCountText.number(used, like: total)) of "
                + "\(ByteCountText.short(total)) \(Int((share * 100).rounded())) %"
        }
        var text = part("flash") + "   " + part("disk")
        if let owned = item[path: "space.ownedByteCount"]?.unsigned,
            let capacity = item[path: "space.capacityByteCount"]?.unsigned,
            let promised = item[path: "space.promisedByteCount"]?.unsigned
        {
            text +=
                ", volumes own \(ByteCountText.number(owned, like: capacity)) of "
                + "\(ByteCountText.short(capacity)), promised \(ByteCountText.short(promised))"
        }
        if let catalogue = item[path: "space.catalogueByteCount"]?.unsigned {
            text += "   catalogue \(ByteCountText.short(catalogue))"
        }
        return text
    }

    /// How far a tier is read, what was found, and when it was read whole last.
    private func scrub(_ item: JSONValue) -> String {
        var text = "\(item["tier"]?.string ?? "-") \(item["state"]?.string ?? "-")"
        if let ratio = item["progressRatio"]?.number { text += ", \(Column.percent(ratio)) read" }
        if let live = item["liveByteCount"]?.unsigned { text += " of \(ByteCountText.short(live))" }
        let names = [
            ("damagedBlockCount", "damaged"), ("unreadableBlockCount", "unreadable"),
            ("repairedBlockCount", "repaired"), ("poisonedBlockCount", "lost"),
        ]
        for part in ["", "last."] {
            let found = names.compactMap { field, name in
                item[path: part + field]?.unsigned.flatMap { $0 > 0 ? "\($0) \(name)" : nil }
            }
            if !found.isEmpty {
                text += "; \(part.isEmpty ? "found" : "last pass found") "
                text += found.joined(separator: ", ")
            }
        }
        let last = item["lastCompleted"]?.string.map(PlainText.printable)
        return text + (last.map { "; last full pass \($0)" } ?? "; no full pass yet")
    }

    private func hits(_ item: JSONValue) -> String? {
        guard let memory = item[path: "reads.memoryByteCount"]?.unsigned,
            let flash = item[path: "reads.flashByteCount"]?.unsigned,
            let disk = item[path: "reads.diskByteCount"]?.unsigned
        else { return nil }
        let all = memory + flash + disk
        guard all > 0 else { return "nothing read since the pool was opened" }
        let ratio = Column.percent(Double(memory + flash) / Double(all))
        return "\(ratio) of the bytes read since the pool was opened: ram "
            + "\(ByteCountText.short(memory)), flash \(ByteCountText.short(flash)), "
            + "disk \(ByteCountText.short(disk))"
    }

    private func moves(_ item: JSONValue) -> String? {
        guard let demoted = item[path: "moves.demotedByteCount"]?.unsigned,
            let promoted = item[path: "moves.promotedByteCount"]?.unsigned,
            let kept = item[path: "moves.keptByteCount"]?.unsigned,
            let dropped = item[path: "moves.droppedByteCount"]?.unsigned
        else { return nil }
        return
            "demoted \(ByteCountText.short(demoted)), promoted \(ByteCountText.short(promoted)), "
            + "kept warm \(ByteCountText.short(kept)), clean copies dropped "
            + ByteCountText.short(dropped)
    }

    /// The device table under its label.  An error of the table engine cannot come: its columns are
    /// fixed and none is asked for by name.
    private func config(_ item: JSONValue) -> String {
        var options = TableOptions()
        options.width = width.map { $0 - Self.labelWidth - 2 }
        let devices = (item["devices"]?.items ?? []).map(Self.marked)
        let table: String
        do throws(ControlError) {
            table = try Table(Self.deviceColumns).render(devices, options)
        } catch {
            return line("config", error.report.line)
        }
        let lines = table.split(separator: "\n")
        return lines.enumerated().map { index, row in
            (index == 0 ? "config: " : "        ") + row + "\n"
        }.joined()
    }

    /// The device with `(modelled)` behind the drive that it is not.
    static func marked(_ device: JSONValue) -> JSONValue {
        guard case .object(let fields) = device, let model = device["model"]?.string else {
            return device
        }
        return .object(
            fields.map {
                $0.name == "model" ? JSONField("model", .text(model + " (modelled)")) : $0
            }
        )
    }
}
