internal import Policy

/// The policy's decisions by reason since the pool was opened, in `pool.status/1`: each counts for
/// one chunk, whether or not there was room to carry it out.
///
///     {"promoted":{"warm":16,"new":12},"served":{"scan":40},
///      "kept":{"warm":3},"demoted":{"cool":7},"dropped":{"cool":9}}
///
/// Reads from disk are promoted or only served; what reclaim comes to is kept, demoted or dropped.
/// A reason that no decision had is left out.
struct DecisionFigures {
    /// Of each lane.
    var lanes: [DecisionCounters]

    var json: JSONValue {
        [
            "promoted": sum(\.promoted), "served": sum(\.served), "kept": sum(\.kept),
            "demoted": sum(\.demoted), "dropped": sum(\.dropped),
        ]
    }

    private func sum(_ path: KeyPath<DecisionCounters, DecisionCounters.Counts>) -> JSONValue {
        .object(
            Reason.allCases.compactMap { reason in
                let count = lanes.reduce(UInt64(0)) {
                    $0 + $1[keyPath: path][Int(reason.rawValue)]
                }
                return count > 0 ? JSONField(reason.name, .count(count)) : nil
            }
        )
    }
}

/// The decisions in one line of a terminal's status.
enum DecisionText {
    private static let words = [
        ("promoted", "promoted"), ("served", "left on disk"), ("kept", "kept"),
        ("demoted", "demoted"), ("dropped", "dropped"),
    ]

    /// `promoted 12 new, 16 warm; left on disk 40 scan`; nil when nothing was decided.
    static func line(_ decisions: JSONValue) -> String? {
        let parts = words.compactMap { name, words -> String? in
            guard case .object(let counts)? = decisions[name], !counts.isEmpty else { return nil }
            let reasons = counts.map { count in
                "\(ByteCountText.grouped(count.value.unsigned ?? 0)) "
                    + PlainText.printable(count.name)
            }
            return "\(words) \(reasons.joined(separator: ", "))"
        }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
}
