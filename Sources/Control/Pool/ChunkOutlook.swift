internal import Catalogue
internal import Engine
internal import Policy
internal import Units

/// What becomes of a chunk, in the words of `explain`: each is an answer of the lane's own policy.
struct ChunkOutlook {
    var view: ChunkView?
    /// By index.
    var devices: [DeviceRow]
    /// Whether the chunk has blocks that no copy is left of.
    var isPoisoned = false

    /// The reason of the first decision to come; nil when there is nothing to decide.
    var reason: String? {
        guard let view, !view.isReadOnly else { return nil }
        if let reads = view.reads { return Self.reason(reads.scattered).name }
        if let reclaim = view.reclaims.first { return Self.reason(reclaim.outlook.decision).name }
        return isPoisoned ? Reason.poisoned.name : nil
    }

    var text: String {
        guard let view, view.reads != nil || !view.reclaims.isEmpty else {
            return isPoisoned
                ? "NONE (poisoned): nothing of it can be read" : "NONE: it owns no data"
        }
        if view.isReadOnly { return "STAY where it is: the pool accepts no change" }
        return [view.reads.map(Self.text), text(of: view.reclaims)]
            .compactMap(\.self).joined(separator: "; ")
    }

    /// What would bring another decision, each in a few words.
    var changes: [String] {
        guard let view, !view.isReadOnly else { return [] }
        var texts = view.reads.map(Self.changes) ?? []
        for reclaim in view.reclaims {
            for text in Self.changes(of: reclaim.outlook) where !texts.contains(text) {
                texts.append(text)
            }
        }
        return texts
    }

    var json: [JSONField] {
        [
            JSONField("reason", .text(orNull: reason)), JSONField("decision", .text(text)),
            JSONField("wouldChange", .list(changes.map { .text($0) })),
            JSONField("reads", view?.reads.map(Self.json) ?? .null),
            JSONField("reclaims", .list((view?.reclaims ?? []).map(json))),
        ]
    }

    // MARK: Reads

    private static func text(_ reads: ReadOutlook) -> String {
        guard reads.scattered != reads.sequential else {
            return "\(text(reads.scattered)) at the next read, scattered or sequential"
        }
        return "\(text(reads.scattered)) at the next scattered read, "
            + "\(text(reads.sequential)) at a sequential one"
    }

    private static func changes(_ reads: ReadOutlook) -> [String] {
        var texts: [String] = []
        if let count = reads.scatteredReadCount, count > 1 {
            texts.append("\(count) scattered reads in a row: the last one promotes it")
        }
        if let count = reads.sequentialReadCount, count > 1 {
            texts.append("\(count) sequential reads in a row: the last one promotes it")
        }
        if reads.withFreeSegments != reads.scattered {
            texts.append("more free segments on flash: \(text(reads.withFreeSegments))")
        }
        if let admission = reads.admission { texts += change(admission, reads.scattered) }
        if let later = reads.whenLeftAlone {
            texts.append("\(duration(later.ticks)) without a touch: \(text(later.decision))")
        }
        return texts
    }

    /// Where first reads are decided by how useful promotions are.
    private static func change(
        _ admission: ReadOutlook.Admission,
        _ decision: ReadDecision
    ) -> [String] {
        let share = Column.percent(Double(admission.usefulShare))
        let limit = Column.percent(Double(admission.usefulShareAtChange))
        switch (reason(decision), admission.isOpen) {
        case (.new, true):
            return ["less than \(limit) of what was promoted proving useful (now \(share))"]
        case (.cool, false):
            return ["more than \(limit) of what was promoted proving useful (now \(share))"]
        default: return []
        }
    }

    private static func text(_ decision: ReadDecision) -> String {
        switch decision {
        case .serve(let reason): "STAY on disk (\(reason.name))"
        case .promote(1, let reason): "PROMOTE (\(reason.name))"
        case .promote(let count, let reason):
            "PROMOTE (\(reason.name)) with its group of \(count) chunks"
        }
    }

    private static func reason(_ decision: ReadDecision) -> Reason {
        switch decision {
        case .serve(let reason), .promote(_, let reason): reason
        }
    }

    private static func json(_ reads: ReadOutlook) -> JSONValue {
        [
            "scattered": json(reads.scattered), "sequential": json(reads.sequential),
            "scatteredReadCount": .count(orNull: reads.scatteredReadCount),
            "sequentialReadCount": .count(orNull: reads.sequentialReadCount),
        ]
    }

    private static func json(_ decision: ReadDecision) -> JSONValue {
        switch decision {
        case .serve(let reason): ["decision": "serve", "reason": .text(reason.name)]
        case .promote(let count, let reason):
            [
                "decision": "promote", "reason": .text(reason.name),
                "groupChunkCount": .count(count),
            ]
        }
    }

    // MARK: Reclaim

    private func text(of reclaims: [ChunkView.Reclaim]) -> String? {
        guard let first = reclaims.first else { return nil }
        let head = "STAY on flash until reclaim reaches "
        if reclaims.allSatisfy({ $0.outlook.decision == first.outlook.decision }) {
            return head + (reclaims.count == 1 ? "its segment" : "their segments") + ", then "
                + Self.text(first.outlook.decision)
        }
        let parts = reclaims.map { reclaim in
            let byteCount = UInt64(reclaim.blockCount * Geometry.blockByteCount)
            return "\(ByteCountText.short(byteCount)) in \(place(reclaim.segment)): "
                + Self.text(reclaim.outlook.decision)
        }
        return head + "their segments, then " + parts.joined(separator: ", ")
    }

    private func place(_ segment: SegmentAddress) -> String {
        let index = Int(segment.device.rawValue)
        let name = index < devices.count ? PathText.lastPart(devices[index].path) : "flash"
        return "\(PlainText.printable(name)) segment "
            + ByteCountText.grouped(UInt64(segment.index.rawValue))
    }

    private static func changes(of outlook: ReclaimOutlook) -> [String] {
        var texts: [String] = []
        if let count = outlook.readCountToKeep {
            texts.append("\(count) \(count == 1 ? "read" : "reads") before that: KEEP (warm)")
        }
        if outlook.withFreeSegments != outlook.decision {
            let tier = outlook.decision == .keep(.noFreeSegments) ? "disk" : "flash"
            texts.append("more free segments on \(tier): \(text(outlook.withFreeSegments))")
        }
        if let later = outlook.whenLeftAlone {
            texts.append("\(duration(later.ticks)) without a touch: \(text(later.decision))")
        }
        return texts
    }

    private static func text(_ decision: ReclaimDecision) -> String {
        switch decision {
        case .keep(let reason): "KEEP (\(reason.name))"
        case .demote(let reason): "DEMOTE to disk (\(reason.name))"
        case .drop(let reason): "DROP (\(reason.name)), as the disk has the same"
        }
    }

    private static func reason(_ decision: ReclaimDecision) -> Reason {
        switch decision {
        case .keep(let reason), .demote(let reason), .drop(let reason): reason
        }
    }

    private func json(_ reclaim: ChunkView.Reclaim) -> JSONValue {
        let (decision, reason) =
            switch reclaim.outlook.decision {
            case .keep(let reason): ("keep", reason)
            case .demote(let reason): ("demote", reason)
            case .drop(let reason): ("drop", reason)
            }
        return [
            "segment": .count(reclaim.segment.index.rawValue),
            "device": .count(reclaim.segment.device.rawValue),
            "byteCount": .count(reclaim.blockCount * Geometry.blockByteCount),
            "decision": .text(decision), "reason": .text(reason.name),
            "readCountToKeep": .count(orNull: reclaim.outlook.readCountToKeep),
        ]
    }

    /// A tick is a second.
    private static func duration(_ ticks: UInt32) -> String {
        TimeText.duration(seconds: UInt64(ticks))
    }
}
