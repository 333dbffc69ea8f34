package import Units

/// How far the scrub of one tier of a lane has come, as a checkpoint keeps it.
///
/// Stored as a setting, `scrub.LANE.TIER`: numbers in a fixed order, the first of which is the
/// version.  It is an aid: what cannot be read is forgotten, and the scrub begins anew.
package struct ScrubRow: Hashable, Sendable {
    package var lane: LaneIndex
    package var role: DeviceRole
    /// An administrator has stopped it.
    package var isPaused = false
    /// An administrator has asked for this pass.
    package var isAsked = false
    /// The next block to be looked at, in the order of trees and addresses.
    package var tree = TreeIdentifier(0)
    package var leaf: UInt64 = 0
    /// In its leaf.
    package var block: Int = 0
    /// Of the pass under way: seconds since 1970 when it began, zero before its first block.
    package var begunSeconds: Int64 = 0
    package var counts = ScrubCounts()
    /// Full passes so far; of the last one, when it ended and what it found.
    package var passCount: UInt64 = 0
    package var endedSeconds: Int64 = 0
    package var lastCounts = ScrubCounts()

    package init(lane: LaneIndex, role: DeviceRole) {
        self.lane = lane
        self.role = role
    }
}

/// What a pass of a scrub has met, in blocks.
package struct ScrubCounts: Hashable, Sendable {
    package var verified: UInt64 = 0
    /// Copies whose bytes were not what the map expects, in two looks.
    package var damaged: UInt64 = 0
    /// Copies that their device refused to read, twice.
    package var unreadable: UInt64 = 0
    /// Bad copies that were given up because the other one is good.
    package var repaired: UInt64 = 0
    /// Blocks whose every copy is damaged.
    package var poisoned: UInt64 = 0
    package init() {}

    package var hasFindings: Bool { damaged > 0 || unreadable > 0 }

    package static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum.verified += right.verified
        sum.damaged += right.damaged
        sum.unreadable += right.unreadable
        sum.repaired += right.repaired
        sum.poisoned += right.poisoned
        return sum
    }
}

extension ScrubRow {
    private static var version: UInt64 { 1 }
    /// No count and no time gets this far, and sums of a few stay countable.
    private static var numberMax: UInt64 { 1 << 48 }
    static var keyPrefix: String { "scrub." }

    package var key: String { "\(Self.keyPrefix)\(lane.rawValue).\(role)" }

    package var text: String {
        var words = [
            Self.version, isPaused ? 1 : 0, isAsked ? 1 : 0, tree.rawValue, leaf, UInt64(block),
            UInt64(max(0, begunSeconds)), passCount, UInt64(max(0, endedSeconds)),
        ]
        for counts in [counts, lastCounts] {
            words += [
                counts.verified, counts.damaged, counts.unreadable, counts.repaired,
                counts.poisoned,
            ]
        }
        return words.map { "\($0)" }.joined(separator: " ")
    }

    /// The row that a setting holds; nil when it is none of this version.
    package init?(key: String, text: String) {
        let names = key.split(separator: ".", omittingEmptySubsequences: false)
        guard names.count == 3, names[0] + "." == Self.keyPrefix, let lane = UInt16(names[1]),
            let role = DeviceRole.allCases.first(where: { "\($0)" == names[2] })
        else { return nil }
        let words = text.split(separator: " ").map { UInt64($0) }.compactMap(\.self)
        guard words.count == 19, words[0] == Self.version, words[1] <= 1, words[2] <= 1,
            words[5] <= UInt64(Geometry.blocksPerLeaf),
            words[6...].allSatisfy({ $0 < Self.numberMax })
        else { return nil }
        self.init(lane: LaneIndex(lane), role: role)
        isPaused = words[1] == 1
        isAsked = words[2] == 1
        tree = TreeIdentifier(words[3])
        leaf = words[4]
        block = Int(words[5])
        begunSeconds = Int64(words[6])
        passCount = words[7]
        endedSeconds = Int64(words[8])
        counts = ScrubCounts(words[9..<14])
        lastCounts = ScrubCounts(words[14..<19])
    }
}

extension ScrubCounts {
    fileprivate init(_ words: ArraySlice<UInt64>) {
        let first = words.startIndex
        verified = words[first]
        damaged = words[first + 1]
        unreadable = words[first + 2]
        repaired = words[first + 3]
        poisoned = words[first + 4]
    }
}
