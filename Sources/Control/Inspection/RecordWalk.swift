internal import Format
internal import Units

/// Goes through the records of one segment, also behind blocks that begin none: a write that a
/// crash cut, or a device refused, leaves such a gap, and copies go on behind it.
struct RecordWalk {
    let header: SegmentHeader
    let segmentByteCount: UInt32
    /// Byte of the device at which the segment begins.
    let start: UInt64

    /// A record as it was found.
    struct Found {
        var header: RecordHeader
        var entries: [RecordEntry]
        /// Entries that could not be read: the table is damaged although its checksum fits.
        var error: FormatError?
    }

    private var blockCount: UInt32 { segmentByteCount / UInt32(Geometry.blockByteCount) }

    func run(over source: borrowing InspectionSource, _ body: (Found) -> Void) {
        var block: UInt32 = 1
        while block < blockCount {
            guard let found = record(at: block, source) else {
                block += 1
                continue
            }
            body(found)
            // Copies of a later life may begin inside a record that stands there from an earlier.
            guard header.stream == .host else {
                block += 1
                continue
            }
            let length = found.header.dataBlockCount &+ UInt32(RecordHeader.overheadBlockCount)
            guard length <= blockCount - block else { return }
            block += length
        }
    }

    private func record(at block: UInt32, _ source: borrowing InspectionSource) -> Found? {
        let offset = start + UInt64(block) * UInt64(Geometry.blockByteCount)
        guard let bytes = source.block(at: offset) else { return nil }
        do throws(FormatError) {
            let record = try RecordHeader(decoding: unsafe bytes.span.bytes, nonce: header.nonce)
            guard record.segmentSequence == header.segmentSequence, record.blockOffset == block,
                !record.isTail
            else { return nil }
            return entries(of: record, in: bytes)
        } catch {
            return nil
        }
    }

    private func entries(of record: RecordHeader, in bytes: [UInt8]) -> Found {
        var found = Found(header: record, entries: [], error: nil)
        var offset = RecordHeader.tableOffset
        let end = RecordHeader.tableOffset + Int(record.tableByteCount)
        for _ in 0..<record.entryCount {
            do throws(FormatError) {
                let entry = try RecordEntry(decoding: unsafe bytes.span.bytes, at: offset, end: end)
                found.entries.append(entry)
                offset += entry.byteCount
            } catch {
                found.error = error
                return found
            }
        }
        return found
    }
}

extension RecordWalk.Found {
    func text(showsEntries: Bool) -> String {
        let header = header
        var text =
            "record \(header.number.rawValue) at block \(header.blockOffset): "
            + "\(header.entryCount) entries, \(header.dataBlockCount) data blocks, "
            + "sequence \(header.firstSequence.rawValue), "
            + "durable through \(header.durableThrough.rawValue)\n"
        guard showsEntries else { return text }
        for (index, entry) in entries.enumerated() {
            text +=
                "  \(index): \(entry.kind) \(entry.volume) block \(entry.address) "
                + "+ \(entry.blockCount)"
            if entry.kind == .control {
                text += " " + (ControlKind(rawValue: entry.detail).map { "\($0)" } ?? "unknown")
            }
            text += "\n"
        }
        if let error { text += "  " + InspectionText.of(error) + "\n" }
        return text
    }

    func item(showsEntries: Bool) -> JSONValue {
        var fields: [JSONField] = [
            JSONField("record", .count(header.number.rawValue)),
            JSONField("block", .count(header.blockOffset)),
            JSONField("stream", .text("\(header.stream)")),
            JSONField("lane", .count(header.lane.rawValue)),
            JSONField("entryCount", .count(header.entryCount)),
            JSONField("dataBlockCount", .count(header.dataBlockCount)),
            JSONField("firstSequence", .count(header.firstSequence.rawValue)),
            JSONField("durableThrough", .count(header.durableThrough.rawValue)),
        ]
        if showsEntries {
            let entries: [JSONValue] = entries.map { entry in
                [
                    "kind": .text("\(entry.kind)"), "volume": .text(entry.volume.description),
                    "address": .count(entry.address), "blockCount": .count(entry.blockCount),
                ]
            }
            fields.append(JSONField("entries", .list(entries)))
        }
        return .object(fields)
    }
}
