internal import Format
internal import Units

// A disk that is slow, or hangs, must not take all operations of the lane: flash, which hosts and
// checkpoints wait for, would get none.  Each disk has a share, of all disks together a quarter of
// the operations.  One that has it is crowded, until it answers:
//
//      a read that needs it            waits in its list, others pass it
//      a write to a part of a block    waits at the head of the writes that wait
//      moves that read from disk       are not begun
//
// Who is let in asks at once for all that it needs, so that the share may be overrun by the blocks
// of one leaf.
extension Lane {
    /// Sets some operations aside for the log, and gives each disk its share.
    func divideOperations() {
        operations.reserve = 2 + (Witness.pairCount + 2) * pool.devices.count
        let disks = pool.devices.filter { $0.role == .disk }
        for disk in disks {
            operations.limit(disk.index, to: operations.capacity / 4 / disks.count)
        }
    }

    /// The crowded disk that a request has to read these blocks of a leaf from; nil for none.
    func crowdedDisk(
        for request: Int,
        _ slot: Int,
        from start: UInt64,
        to stop: UInt64
    ) -> DeviceIndex? {
        guard operations.crowdedDevices != 0 else { return nil }
        let base = start / UInt64(Geometry.blocksPerLeaf) * UInt64(Geometry.blocksPerLeaf)
        for block in start..<stop {
            let state = leaves.state(slot, Int(block - base))
            guard state.isStored else { continue }
            let location = answering(
                source(of: state, at: block, for: request),
                of: state,
                at: block,
                for: request
            )
            if location.isPlace, operations.isCrowded(location.device),
                bufferedBlock(at: location) == nil
            {
                return location.device
            }
        }
        return nil
    }

    /// Tries the reads again that wait for a disk, as far as it has room or hangs, oldest first.
    /// To be called when it has answered, so that no later one comes before them.
    func retryCrowded(_ device: DeviceIndex) {
        guard !Mutant.crowdedReadsForgotten.isOn else { return }
        let place = Int(device.rawValue)
        var reads = crowdedReads[place]
        crowdedReads[place] = RequestList()
        while !operations.isCrowded(device) || hangs(device), let read = popFirst(of: &reads) {
            resume(read)
        }
        // One that goes on in another leaf comes behind those that were not tried.
        var later = crowdedReads[place]
        crowdedReads[place] = reads
        while let read = popFirst(of: &later) { append(read, to: &crowdedReads[place]) }
    }
}
