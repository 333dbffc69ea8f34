package import Policy
internal import Units

extension Lane {
    /// What the policy has decided so far, by reason.
    package var decisions: DecisionCounters { policy.counters }

    /// Where everything stands that a request may wait for, in words: for the report of a lane that
    /// goes on no more.  Walks every leaf and segment.
    package func describe() -> String {
        let parts = [
            describeLog(), describeRequests(), describeMoves(), describeSegments(),
            "checkpoint \(checkpoint.phase)\(checkpoint.isWanted ? ", wanted" : ""), ends "
                + "\(statistics.checkpoints), awaits \(catalogueAwaited.count)",
            "scrubs \(scrubs.map { "\($0.phase) at \($0.nextLeaf) reads \($0.operationCount)" })",
            "shutdown \(shutdown.stage)\(isReadOnly ? ", read-only" : "")",
        ]
        return "lane \(index.rawValue): " + parts.joined(separator: "; ")
    }

    private func describeLog() -> String {
        "records \(hostQueue.count) queued, \(hostRecordsWriting) writing, open \(openHostRecord), "
            + "landed \(landedThrough.rawValue), durable \(durableThrough.rawValue), "
            + "gate \(admissionGate.nanoseconds) at \(now.nanoseconds)"
    }

    private func describeRequests() -> String {
        let lists = [
            "stalled writes \(describe(stalledWrites))", "stalled reads \(describe(stalledReads))",
            "conflicted \(describe(conflicted))",
            "for disks \(crowds.map { describe($0) }.joined(separator: " ")), crowded "
                + String(operations.crowdedDevices, radix: 2),
            "for a flush \(describe(flushWaiters))",
            "unlogged \(unlogged)", "steps \(waitingSteps.count)",
            "operations \(operations.inFlightCount) of \(operations.capacity), silent devices "
                + String(operations.silentDevices, radix: 2),
        ]
        return lists.joined(separator: ", ")
    }

    /// The requests of a list, each with the context that its caller knows it by.
    private func describe(_ list: RequestList) -> String {
        var names: [String] = []
        var at = list.first
        while at >= 0 {
            names.append("\(at) (context \(requests[Int(at)].context))")
            at = requests[Int(at)].next
        }
        return "[\(names.joined(separator: ", "))]"
    }

    private func describeMoves() -> String {
        var phases: [String] = []
        for move in 0..<moves.count where moves[move].phase != .free {
            let target = moves[move].toDisk ? "disk" : "flash"
            let purpose = moveItems[firstItem(move)].purpose
            phases.append(
                "\(moves[move].phase) \(moves[move].itemCount) to \(target) (\(purpose), "
                    + "\(moves[move].operationCount) reads, for \(describe(moves[move].waiters)))"
            )
        }
        let queued =
            "queued \(promotions.count) promotions \(keeps.count) keeps \(demotions.count) "
            + "demotions \(relocations.count) relocations \(poisons.count) poisons"
        return "moves [\(phases.joined(separator: ", "))], \(queued), moving leaves "
            + "\(movingLeafCount) of \(leaves.count), dirty \(leaves.dirtyCount), "
            + "reclaim flash \(describe(flashReclaim)) disk \(describe(diskReclaim))"
    }

    private func describe(_ reclaim: Reclaim) -> String {
        "\(reclaim.phase) segment \(reclaim.victim) chunk \(reclaim.decided) of "
            + "\(reclaim.chunks.count)\(reclaim.isReading ? " reading" : "")"
    }

    private func describeSegments() -> String {
        var names: [String] = []
        for segment in 0..<pool.segments.count {
            let state = pool.segments[segment]
            guard state.use != .free, state.lane == index else { continue }
            let blockCount = pool.geometry(of: segment).segmentBlockCount
            names.append(
                "\(segment) \(state.use) \(state.stream) live \(state.liveBlockCount)/\(blockCount)"
                    + " records \(state.recordsInFlight) readers \(state.readerCount)"
            )
        }
        return
            "segments [\(names.joined(separator: ", "))], barren \(barrenSegments.sorted()), "
            + "for disk \(segmentsForDisk.sorted()), silent \(silentSegments.sorted()), "
            + "unreadable \(unreadableSegments.keys.sorted()), "
            + "found \(foundChunks.keys.sorted()), left in \(mature.segment) "
            + "\(mature.remaining), in \(cold.segment) \(cold.remaining)"
    }
}
