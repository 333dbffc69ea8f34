internal import Catalogue
internal import Engine
internal import IO
internal import Units

// What the engine answers, held against the model.
extension SimulatedWorld {
    func reply(_ finished: Finished, lane: Int) {
        guard let request = outstanding.removeValue(forKey: finished.context) else {
            return journal.report(
                .replyRules,
                "lane \(lane) answers \(finished.context), which nobody waits for"
            )
        }
        volumes[request.volume].outstandingCount -= 1
        isStirred = true
        journal.trace("reply \(finished.context): \(finished.status)")
        journal.digest(finished.context, UInt64(finished.status.rawValue))
        check(finished, request)
        checkPatience(request)
        switch finished.status {
        case .done: done(finished, request, lane: lane)
        case .noSpace: refused(request, finished.context)
        case .shuttingDown where isStopping: turnedAway(request)
        case .invalid where request.isLate: refusedLate(request)
        case .mediaError where isExcused(finished, request, lane: lane),
            .readOnly where isExcused(finished, request, lane: lane),
            .invalid where isExcused(finished, request, lane: lane):
            endExcused(request, finished.status, lane: lane)
        case .mediaError where isRotten(request): metRot(request)
        case .mediaError, .readOnly, .shuttingDown, .invalid:
            journal.report(
                .errorHasReason,
                "\(request.kind) on volume \(volumes[request.volume].model.number) bytes "
                    + "\(request.offset) + \(request.byteCount) ends with \(finished.status) at "
                    + "\(finished.failedOffset), now "
                    + (look(request.volume, finished.failedOffset / 4096).map { "\($0)" }
                        ?? "unknown")
                    + ": " + eventTexts(lane)
            )
        }
        keepOrRelease(finished, lane: lane)
    }

    /// What the lane has said to admins, for a report.
    private func eventTexts(_ lane: Int) -> String {
        catalogue.tables.events.suffix(3).map(\.text).joined(separator: "; ")
    }

    /// Rules that hold of every reply.
    private func check(_ finished: Finished, _ request: OutstandingRequest) {
        var isRead = false
        switch request.kind {
        case .read, .verify, .finalRead, .strayRead: isRead = true
        default: break
        }
        let wanted =
            isRead && finished.status == .done && !finished.isHole ? Int(request.byteCount) : 0
        if finished.data.byteCount != wanted {
            journal.report(
                .replyRules,
                "\(request.kind) of \(request.byteCount) bytes is answered with "
                    + "\(finished.data.byteCount)"
            )
        }
    }

    private func done(_ finished: Finished, _ request: OutstandingRequest, lane: Int) {
        let index = request.volume
        let model = volumes[index].model
        switch request.kind {
        case .read(let bound), .finalRead(let bound):
            if finished.isHole { journal.met(.holeReply) }
            digest(finished)
            model.check(
                read: finished.isHole ? nil : finished.data,
                offset: request.offset,
                byteCount: Int(request.byteCount),
                bound: bound
            )
        case .verify: verified(finished, request)
        case .strayRead: checkOwner(finished, request)
        case .extents(let bound): checkExtents(finished, request, bound: bound, lane: lane)
        case .change(let order):
            model.acknowledge(order)
            if request.isDurable { considerCrashAfterFlush() }
        case .flush(let bound):
            model.flushed(bound)
            considerCrashAfterFlush()
        case .promote, .shutDown: break
        case .create: created(index)
        case .resize(let order):
            journal.met(.volumeGrown)
            model.acknowledge(order)
            endPlanStep(index)
        case .shrink(let order, let trim):
            journal.met(.volumeShrunk)
            model.acknowledge(trim)
            model.acknowledge(order)
            endPlanStep(index)
            considerCrashAfterFlush()
        case .lateWrite:
            journal.report(
                .replyRules,
                "volume \(model.number): a write from byte \(request.offset) on is done while the "
                    + "volume loses it"
            )
        case .destroy:
            volumes[index].life = .gone
            journal.met(.volumeDestroyed)
            endPlanStep(index)
        }
    }

    private func created(_ index: Int) {
        guard let slot = lanes[volumes[index].lane].slot(of: volumes[index].row.identifier) else {
            return journal.report(.replyRules, "a volume that was created has no slot")
        }
        volumes[index].slot = slot
        volumes[index].life = .live
        journal.met(.volumeCreated)
    }

    private func digest(_ finished: Finished) {
        guard journal.isDigesting else { return }
        journal.digest(
            finished.context,
            UInt64(finished.isHole ? 0 : finished.data.checksum(from: 1))
        )
    }

    private func checkExtents(
        _ finished: Finished,
        _ request: OutstandingRequest,
        bound: ReadBound,
        lane: Int
    ) {
        var answers: [ExtentAnswer] = []
        for index in 0..<finished.extentCount {
            let extent = lanes[lane].extent(of: finished.token, index: index)
            answers.append(
                ExtentAnswer(
                    byteCount: extent.byteCount,
                    isHole: extent.state.contains(.hole),
                    isZero: extent.state.contains(.zero),
                    isPoisoned: extent.state.contains(.poisoned)
                )
            )
            if extent.state.contains(.disk) {
                journal.met(
                    extent.state.contains(.flash) ? .cleanCopyExtentSeen : .demotedExtentSeen
                )
            }
            if extent.state.contains(.zero) && !extent.state.contains(.hole) {
                journal.met(.reservedZeroSeen)
            }
            if extent.state.contains(.moving) { journal.met(.readMetMovingBlock) }
            journal.digest(extent.byteCount, UInt64(extent.state.rawValue))
        }
        volumes[request.volume].model.check(
            extents: answers,
            offset: request.offset,
            byteCount: request.byteCount,
            bound: bound,
            mayBePoisoned: { [atlas] block in
                atlas?.excuses(request.volume, block, since: request.begunAt) ?? false
            }
        )
    }

    /// A request that came when the lane was stopping did nothing.
    private func turnedAway(_ request: OutstandingRequest) {
        let index = request.volume
        switch request.kind {
        case .change(let order), .resize(let order):
            volumes[index].model.refuse(order, leavesNothing: true)
        case .lateWrite(let order):
            volumes[index].model.refuse(order, leavesNothing: true)
        case .shrink(let order, let trim):
            volumes[index].model.refuse(order, leavesNothing: true)
            volumes[index].model.refuse(trim, leavesNothing: true)
        case .create: volumes[index].life = .gone
        case .destroy: volumes[index].life = .live
        case .read(let bound), .extents(let bound), .finalRead(let bound):
            volumes[index].model.endRead(bound)
        case .flush, .promote, .verify, .strayRead, .shutDown: break
        }
        if request.isControl { endPlanStep(index) }
    }

    // MARK: No space

    private func refused(_ request: OutstandingRequest, _ context: UInt64) {
        let index = request.volume
        switch request.kind {
        case .change where request.isTrim, .destroy:
            journal.report(
                .errorHasReason,
                "\(request.kind) gives space back and is answered with noSpace"
            )
        case .change(let order):
            let needed = Int(request.byteCount / 4096) + 2
            if contextWhenFull <= context { checkFullness(needed, request) }
            volumes[index].model.refuse(order)
            journal.met(.noSpaceReply)
            rereadDoubtful(index)
        case .resize(let order):
            volumes[index].model.refuse(order)
            endPlanStep(index)
        case .create: volumes[index].life = .gone
        default:
            journal.report(.errorHasReason, "\(request.kind) is answered with noSpace")
        }
    }

    /// A write may be refused only when the pool may be full, or was since it was asked for.
    private func checkFullness(_ needed: Int, _ request: OutstandingRequest) {
        guard let pool else { return }
        var most = needed
        for volume in volumes where volume.life != .creating {
            most += volume.model.chargedBlockCount.most
        }
        if most <= pool.capacityBlockCount {
            journal.report(
                .errorHasReason,
                "a write of \(request.byteCount) bytes finds no space: at most \(most) blocks are "
                    + "owned or asked for, \(pool.capacityBlockCount) fit, "
                    + "\(pool.chargedBlocks) are charged"
            )
        }
    }

    /// A request that was cut half-way leaves it open what is there: the next reads show it.
    func rereadDoubtful(_ index: Int) {
        let limit = volumes[index].model.blockCount
        let doubtful = volumes[index].model.doubtfulBlocks.filter { $0 < limit }
        guard !doubtful.isEmpty, !volumes[index].isVerifying else { return }
        volumes[index].unverified = ranges(of: doubtful)
        volumes[index].isVerifying = true
    }

    // MARK: Buffers

    /// Gives the reply back at once, or after a while in which its data must not change.
    private func keepOrRelease(_ finished: Finished, lane: Int) {
        guard finished.data.byteCount > 0, parameters.holdNanoseconds > 0 else {
            return lanes[lane].release(finished.token)
        }
        let reply = HeldReply(
            lane: lane,
            token: finished.token,
            data: finished.data,
            checksum: finished.data.checksum(from: 0)
        )
        let index = held.firstIndex { $0 == nil } ?? held.count
        if index == held.count { held.append(reply) } else { held[index] = reply }
        events.add(
            .release(index: index),
            at: now + schedule.below(2 * parameters.holdNanoseconds)
        )
    }

    func releaseHeld(_ index: Int) {
        guard let reply = held[index] else { return }
        held[index] = nil
        if reply.data.checksum(from: 0) != reply.checksum {
            journal.report(.replyRules, "the data of a reply changed before it was released")
        }
        lanes[reply.lane].release(reply.token)
        isStirred = true
        needsTurn[reply.lane] = true
    }
}
