internal import Format
internal import Units

// A volume gets smaller in one request, so that nothing which lies behind its new end ever shows
// again, also when it grows later:
//
// 1. No request that reaches behind the new end is begun any more, however long ago its payload
//    began to arrive.
// 2. Changes that were begun before and reach there come first, as with any change (`arrival`).
// 3. The rest of the last block is zeroed; the blocks behind it are trimmed.
// 4. The new size is logged, behind 3, and answered when it is durable.
//
// A crash between 3 and 4 leaves the old size, with zeros where the administrator wanted nothing.
extension Lane {
    /// What requests may reach of a volume, in bytes from its start.
    @inline(__always)
    func servedByteCount(_ volume: Int) -> UInt64 {
        if Mutant.shrinkAdmitsLateWrites.isOn { return volumes[volume].byteCount }
        return min(volumes[volume].byteCount, volumes[volume].admittedByteCount)
    }

    /// Begins to take away what lies behind `byteCount`, which is less than the volume's size.
    func beginShrinking(_ request: Int, to byteCount: UInt64) {
        let volume = Int(requests[request].volume)
        volumes[volume].admittedByteCount = byteCount
        requests[request].isShrinking = true
        noteArrival(request)
        let blockEnd = wholeBlocks(byteCount)
        if byteCount < blockEnd {
            requests[request].kind = .writeZeroes
            requests[request].offset = byteCount
            requests[request].byteCount = blockEnd - byteCount
            return attemptChange(request)
        }
        trimBehindEnd(request)
    }

    /// The end of the block in which byte `byteCount - 1` lies.
    private func wholeBlocks(_ byteCount: UInt64) -> UInt64 {
        let block = UInt64(Geometry.blockByteCount)
        return (byteCount + block - 1) / block * block
    }

    /// A part of it is in the log, wholly: the next one.
    func goOnShrinking(_ request: Int) {
        if requests[request].kind == .writeZeroes {
            trimBehindEnd(request)
        } else {
            logSmallerSize(request)
        }
    }

    private func trimBehindEnd(_ request: Int) {
        let volume = Int(requests[request].volume)
        let first = wholeBlocks(volumes[volume].admittedByteCount)
        let end = wholeBlocks(volumes[volume].byteCount)
        guard first < end, !Mutant.shrinkKeepsTail.isOn else { return logSmallerSize(request) }
        requests[request].kind = .trim
        requests[request].offset = first
        requests[request].byteCount = end - first
        requests[request].progress = 0
        attemptChange(request)
    }

    private func logSmallerSize(_ request: Int) {
        noteLogged(request)
        let volume = Int(requests[request].volume)
        let byteCount = volumes[volume].admittedByteCount
        take(WaitingStep(request: request, step: .resize(byteCount: byteCount)))
    }

    /// The volume is smaller, or stays as it was.
    func endShrinking(_ request: Int) {
        requests[request].isShrinking = false
        requests[request].kind = .resizeVolume
        volumes[Int(requests[request].volume)].admittedByteCount = .max
    }

    /// Whether the first block of a part, covered in part, reads as zeros already: to zero a part
    /// of it would make it own space.
    func isZeroAtHead(_ part: ChangePart, in found: PartLeaves) -> Bool {
        let place = Int(part.first % UInt64(Geometry.blocksPerLeaf))
        let state = leaves.state(found.slot(of: part.first), place)
        return part.hasPartialHead && (state.isAbsent || state.kind == .zero)
    }
}
