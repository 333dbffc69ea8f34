internal import Units

extension Superblock {
    /// The superblock as lines of text, for `isotherm inspect`.
    package func describe() -> String {
        var lines = [
            "superblock version \(Self.version), generation \(generation)",
            "  pool       \(poolIdentifier) \"\(poolName)\"",
            "  device     \(deviceIdentifier), index \(deviceIndex.rawValue), \(role)"
                + (model == .none ? "" : " (modelled: \(model))"),
            "  size       \(ByteCount(deviceByteCount).echo)",
            "  segments   \(segmentCount) of \(ByteCount(UInt64(segmentByteCount)))",
            "  lanes      \(laneCount)",
            "  created    \(createdSeconds) seconds since 1970",
        ]
        for device in devices {
            lines.append(
                "  device \(device.index.rawValue): \(device.identifier), \(device.role), "
                    + "\(ByteCount(device.byteCount))"
            )
        }
        return lines.joined(separator: "\n")
    }
}

extension SuperblockCopy {
    /// The copy as one line of text.
    package func describe() -> String {
        switch self {
        case .good(let superblock): "good, generation \(superblock.generation)"
        case .bad(let error): "bad: \(error)"
        case .unreadable: "unreadable"
        }
    }
}

extension SuperblockChoice {
    /// The choice as lines of text: the superblock, then what was found of each copy.
    package func describe() -> String {
        var lines = [superblock.describe()]
        for (place, finding) in findings.enumerated() {
            lines.append("  copy \(place): \(finding)")
        }
        return lines.joined(separator: "\n")
    }
}

extension SuperblockError {
    /// Why no superblock was chosen, and what was found of each copy, as lines of text.
    package func describe() -> String {
        let (reason, copies) =
            switch self {
            case .tooFewGood(let count, let copies):
                ("\(count) of \(copies.count) superblocks are good; two are needed", copies)
            case .noTwoAgree(let count, let copies):
                ("\(count) of \(copies.count) superblocks are good, but no two agree", copies)
            case .twoIdentities(let copies):
                ("the superblocks belong to two pools or devices", copies)
            case .contradiction(let generation, let copies):
                ("the superblocks of generation \(generation) contradict each other", copies)
            }
        let lines = copies.enumerated().map { "  copy \($0.offset): \($0.element.describe())" }
        return ([reason] + lines).joined(separator: "\n")
    }
}

extension VolumeControl {
    /// The payload as lines of text, for `isotherm inspect`.
    package func describe() -> String {
        """
        volume version \(Self.version)
          name       \(name)
          size       \(ByteCount(byteCount).echo)
          tree       \(tree.rawValue)
          lane       \(lane.rawValue)
          created    \(createdSeconds) seconds since 1970
        """
    }
}
