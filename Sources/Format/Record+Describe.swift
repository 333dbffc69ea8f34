internal import Units

extension RecordHeader {
    /// The header as lines of text, for `isotherm inspect`.
    package func describe() -> String {
        """
        record \(isTail ? "tail" : "header") version \(version)
          segment         \(segmentIndex.rawValue) of device \(device.rawValue), \
        sequence \(segmentSequence), block \(blockOffset)
          lane            \(lane.rawValue), stream \(stream)
          number          \(number.rawValue), durable through \(durableThrough.rawValue)
          first sequence  \(firstSequence.describe())
          entries         \(entryCount) in \(tableByteCount) bytes
          data blocks     \(dataBlockCount)
          previous        checksum \(HexText.of(previousChecksum))
          incarnation     \(incarnation)
          pool            \(poolIdentifier.map { "\($0)" } ?? "not said")
        """
    }

    /// The header and its entries, as far as they can be read, as lines of text.
    ///
    /// - Parameter block: the block that this header was read from.
    package func describe(entriesIn block: RawSpan) -> String {
        var lines = [describe()]
        var offset = Self.tableOffset
        let end = Self.tableOffset + Int(tableByteCount)
        for index in 0..<entryCount {
            do throws(FormatError) {
                let entry = try RecordEntry(decoding: block, at: offset, end: end)
                lines.append("  entry \(index): \(entry.describe())")
                offset += entry.byteCount
            } catch {
                lines.append("  entry \(index): unreadable, \(error)")
                break
            }
        }
        return lines.joined(separator: "\n")
    }
}

extension RecordEntry {
    /// The entry as one line of text.
    package func describe() -> String {
        let range = "blocks \(address)..<\(address + UInt64(blockCount))"
        switch kind {
        case .data, .trim, .zero, .copy:
            return "\(kind) of volume \(volume), \(range)"
        case .control:
            let what = ControlKind(rawValue: detail).map { "\($0)" } ?? "unknown \(detail)"
            return "control \(what) of volume \(volume), \(payloadByteCount) bytes"
        }
    }
}

extension SequenceNumber {
    /// Incarnation and count, `3:17`.
    func describe() -> String { "\(rawValue >> 40):\(rawValue & (1 << 40 - 1))" }
}
