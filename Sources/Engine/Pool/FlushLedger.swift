internal import IO
internal import Synchronization
internal import Units

// A device that fails to flush may have lost what any lane wrote, and tells only one of those who
// asked: for the others, and the next time, it succeeds.
//
//      lane 0   flush |----------- failed            what lane 1 wrote went with it,
//      lane 1       flush |--- done                  although its flush says nothing of that
//
// So a flush is believed only when all that were in flight when it ended have settled well, of
// whichever lane; and after one that failed none is ever believed again.

/// The flushes of one tier that were submitted and have not settled.
struct FlushLedger {
    /// Tickets are numbered from 1.
    private(set) var lastTicket: UInt64 = 0
    /// In order.
    private var unsettled: [UInt64] = []
    /// Lanes that wait for flushes of others.
    var waitingLaneCount = 0

    mutating func begin() -> UInt64 {
        lastTicket += 1
        unsettled.append(lastTicket)
        return lastTicket
    }

    mutating func settle(_ ticket: UInt64) { unsettled.removeAll { $0 == ticket } }

    func isSettled(through ticket: UInt64) -> Bool { (unsettled.first ?? .max) > ticket }
}

/// What a flush that ended well waits for: all flushes up to these tickets.
struct FlushBar {
    var flash: UInt64
    var disk: UInt64
    /// The pool knows that the lane waits.
    var isNoted = false
}

/// How a flush that had ended well turned out.
enum FlushBelief { case waiting, believed, failed }

extension Pool {
    func beginFlush(_ role: DeviceRole) -> UInt64 {
        flushes.withLock { $0[role == .flash ? 0 : 1].begin() }
    }

    /// A flush has ended; true when other lanes wait to hear it.
    func settleFlush(_ ticket: UInt64, _ role: DeviceRole, isGood: Bool) -> Bool {
        flushes.withLock { ledgers in
            let tier = role == .flash ? 0 : 1
            ledgers[tier].settle(ticket)
            if !isGood && !Mutant.failedFlushForgotten.isOn { noteFlushFailed(role) }
            return ledgers[tier].waitingLaneCount > 0
        }
    }

    /// What one must wait for whose flushes of these tiers have just ended well.
    func flushBar(flash: Bool, disk: Bool) -> FlushBar {
        flushes.withLock { ledgers in
            FlushBar(
                flash: flash ? ledgers[0].lastTicket : 0,
                disk: disk ? ledgers[1].lastTicket : 0
            )
        }
    }

    /// Whether all that a bar names have settled.  While they have not, the lane counts as waiting:
    /// whoever settles one of them has it woken.
    func belief(_ bar: inout FlushBar) -> FlushBelief {
        flushes.withLock { ledgers in
            let hasFailed =
                bar.flash > 0 && hasFlushFailed(.flash) || bar.disk > 0 && hasFlushFailed(.disk)
            let isSettled =
                ledgers[0].isSettled(through: bar.flash) && ledgers[1].isSettled(through: bar.disk)
            let isOver = hasFailed || isSettled || Mutant.flushBelievedAlone.isOn
            if isOver == bar.isNoted {
                for tier in 0..<2 { ledgers[tier].waitingLaneCount += isOver ? -1 : 1 }
                bar.isNoted = !isOver
            }
            if hasFailed { return .failed }
            return isOver ? .believed : .waiting
        }
    }

    /// No flush of the tier is believed any more.
    func noteFlushFailed(_ role: DeviceRole) {
        switch role {
        case .flash: flashFlushFailed.store(true, ordering: .releasing)
        case .disk: diskFlushFailed.store(true, ordering: .releasing)
        }
    }

    /// Whether no flush of the tier can be believed any more.
    func hasFlushFailed(_ role: DeviceRole) -> Bool {
        switch role {
        case .flash: flashFlushFailed.load(ordering: .acquiring)
        case .disk: diskFlushFailed.load(ordering: .acquiring)
        }
    }
}
