internal import Engine
internal import IO
internal import Units

// Reading a volume back, after a crash and at the end.
extension SimulatedWorld {
    /// Blocks that one verifying read covers at most.
    private var verifyBlockMax: Int { min(parameters.requestByteCountMax / 4096, 32) }

    /// Begins to read what a crash may have changed, and a part of the rest.
    func beginVerification(_ index: Int) {
        let model = volumes[index].model
        var blocks = model.unsettledBlocks
        let share = crashes.pick([0, 0, 1, 4])
        if share > 0 {
            let others = model.knownBlocks.filter { _ in crashes.below(8) < share }
            blocks = Array(Set(blocks).union(others)).sorted()
        }
        let limit = model.byteCount / 4096
        volumes[index].unverified = ranges(of: blocks.filter { $0 < limit })
        volumes[index].isVerifying = true
        endVerificationIfDone(index)
    }

    /// Stretches of neighbouring blocks, last first, none longer than a read may be.
    func ranges(of blocks: [UInt64]) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        for block in blocks {
            if let last = found.last, last.upperBound == block, last.count < verifyBlockMax {
                found[found.count - 1] = last.lowerBound..<(block + 1)
            } else {
                found.append(block..<(block + 1))
            }
        }
        return found.reversed()
    }

    func issueVerification() {
        // What a stop interrupts is begun again behind it.
        guard !isStopping, now >= verificationRestsUntil else { return }
        for index in volumes.indices where volumes[index].isVerifying {
            while let range = volumes[index].unverified.last, volumes[index].outstandingCount < 8 {
                let byteCount = range.count * 4096
                guard admits(.read, index, byteCount: byteCount) else { break }
                volumes[index].unverified.removeLast()
                let bytes = (range.lowerBound * 4096)..<(range.upperBound * 4096)
                let isUnsettled = volumes[index].model.isUnsettled
                let kind: OutstandingRequest.Kind =
                    isOver
                    ? .strayRead
                    : isUnsettled ? .verify : .finalRead(volumes[index].model.beginRead())
                let context = note(kind, index, bytes)
                lanes[volumes[index].lane].read(
                    volumes[index].slot,
                    offset: bytes.lowerBound,
                    byteCount: byteCount,
                    context: context
                )
            }
            endVerificationIfDone(index)
        }
    }

    /// A verifying read was answered.
    func verified(_ finished: Finished, _ request: OutstandingRequest) {
        let model = volumes[request.volume].model
        let first = request.offset / 4096
        for position in 0..<Int(request.byteCount / 4096) where journal.isEmpty {
            model.observe(
                block: first + UInt64(position),
                found: finished.isHole ? nil : finished.data.block(position)
            )
        }
        journal.digest(
            request.offset,
            UInt64(finished.isHole ? 0 : finished.data.checksum(from: 1))
        )
    }

    func endVerificationIfDone(_ index: Int) {
        guard volumes[index].isVerifying, volumes[index].unverified.isEmpty,
            volumes[index].outstandingCount == 0
        else { return }
        volumes[index].isVerifying = false
        // A plan may have waited for it.
        isStirred = true
        if volumes[index].model.isUnsettled, !isOver { volumes[index].model.settle() }
    }
}
