internal import Engine
internal import Units

/// The item of `check/1`: what a recount of a pool found.
struct CheckReport {
    var pool: String
    /// Beside hosts, by the process that has the pool open.
    var isOpen: Bool
    var isModelled: Bool
    var recount: Recount
    /// Blocks that the pool's ledger says volumes own; nil when there was no moment to compare it.
    var chargedBlockCount: Int?

    var json: JSONValue {
        [
            "pool": .text(pool), "isEqual": .boolean(recount.differenceCount == 0),
            "served": .boolean(isOpen), "volumeCount": .count(recount.volumeCount),
            "leafCount": .count(recount.leafCount), "segmentCount": .count(recount.segmentCount),
            "ownedByteCount": bytes(recount.ownedBlockCount),
            "chargedByteCount": chargedBlockCount.map { bytes($0) } ?? .null,
            "flashByteCount": bytes(recount.flashBlockCount),
            "diskByteCount": bytes(recount.diskBlockCount),
            "poisonedBlockCount": .count(recount.poisonedBlockCount),
            "differenceCount": .count(recount.differenceCount),
            "differences": .list(recount.differences.map { .text($0) }),
            "modelled": .boolean(isModelled),
        ]
    }

    private func bytes(_ blockCount: Int) -> JSONValue {
        .count(UInt64(max(0, blockCount)) * UInt64(Geometry.blockByteCount))
    }
}

/// The item for a terminal.
struct CheckText {
    var width: Int?

    func render(_ item: JSONValue) -> String {
        func number(_ name: String) -> String {
            ByteCountText.grouped(item[name]?.unsigned ?? 0)
        }
        func size(_ name: String) -> String {
            item[name]?.unsigned.map { ByteCountText.both($0) } ?? "not compared: hosts write"
        }
        let differences = item["differenceCount"]?.unsigned ?? 0
        let how = item["served"]?.isTrue == true ? "beside hosts" : "stopped"
        var text = line("pool", "\(item["pool"]?.string ?? "-")   counted anew, \(how)")
        text += line(
            "counted",
            "\(number("leafCount")) leaves, \(number("volumeCount")) volumes, "
                + "\(number("segmentCount")) segments"
        )
        text += line("owned", size("ownedByteCount"))
        text += line("charged", size("chargedByteCount"))
        text += line("flash", "\(size("flashByteCount")) referred to")
        text += line("disk", "\(size("diskByteCount")) referred to")
        text += line("lost", "\(number("poisonedBlockCount")) blocks without a good copy")
        for difference in item["differences"]?.items?.compactMap(\.string) ?? [] {
            text += line("differs", PlainText.printable(difference))
        }
        let result = differences == 0 ? "all is equal" : "\(differences) differences"
        return text + line("result", result)
    }

    private func line(_ label: String, _ value: String) -> String {
        Wrapping.line(label, value, labelWidth: 7, width: width)
    }
}
