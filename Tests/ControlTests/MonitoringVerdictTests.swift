import Testing

@testable import Control

@Suite struct MonitoringVerdictTests {
    /// A sound pool that is being served, with `changes` in place of its own fields.
    private func item(_ changes: JSONValue = [:]) -> JSONValue {
        var fields: [JSONField] = [
            JSONField("name", "tank"), JSONField("state", "ONLINE"), JSONField("reasons", []),
            JSONField("space", ["ownedByteCount": 10, "capacityByteCount": 100]),
            JSONField("devices", [["name": "sdb", "errorCount": 0]]),
            JSONField("counters", ["poisonedBlockCount": 0]), JSONField("scrubs", []),
        ]
        guard case .object(let changed) = changes else { return .object(fields) }
        fields.removeAll { field in changed.contains { $0.name == field.name } }
        return .object(fields + changed)
    }

    @Test func `a sound pool is OK`() {
        let verdict = MonitoringVerdict(pool: item())
        #expect(verdict.line == "OK: tank ONLINE" && verdict.level.exitStatus == 0)
        let modelled = MonitoringVerdict(pool: item(["modelled": true]))
        #expect(modelled.line == "OK: tank (modelled) ONLINE")
    }

    private static let findings: [(changes: JSONValue, line: String, status: Int32)] = [
        (
            [
                "devices": [
                    ["name": "sdb", "errorCount": 3], ["name": "sdc", "errorCount": .null],
                ]
            ],
            "WARN: tank ONLINE: 3 operations of sdb failed", 1
        ),
        (
            ["space": ["ownedByteCount": 90, "capacityByteCount": 100]],
            "WARN: tank ONLINE: 90.0 % of its space is owned", 1
        ),
        (["reasons": [["text": "It is slow."]]], "WARN: tank ONLINE: It is slow", 1),
        (
            ["space": ["ownedByteCount": 99, "capacityByteCount": 100]],
            "CRIT: tank ONLINE: 99.0 % of its space is owned", 2
        ),
        (
            ["counters": ["poisonedBlockCount": 1]],
            "CRIT: tank ONLINE: 1 block is damaged in every copy", 2
        ),
        (
            ["scrubs": [["last": ["poisonedBlockCount": 2]], ["last": ["poisonedBlockCount": 3]]]],
            "CRIT: tank ONLINE: 5 blocks are damaged in every copy", 2
        ),
        (["state": "OFFLINE"], "CRIT: tank OFFLINE: it is not being served", 2),
        (
            ["state": "READONLY", "reasons": [["text": "A flush failed."]]],
            "CRIT: tank READONLY: A flush failed", 2
        ),
        (["state": "UNAVAIL"], "CRIT: tank UNAVAIL: no reason is known", 2),
        (
            ["state": "RESTING"],
            "UNKNOWN: tank RESTING: this program does not know that state", 3
        ),
    ]

    @Test(arguments: findings)
    func `what is not sound has its level`(
        finding: (changes: JSONValue, line: String, status: Int32)
    ) {
        let verdict = MonitoringVerdict(pool: item(finding.changes))
        #expect(verdict.line == finding.line && verdict.level.exitStatus == finding.status)
    }

    @Test func `of several pools the worst comes first`() {
        let verdict = MonitoringVerdict(joining: [
            MonitoringVerdict(pool: item()), MonitoringVerdict(.poolMissing(name: "x")),
            MonitoringVerdict(pool: item(["name": "a", "state": "OFFLINE"])),
        ])
        #expect(verdict.line.hasPrefix("CRIT: a OFFLINE: it is not being served; there is no pool"))
        #expect(verdict.line.hasSuffix("; tank ONLINE"))
        #expect(MonitoringVerdict(joining: []).line == "UNKNOWN: there is no pool")
    }
}
