internal import Units

/// What of a device or catalogue is to be shown.
package enum InspectionTarget: Equatable, Sendable {
    /// The superblock of a device, or what a catalogue holds.
    case summary
    case superblock
    /// What the device was told of the pool's age.
    case witnesses
    /// Every segment in use.
    case segments
    /// A segment's header and its records.
    case segment(UInt32)
    /// One record: a segment and the block of its header; nil shows all of the segment's, with
    /// their entries.
    case record(segment: UInt32, block: UInt32?)
    /// A leaf in a catalogue; a nil index lists the tree's leaves.
    case leaf(tree: UInt64, index: UInt64?)

    /// How each is written; what stands in brackets may be left out.
    package static var forms: [String] {
        [
            "superblock", "witness", "segment [N]", "record N[:BLOCK]", "leaf TREE[:INDEX]",
        ]
    }

    package init(_ words: [String]) throws(ControlError) {
        func refuse() -> ControlError { .inspectTarget(text: words.joined(separator: " ")) }
        guard let what = words.first else {
            self = .summary
            return
        }
        let parts = words.dropFirst().joined(separator: ":").split(separator: ":").map(String.init)
        switch (what, parts.count) {
        case ("superblock", 0): self = .superblock
        case ("witness", 0), ("witnesses", 0): self = .witnesses
        case ("segment", 0), ("segments", 0): self = .segments
        case ("segment", 1):
            guard let index = UInt32(parts[0]) else { throw refuse() }
            self = .segment(index)
        case ("record", 1), ("record", 2):
            guard let index = UInt32(parts[0]) else { throw refuse() }
            var block: UInt32?
            if parts.count == 2 {
                guard let number = UInt32(parts[1]) else { throw refuse() }
                block = number
            }
            self = .record(segment: index, block: block)
        case ("leaf", 1), ("leaf", 2):
            guard let tree = UInt64(parts[0]) else { throw refuse() }
            var index: UInt64?
            if parts.count == 2 {
                guard let number = UInt64(parts[1]) else { throw refuse() }
                index = number
            }
            self = .leaf(tree: tree, index: index)
        default: throw refuse()
        }
    }
}
