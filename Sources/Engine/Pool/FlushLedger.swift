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
// whichever lane.  After one of flash that failed none of flash is ever believed again.  On a disk,
// where nothing is named before it is durable, only what was written before it failed is not: see
// Moves/DiskFlush.

/// Flushes that are believed together: those of all flash devices, or of one disk.
enum FlushDomain: Equatable {
    case flash
    case disk(DeviceIndex)

    fileprivate var ledger: Int {
        switch self {
        case .flash: 0
        case .disk(let device): 1 + Int(device.rawValue)
        }
    }
}

/// The flushes of a domain that were submitted and have not settled.
struct FlushLedger {
    /// Tickets are numbered from 1.
    private(set) var lastTicket: UInt64 = 0
    /// In order.
    private var unsettled: [UInt64] = []
    /// Lanes that wait for flushes of others.
    var waitingLaneCount = 0
    /// Flushes that settled badly.
    fileprivate(set) var failedCount = 0

    mutating func begin() -> UInt64 {
        lastTicket += 1
        unsettled.append(lastTicket)
        return lastTicket
    }

    mutating func settle(_ ticket: UInt64) { unsettled.removeAll { $0 == ticket } }

    func isSettled(through ticket: UInt64) -> Bool { (unsettled.first ?? .max) > ticket }
}

/// What a flush that ended well waits for: all flushes of its domain up to a ticket.
struct FlushBar {
    fileprivate var ledger: Int
    fileprivate var ticket: UInt64
    /// The pool knows that the lane waits.
    fileprivate var isNoted = false
}

/// How a flush that had ended well turned out.
enum FlushBelief { case waiting, believed, failed }

extension Pool {
    func beginFlush(_ domain: FlushDomain) -> UInt64 {
        flushes.withLock { $0[domain.ledger].begin() }
    }

    /// A flush has ended; true when other lanes wait to hear it.
    func settleFlush(_ ticket: UInt64, _ domain: FlushDomain, isGood: Bool) -> Bool {
        flushes.withLock { ledgers in
            ledgers[domain.ledger].settle(ticket)
            if !isGood && !Mutant.failedFlushForgotten.isOn {
                ledgers[domain.ledger].failedCount += 1
                if domain == .flash { noteFlashFlushFailed() }
            }
            return ledgers[domain.ledger].waitingLaneCount > 0
        }
    }

    /// What one must wait for whose flushes of a domain have just ended well.
    func flushBar(_ domain: FlushDomain) -> FlushBar {
        flushes.withLock { ledgers in
            FlushBar(ledger: domain.ledger, ticket: ledgers[domain.ledger].lastTicket)
        }
    }

    /// Whether all that a bar names have settled.  While they have not, the lane counts as waiting:
    /// whoever settles one of them has it woken.  A flush of a disk is believed even so: what it
    /// says, `failedFlushCount` limits.
    func belief(_ bar: inout FlushBar) -> FlushBelief {
        flushes.withLock { ledgers in
            let hasFailed = bar.ledger == FlushDomain.flash.ledger && hasFlashFlushFailed
            let isSettled = ledgers[bar.ledger].isSettled(through: bar.ticket)
            let isOver = hasFailed || isSettled || Mutant.flushBelievedAlone.isOn
            if isOver == bar.isNoted {
                ledgers[bar.ledger].waitingLaneCount += isOver ? -1 : 1
                bar.isNoted = !isOver
            }
            if hasFailed { return .failed }
            return isOver ? .believed : .waiting
        }
    }

    /// Flushes of a domain that have failed since the pool was opened.
    func failedFlushCount(_ domain: FlushDomain) -> Int {
        flushes.withLock { $0[domain.ledger].failedCount }
    }

    /// No flush of flash is believed any more.
    func noteFlashFlushFailed() { flashFlushFailed.store(true, ordering: .releasing) }

    /// Whether no flush of flash can be believed any more.
    var hasFlashFlushFailed: Bool { flashFlushFailed.load(ordering: .acquiring) }
}
