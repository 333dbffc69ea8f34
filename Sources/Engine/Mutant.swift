/// Known bugs, one wrong turn each, which only a build for tests can turn on.  The simulator must
/// find every one of them with random seeds.
package enum Mutant: String, CaseIterable, Sendable {
    case acknowledgeBeforeLanding
    case acknowledgeOutOfOrder
    case flushBeforeEarlierRecords
    case flushAnsweredAtOnce
    case durableWriteIsOrdinary
    case checkpointWithoutFlashFlush
    case copiesNamedUnflushed
    case lostCopiesNamed
    case flushInFlightCoversAll
    case segmentFreedBeforeCommit
    case segmentFreedBeforeWitness
    case oldCatalogueTaken
    case oldDeviceTaken
    case foreignWitnessTaken
    case controlAnsweredEarly
    case segmentReusedUnderRead
    case promotionOverNewer
    case demotionIgnoresOverwrite
    case moveRevivesTrimmed
    case locationNowhereIsHole
    case trimRoundsOutward
    case reservedZeroIsHole
    case inFlightReadFromDevice
    case laterChangeOvertakes
    case mergeTakesZeros
    case capturedLeafEncodedLate
    case dirtyLeafEvicted
    case positionTakenAtCommit
    case failedCommitBelieved
    case replayWithoutChecksums
    case replayAsksForTail
    case missingHalfAsOther
    case refusedBlockIsZero
    case refusalTakenForDamage
    case openingReadsUnflushed
    case openingNotedEarly
    case openingToldUnflushed
    case replayStopsAtSegmentEnd
    case replayIgnoresLimit
    case replayForgetsTrims
    case replayFreesEarly
    case damagedHeaderHidesSegment
    case leftOutReplayed
    case dirtyCopyDropped
    case overwriteKeepsCount
    case trimKeepsCharge
    case vacantTrimAnsweredAtOnce
    case barrenSegmentsKept
    case reclaimReserveTaken
    case copiesOverCopies
    case lanesNotWoken
    case readNotRepeated
    case recoveryReadNotRepeated
    case failedRecordAcknowledged
    case recordMovedWithoutMap
    case landedRecordsStay
    case chainGoesOnFromRefused
    case checkpointOverRefused
    case refusedMoveRecorded
    case failedFlushBelieved
    case failedFlushForgotten
    case flushBelievedAlone
    case cleanCopyIgnored
    case wrongCopyGivenUp
    case refusedCopyGivenUp
    case refusedSourceGivenUp
    case damageReadAsZeros
    case mergeOverDamage
    case checksumTakenAnew
    case poisonBecomesHole
    case shrinkAdmitsLateWrites
    case shrinkKeepsTail
    case scrubSkipsSecondCopy
    case scrubSkipsLeaves
    case scrubGivesUpGoodCopy
    case scrubPoisonsUnlooked
    case scrubForgetsProgress
    case scrubLeavesBadCopy
    case recountMissesChanges
    case silenceSuffered
    case lentBufferReused
    case crowdForgotten
    case superblocksMendedInPlace
    case superblocksNotMended
    case mirrorUnflushed
    case mirrorBeginsEarly
    case mirrorOverTold
    case mirrorSkipsLeaves
    case mirrorRoundLast
    case mirrorForgetsRemoved
    case mirrorUnread
    case witnessOverNewest

    #if MUTANTS
        /// Set once, before any lane is made.
        nonisolated(unsafe) package static var active: Mutant?
        @inline(__always) package var isOn: Bool { unsafe Mutant.active == self }
    #else
        @inline(__always) package var isOn: Bool { false }
    #endif
}
