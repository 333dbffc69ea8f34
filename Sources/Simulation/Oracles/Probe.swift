/// Rare things that a run must have met, or it proves little.  Counted over all seeds.
package enum Probe: Int, Sendable, CaseIterable {
    case crashWithVolatileWrites
    case neighbourDamaged
    case missingBlockRestored
    case crashWithWritesInFlight
    case crashWithFlushInFlight
    case crashAfterFlushReply
    case crashWithCommitInFlight
    case commitInFlightSurvived
    case commitInFlightLost
    case crashDuringRecovery
    case crashRightAfterRecovery
    case awayWhenOpened
    case oldCatalogueRefused
    case oldCatalogueOpened
    case oldDeviceRefused
    case swappedDevicesRefused
    case crashBeforeVerification
    case crashWhenFull
    case crashWithRequestsInFlight
    case unacknowledgedWriteSurvived
    case acknowledgedWriteLost
    case crashLeftEqualVersions
    case largeRequestWasCut
    case readRacedWrite
    case readRacedNewerVersion
    case readMetMovingBlock
    case unalignedWrite
    case oddByteWrite
    case noSpaceReply
    case holeReply
    case demotedExtentSeen
    case cleanCopyExtentSeen
    case reservedZeroSeen
    case volumeCreated
    case volumeDestroyed
    case volumeGrown
    case volumeShrunk
    case volumeCreatedBesideLoad
    case controlCutByCrash
    case promotionAsked
    case segmentReused
    case checkpointCommitted
    case checkpointRecounted
    case recountedWhileServing
    case leafLoaded
    case emptiedPoolChecked
    case slowOperation
    case requestBackpressure
    case shutDownCleanly
    case shutDownUnderLoad
    case crashWhileStopping
    case laneWokeOthers
    /// A request was answered with an error that a fault explains.
    case excusedError
    case fencedRestart
    case refusedWriteHealed
    case recordAppendedAgain
    case segmentContinued
    case mapSearched
    case unreadableTakenForLost
    case goodCopyDroppedUnknowing
    case flushedLostByLie
    case lieRefused
    case lieServed
    case onlyGoodCopyAway
    /// A read or write was answered although the only device with the block hung.
    case answeredForSilent
    case onlyGoodCopyRefused
    case requestCrowdedOut
    case volumeShrunkUnderWrites
    case lateWriteRefused
    case recountedBesideHosts
    case scrubOrdered
    case scrubPassEnded
    case scrubResumed
    case scrubRepaired
    case scrubPoisoned
    case scrubDoubtSettled
    case rotOverwritten
    case superblockMended
    case cutWhileSuperblockMended
    case catalogueLost
    case catalogueMadeAnew
    /// From the checkpoint before the last one that it had committed.
    case catalogueMadeFromEarlier
    case mirrorNotWhole
    case mirrorDamaged
    case mirrorRoundEnded
    case mirrorGivenUp
    case mirrorRotten
    case refusedBesideFenced
    case mirrorScrubbed
}

/// How often each probe was met.
package struct ProbeCounts: Sendable {
    package private(set) var counts = [Int](repeating: 0, count: Probe.allCases.count)

    package init() {}

    package subscript(probe: Probe) -> Int { counts[probe.rawValue] }

    package mutating func count(_ probe: Probe, times: Int = 1) { counts[probe.rawValue] += times }

    package mutating func add(_ other: ProbeCounts) {
        for index in counts.indices { counts[index] += other.counts[index] }
    }
}
