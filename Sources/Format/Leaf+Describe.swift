internal import Units

extension Location {
    /// `device 0 block 1234`, or `nowhere`.
    func describe() -> String {
        isPlace ? "device \(device.rawValue) block \(block)" : "nowhere"
    }
}

extension BlockState {
    /// The state as one line of text, for `isotherm inspect`.
    package func describe() -> String {
        guard let kind else { return "damaged state, kind \(HexText.of(kindCode))" }
        guard kind != .absent else { return "absent" }
        return "\(kind), flash \(flash.describe()), disk \(disk.describe()), "
            + "sequence \(sequence.describe()), checksum \(HexText.of(checksum)), writer \(writer)"
    }
}

extension LeafFormat {
    /// A stored leaf as lines of text, one for each run.
    package static func describe(_ bytes: RawSpan) throws(FormatError) -> String {
        let reader = try LeafReader(bytes)
        var states = [BlockState](repeating: .absent, count: blockCount)
        var span = states.mutableSpan
        let writers = try decode(bytes, tree: reader.tree, index: reader.index, into: &span)
        var lines = [
            "leaf version \(version)",
            "  tree  \(reader.tree.rawValue), leaf \(reader.index)",
            "  bytes \(bytes.byteCount)",
        ]
        for (place, writer) in writers.enumerated() { lines.append("  writer \(place): \(writer)") }
        for place in 0..<reader.runCount {
            let range = reader.run(place, in: bytes).range
            let first = states[range.lowerBound].describe()
            lines.append("  blocks \(range): \(range.count > 1 ? "first " : "")\(first)")
        }
        return lines.joined(separator: "\n")
    }
}

extension HeatFormat {
    /// Stored heat as lines of text, one for each chunk that has any.
    package static func describe(_ bytes: RawSpan) throws(FormatError) -> String {
        var words = [UInt32](repeating: 0, count: wordCount)
        var span = words.mutableSpan
        try decode(bytes, into: &span)
        var lines = ["heat version \(version)"]
        for chunk in 0..<Geometry.chunksPerLeaf {
            let own = words[(chunk * wordsPerChunk)..<((chunk + 1) * wordsPerChunk)]
            guard own.contains(where: { $0 != 0 }) else { continue }
            let text = own.map { HexText.of($0) }.joined(separator: " ")
            lines.append("  chunk \(chunk): \(text)")
        }
        return lines.joined(separator: "\n")
    }
}
