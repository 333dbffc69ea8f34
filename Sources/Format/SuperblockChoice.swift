internal import Units

// A device has four copies of its superblock.  Any two good copies that agree open it.
//
// Copies are written one at a time, in `writeOrder`, so that at every moment two agree:
//
//     1. Write a copy that does not agree, if there is one; else any.  Flush.
//     2. Likewise the next.  Flush.  From here on the new superblock has two copies and, being of a
//        higher generation, is the one that opens the device.
//     3. Write the others, each with a flush.
//
// A crash in step 1 or 2 leaves at most one copy torn or new, and two or more old ones.  Starting
// with a copy that agrees while another is bad would leave one new, one torn, one bad and one old:
// no two that agree.

/// One copy as it was found on the device.
package enum SuperblockCopy: Equatable, Sendable {
    case good(Superblock)
    case bad(FormatError)
    /// The device answered the read with an error.
    case unreadable

    /// Takes a copy as the device returned it.
    package init(decoding block: RawSpan) {
        do throws(FormatError) {
            self = .good(try Superblock(decoding: block))
        } catch {
            self = .bad(error)
        }
    }
}

/// The superblock that opens a device, and what became of each copy.
package struct SuperblockChoice: Equatable, Sendable {
    /// What is said of one copy beside the chosen superblock.
    package enum Finding: Equatable, Sendable {
        case agrees
        /// One copy of an update that ended too early.
        case newer(generation: UInt64)
        /// A copy that an update has not reached.
        case older(generation: UInt64)
        /// The same generation with other contents: no crash explains it.
        case differs
        /// A copy that belongs to another pool or device.
        case foreign
        case bad(FormatError)
        case unreadable
    }

    package let superblock: Superblock
    /// One for each copy, in the order of the copies.
    package let findings: [Finding]

    /// Whether each copy agrees; if not, the copies are to be written anew.
    package var isWhole: Bool { findings.allSatisfy { $0 == .agrees } }

    /// The order in which an update or a repair writes the copies: what does not agree comes first.
    package var writeOrder: [Int] {
        findings.indices.filter { findings[$0] != .agrees }
            + findings.indices.filter { findings[$0] == .agrees }
    }
}

/// Why no superblock opens the device.
package enum SuperblockError: Error, Equatable, Sendable {
    /// Fewer than two copies are good; `copies` says what is wrong with each of the others.
    case tooFewGood(goodCount: Int, copies: [SuperblockCopy])
    /// Two or more are good, but no two say the same.
    case noTwoAgree(goodCount: Int, copies: [SuperblockCopy])
    /// Two agree and two others agree on another pool or device: a new pool was laid over an old
    /// one and not completed.
    case twoIdentities(copies: [SuperblockCopy])
    /// Two pairs of one generation contradict each other: no crash explains it.
    case contradiction(generation: UInt64, copies: [SuperblockCopy])
}

extension Superblock {
    /// Chooses among the copies of a device: of those that at least two copies hold, the one of the
    /// highest generation.
    package static func choose(
        copies: [SuperblockCopy]
    ) throws(SuperblockError) -> SuperblockChoice {
        let good = copies.compactMap { copy -> Superblock? in
            if case .good(let superblock) = copy { superblock } else { nil }
        }
        guard good.count >= 2 else {
            throw .tooFewGood(goodCount: good.count, copies: copies)
        }
        var candidates: [Superblock] = []
        for superblock in good where !candidates.contains(superblock) {
            if good.count(where: { $0 == superblock }) >= 2 { candidates.append(superblock) }
        }
        guard let best = candidates.max(by: { $0.generation < $1.generation }) else {
            throw .noTwoAgree(goodCount: good.count, copies: copies)
        }
        guard candidates.allSatisfy({ $0.hasIdentity(of: best) }) else {
            throw .twoIdentities(copies: copies)
        }
        guard candidates.count(where: { $0.generation == best.generation }) == 1 else {
            throw .contradiction(generation: best.generation, copies: copies)
        }
        return SuperblockChoice(superblock: best, findings: copies.map { $0.finding(beside: best) })
    }

    fileprivate func hasIdentity(of other: Superblock) -> Bool {
        poolIdentifier == other.poolIdentifier && deviceIdentifier == other.deviceIdentifier
    }
}

extension SuperblockCopy {
    fileprivate func finding(beside chosen: Superblock) -> SuperblockChoice.Finding {
        switch self {
        case .unreadable: .unreadable
        case .bad(let error): .bad(error)
        case .good(let superblock) where superblock == chosen: .agrees
        case .good(let superblock) where !superblock.hasIdentity(of: chosen): .foreign
        case .good(let superblock) where superblock.generation > chosen.generation:
            .newer(generation: superblock.generation)
        case .good(let superblock) where superblock.generation < chosen.generation:
            .older(generation: superblock.generation)
        case .good: .differs
        }
    }
}
