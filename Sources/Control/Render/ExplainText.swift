/// The item of the document `explain/1` for a terminal.
package struct ExplainText: Sendable {
    package var width: Int?

    package init(width: Int?) { self.width = width }

    package func render(_ item: JSONValue) -> String {
        let chunk = item["chunk"]?.unsigned ?? 0
        let address = item["volume"]?.string ?? "-"
        let from = ByteCountText.grouped(chunk << 16)
        return paragraph(
            "chunk \(ByteCountText.grouped(chunk)) of \(address) (from byte \(from)): "
                + places(item) + marks(item)
        )
            + paragraph(heat(item))
            + paragraph("decision " + (item["decision"]?.string ?? "-"))
            + changes(item)
    }

    private func changes(_ item: JSONValue) -> String {
        let texts = (item["wouldChange"]?.items ?? []).compactMap(\.string)
        return texts.isEmpty ? "" : paragraph("would change: " + texts.joined(separator: "; "))
    }

    private func paragraph(_ text: String) -> String {
        let lines = Wrapping.wrapped(text, width: width.map { max(20, $0 - 3) })
        return lines.enumerated().map { ($0 == 0 ? " " : "   ") + $1 + "\n" }.joined()
    }

    private func places(_ item: JSONValue) -> String {
        let parts: [(String, String)] = [
            ("holeByteCount", "hole"), ("zeroByteCount", "reserved zeros"),
            ("dirtyByteCount", "on flash only"),
            ("bothByteCount", "home on disk and a clean copy on flash"),
            ("diskByteCount", "on disk only"), ("poisonedByteCount", "damaged in every copy"),
        ]
        let texts = parts.compactMap { name, words -> String? in
            guard let count = item[name]?.unsigned, count > 0 else { return nil }
            return "\(ByteCountText.short(count)) \(words)"
        }
        return texts.isEmpty ? "-" : texts.joined(separator: ", ")
    }

    private func marks(_ item: JSONValue) -> String {
        var text = ""
        if item["moving"]?.isTrue == true { text += "; being moved now" }
        if item["pinned"]?.isTrue == true { text += "; pinned" }
        for extent in item["extents"]?.items ?? [] {
            guard let device = extent["device"]?.string, let segment = extent["segment"]?.unsigned,
                let offset = extent["segmentOffset"]?.unsigned
            else { continue }
            let mark = extent["modelled"]?.isTrue == true ? " (modelled)" : ""
            text +=
                "; \(extent["tier"]?.string ?? "-") \(PlainText.printable(device))\(mark), "
                + "segment \(ByteCountText.grouped(segment)) + \(ByteCountText.short(offset))"
        }
        return text
    }

    private func heat(_ item: JSONValue) -> String {
        func rate(_ name: String) -> String {
            ChunkExplanation.text(Float(item[name]?.number ?? 0))
        }
        let score = Int(((item["heat"]?.number ?? 0) * 100).rounded())
        let hundredths = (score % 100 < 10 ? "0" : "") + "\(score % 100)"
        let touch = item["secondsSinceTouch"]?.unsigned.map {
            "last touched \(TimeText.duration(seconds: $0)) ago"
        }
        return "heat \(score / 100).\(hundredths): \(rate("readsPerHour")) reads/h, "
            + "\(rate("writesPerHour")) writes/h, \(touch ?? "never touched")"
    }
}
