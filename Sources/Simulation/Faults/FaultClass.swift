/// What a device does wrong, other than losing power.
package enum FaultClass: Int, Sendable, CaseIterable {
    /// A read is refused once; asked again, the device gives the bytes.
    case transientError
    /// A block cannot be read until it is written anew.
    case latentError
    /// A block cannot be read for a while; then it can, and is as it was.
    case passingError
    /// A read brings other bytes once.
    case transientRot
    /// A durable block has changed, and stays so until it is written anew; often one byte of it.
    case rot
    /// A write is refused, and nothing of it is there.
    case writeError
    /// A write is refused, and a part of it is there.
    case partialWrite
    /// A write is said to be done, and nothing of it is there.
    case lostWrite
    /// A write is said to be done, and has hit another place.
    case misdirectedWrite
    /// A flush is refused, and what it was to make durable is gone; the next one succeeds.
    case flushError
    /// A flush is said to be done, and what it covered is gone when the power goes.
    case lyingFlush
    /// The device is away for a while, or until the engine is started anew: it refuses everything,
    /// and loses nothing.
    case absence
    /// The device answers nothing for a while; then everything it was asked is done.
    case hang
    /// The catalogue fails, as where its file system is full; a commit may be done all the same.
    case catalogueError
}

/// What the engine was doing with the device.
package enum FaultSite: Int, Sendable, CaseIterable {
    case hostFlashRead, hostDiskRead
    /// Old contents of a block that a write covers in part.
    case mergeRead
    case moveFlashRead, moveDiskRead
    /// What a move wrote to disk, read back.
    case verifyRead
    case flashScan, diskScan
    case flashScrub, diskScrub
    /// The mirror of the catalogue, read back by the scrub.
    case mirrorScrub
    case hostRecordWrite
    /// The write that opens a segment, of whichever stream.
    case segmentHeaderWrite
    case matureWrite, coldWrite
    case recordFlush, checkpointFlush
    /// Of a disk, behind what moves have written there.
    case moveFlush
    /// What a device is told of a checkpoint.
    case witnessWrite
    /// What is told to flash besides the catalogue.
    case mirrorWrite
    case recoveryHeaderRead, recoveryRecordRead, recoveryWitnessRead
    /// Of the superblock's copies, by whoever opens the pool, who writes the bad ones anew.
    case superblockRead, superblockWrite
    /// When the catalogue is made anew.
    case mirrorRead
    case catalogueLoad, catalogueCommit

    package var isWrite: Bool {
        switch self {
        case .hostRecordWrite, .segmentHeaderWrite, .matureWrite, .coldWrite, .witnessWrite,
            .mirrorWrite, .superblockWrite:
            true
        default: false
        }
    }

    package var isFlush: Bool {
        switch self {
        case .recordFlush, .checkpointFlush, .moveFlush: true
        default: false
        }
    }

    /// Whether what is read is compared with what the map says of it.
    var comparesData: Bool {
        switch self {
        case .hostFlashRead, .hostDiskRead, .mergeRead, .moveFlashRead, .moveDiskRead, .flashScrub,
            .diskScrub:
            true
        default: false
        }
    }

    package var isCatalogue: Bool { self == .catalogueLoad || self == .catalogueCommit }

    package var isRecovery: Bool {
        switch self {
        case .recoveryHeaderRead, .recoveryRecordRead, .recoveryWitnessRead, .mirrorRead,
            .superblockRead, .superblockWrite:
            true
        default: false
        }
    }
}

extension FaultClass {
    /// Whether the simulator can make this happen there.
    package func canOccur(at site: FaultSite) -> Bool {
        guard !site.isCatalogue else { return self == .catalogueError }
        switch self {
        case .transientError: return !site.isWrite && !site.isFlush
        case .passingError:
            return !site.isWrite && !site.isFlush && site != .verifyRead && !site.isRecovery
        case .latentError:
            // What was just written can be read.
            return !site.isWrite && !site.isFlush && site != .verifyRead
        case .transientRot: return !site.isWrite && !site.isFlush && !site.isRecovery
        case .rot:
            return !site.isWrite && !site.isFlush && site != .verifyRead
                && site != .recoveryRecordRead
        case .writeError: return site.isWrite
        // A witness is one block.  Devices that lose it as often as they are told are like those
        // that were put back from a copy, and are refused.
        case .partialWrite:
            return site.isWrite && site != .witnessWrite && site != .superblockWrite
        case .lostWrite: return site.isWrite && site != .witnessWrite
        // They go astray among the segments.
        case .misdirectedWrite:
            return site.isWrite && site != .witnessWrite && site != .mirrorWrite
                && site != .superblockWrite
        case .flushError, .lyingFlush: return site.isFlush
        case .absence:
            // What is read before, and of mirrors, is read from devices that are there.
            return ![.superblockRead, .superblockWrite, .mirrorRead].contains(site)
        case .hang: return !site.isRecovery
        case .catalogueError: return false
        }
    }
}

/// How often each class of fault has fired at each site.
package struct FaultMatrix: Sendable {
    package private(set) var counts = [Int](
        repeating: 0,
        count: FaultClass.allCases.count * FaultSite.allCases.count
    )

    package init() {}

    package static func index(_ fault: FaultClass, _ site: FaultSite) -> Int {
        fault.rawValue * FaultSite.allCases.count + site.rawValue
    }

    package mutating func count(_ fault: FaultClass, _ site: FaultSite) {
        counts[Self.index(fault, site)] += 1
    }

    /// Pairs that can occur, in order.
    package static var pairs: [(fault: FaultClass, site: FaultSite)] {
        FaultClass.allCases.flatMap { fault in
            FaultSite.allCases.filter { fault.canOccur(at: $0) }.map { (fault, $0) }
        }
    }
}
