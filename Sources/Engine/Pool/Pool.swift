internal import IO
internal import Synchronization
package import Units

/// What the lanes of a pool share: the devices' division, the free segments, and the space ledger.
///
/// A segment belongs to one lane while it is in use, and only that lane touches its state; it
/// passes between lanes through the free list, under the lock.  The lock is taken once for a
/// segment and never for a request; the ledger is one atomic counter.
package final class Pool: Sendable {
    package let identifier: PoolIdentifier
    package let laneCount: Int
    package let incarnation: UInt32
    package let devices: [DeviceGeometry]
    package let deviceIdentifiers: [DeviceIdentifier]
    /// Of all devices, one after another; `slot(of:)` says where.
    let segments: Slab<SegmentState>
    private let firstSlots: [Int]
    private let allocation: Guarded<Allocation>
    /// Blocks that volumes own, by writes and reserved zeros.
    private let chargedBlockCount = Atomic<Int>(0)
    private let freeFlash = Atomic<Int>(0)
    private let freeDisk = Atomic<Int>(0)
    /// Lanes that found no segment in their last turn.
    private let starvedLaneCount = Atomic<Int>(0)
    /// Lanes whose hosts wait for a flash segment.
    private let waitingLaneCount = Atomic<Int>(0)
    /// Flash segments that were taken while others were left to reclaim.
    private let takenByHosts = Atomic<Int>(0)
    /// Lanes that change nothing any more.
    private let readOnlyLaneCount = Atomic<Int>(0)
    /// Lanes that stop and whose hosts wait for nothing any more.
    private let quietLaneCount = Atomic<Int>(0)
    /// The device that refused a write last; -1 for none.
    private let refusingDevice = Atomic<Int>(-1)
    let flashFlushFailed = Atomic<Bool>(false)
    /// Of flash, and of each device.  The lock is taken a few times for each flush of a device.
    let flushes: Guarded<[FlushLedger]>
    package let flashSegmentCount: Int
    package let diskSegmentCount: Int
    /// Blocks that volumes may own in all.
    package let capacityBlockCount: Int

    /// The segment of which blocks may be taken for lost, and until when those of no other may.
    private let givenUp = Guarded<(segment: Int, until: Instant)>((-1, Instant(nanoseconds: 0)))

    private struct Allocation {
        var freeFlash: [Int] = []
        var freeDisk: [Int] = []
        var nextSequence: UInt64 = 1
    }

    package init(
        identifier: PoolIdentifier,
        laneCount: Int,
        incarnation: UInt32,
        devices: [DeviceGeometry],
        deviceIdentifiers: [DeviceIdentifier],
        recordDataBlockMax: Int = LaneConfiguration().recordDataBlockMax
    ) {
        self.identifier = identifier
        self.laneCount = laneCount
        self.incarnation = incarnation
        self.devices = devices
        self.deviceIdentifiers = deviceIdentifiers
        var slots: [Int] = []
        var total = 0
        for device in devices {
            slots.append(total)
            total += device.segmentCount
        }
        firstSlots = slots
        segments = Slab(count: max(total, 1), repeating: SegmentState())
        allocation = Guarded(Allocation())
        flushes = Guarded(Array(repeating: FlushLedger(), count: 1 + devices.count))
        let flash = devices.filter { $0.role == .flash }
        let disk = devices.filter { $0.role == .disk }
        flashSegmentCount = flash.reduce(0) { $0 + $1.segmentCount }
        diskSegmentCount = disk.reduce(0) { $0 + $1.segmentCount }
        capacityBlockCount =
            Self.usable(flash, Self.flashReserve * laneCount, recordDataBlockMax)
            + Self.usable(disk, Self.diskReserve * laneCount, recordDataBlockMax)
    }

    deinit { segments.deallocate() }

    /// Flash segments a lane needs to go on when the pool is full: an open one for each of its two
    /// flash streams, what hosts leave to reclaim, and what waits for a checkpoint.
    package static var flashReserve: Int { 8 }
    /// Disk segments a lane needs to go on: an open one, and room to compact into.
    package static var diskReserve: Int { 4 }
    /// Blocks that a record of copies holds however scattered their addresses are: 4,000 bytes of
    /// table / (32 for an entry + 12 for its one block).
    static var scatteredCopyCount: Int { 90 }

    /// Blocks of data that devices of one role can hold at 7/8 of what the reserve leaves: reclaim
    /// must find segments that are not quite full of live blocks.  A segment loses its header, and
    /// two blocks for each record.
    private static func usable(
        _ devices: [DeviceGeometry],
        _ reserve: Int,
        _ recordDataBlockMax: Int
    ) -> Int {
        let copies = min(recordDataBlockMax - 1, scatteredCopyCount)
        var blocks = 0
        var segments = 0
        var perSegment = 0
        for device in devices {
            perSegment = (device.segmentBlockCount - 1) * copies / (copies + 2)
            blocks += device.segmentCount * perSegment
            segments += device.segmentCount
        }
        return max(blocks - min(reserve, segments) * perSegment, 0) / 8 * 7
    }

    // MARK: Places

    func slot(of address: SegmentAddress) -> Int {
        firstSlots[Int(address.device.rawValue)] + Int(address.index.rawValue)
    }

    /// The segment that holds a location.
    @inline(__always)
    func slot(of location: Location) -> Int {
        let device = Int(location.device.rawValue)
        let block = Int(location.block - DeviceGeometry.firstSegmentBlock)
        return firstSlots[device] + block / devices[device].segmentBlockCount
    }

    func address(of slot: Int) -> SegmentAddress {
        var device = firstSlots.count - 1
        while firstSlots[device] > slot { device -= 1 }
        return SegmentAddress(
            device: DeviceIndex(UInt8(device)),
            index: SegmentIndex(UInt32(slot - firstSlots[device]))
        )
    }

    func geometry(of slot: Int) -> DeviceGeometry {
        devices[Int(address(of: slot).device.rawValue)]
    }

    /// Whether a location from outside lies on a device of this pool with this role.
    package func isPlace(_ location: Location, role: DeviceRole) -> Bool {
        let device = Int(location.device.rawValue)
        return location.isPlace && device < devices.count && devices[device].role == role
            && devices[device].contains(location)
    }

    // MARK: Free segments

    /// No segment that an earlier incarnation opened has a higher sequence number, and none that
    /// this one opens has a lower one.
    var newestSequenceBefore: UInt64 { UInt64(incarnation) << 32 }

    /// Puts every segment whose state is free into the free lists.  Called once, after recovery.
    package func beginAllocation() {
        allocation.withLock { lists in
            lists.nextSequence = newestSequenceBefore + 1
            for device in devices {
                for index in 0..<device.segmentCount {
                    let slot = firstSlots[Int(device.index.rawValue)] + index
                    guard segments[slot].use == .free else { continue }
                    if device.role == .flash {
                        lists.freeFlash.append(slot)
                    } else {
                        lists.freeDisk.append(slot)
                    }
                }
            }
            // Taken from the end: lowest addresses first.
            lists.freeFlash.reverse()
            lists.freeDisk.reverse()
            freeFlash.store(lists.freeFlash.count, ordering: .relaxed)
            freeDisk.store(lists.freeDisk.count, ordering: .relaxed)
        }
    }

    /// Free segments of a role, at this moment.
    package func freeSegmentCount(_ role: DeviceRole) -> Int {
        role == .flash
            ? freeFlash.load(ordering: .relaxed) : freeDisk.load(ordering: .relaxed)
    }

    package func segmentCount(_ role: DeviceRole) -> Int {
        role == .flash ? flashSegmentCount : diskSegmentCount
    }

    /// Blocks of the smallest segments of a role; zero when no device has it.
    func segmentBlockCountMin(_ role: DeviceRole) -> Int {
        var least = Int.max
        for device in devices where device.role == role {
            least = min(least, device.segmentBlockCount)
        }
        return least == .max ? 0 : least
    }

    /// Takes a free segment; nil when no more than `reserve` are left.  The sequence number that it
    /// gets was never used.
    func acquireSegment(_ role: DeviceRole, leaving reserve: Int) -> (slot: Int, sequence: UInt64)?
    {
        allocation.withLock { lists -> (slot: Int, sequence: UInt64)? in
            let slot: Int
            if role == .flash {
                guard lists.freeFlash.count > reserve else { return nil }
                slot = lists.freeFlash.remove(at: preferred(lists.freeFlash))
                freeFlash.store(lists.freeFlash.count, ordering: .relaxed)
                if reserve > 0 { takenByHosts.wrappingAdd(1, ordering: .relaxed) }
            } else {
                guard lists.freeDisk.count > reserve else { return nil }
                slot = lists.freeDisk.remove(at: preferred(lists.freeDisk))
                freeDisk.store(lists.freeDisk.count, ordering: .relaxed)
            }
            let sequence = lists.nextSequence
            lists.nextSequence += 1
            return (slot, sequence)
        }
    }

    /// Which of these segments to take: the last that is not on the device which refused a write
    /// last, if there is one.
    private func preferred(_ free: [Int]) -> Int {
        let avoided = refusingDevice.load(ordering: .relaxed)
        guard avoided >= 0 else { return free.count - 1 }
        let other = free.lastIndex { Int(address(of: $0).device.rawValue) != avoided }
        return other ?? free.count - 1
    }

    /// A device refused a write: segments are taken elsewhere first, as far as there are any.
    func noteWriteRefused(_ device: DeviceIndex) {
        refusingDevice.store(Int(device.rawValue), ordering: .relaxed)
    }

    /// The device that refused a write last, if another one of its role has a free segment.
    func avoidedDevice(_ role: DeviceRole) -> DeviceIndex? {
        let avoided = refusingDevice.load(ordering: .relaxed)
        guard avoided >= 0, devices[avoided].role == role else { return nil }
        let hasOther = allocation.withLock { lists in
            (role == .flash ? lists.freeFlash : lists.freeDisk).contains {
                Int(address(of: $0).device.rawValue) != avoided
            }
        }
        return hasOther ? devices[avoided].index : nil
    }

    /// Blocks of the smallest free segment of a role; zero when there is none.
    func freeSegmentBlockCountMin(_ role: DeviceRole) -> Int {
        allocation.withLock { lists in
            (role == .flash ? lists.freeFlash : lists.freeDisk)
                .map { geometry(of: $0).segmentBlockCount }.min() ?? 0
        }
    }

    /// Gives back a segment that a durable checkpoint has forgotten and nobody reads.
    func releaseSegment(_ slot: Int) {
        let role = geometry(of: slot).role
        allocation.withLock { lists in
            segments[slot] = SegmentState()
            if role == .flash {
                lists.freeFlash.insert(slot, at: 0)
                freeFlash.store(lists.freeFlash.count, ordering: .relaxed)
            } else {
                lists.freeDisk.insert(slot, at: 0)
                freeDisk.store(lists.freeDisk.count, ordering: .relaxed)
            }
        }
    }

    // MARK: What lanes tell each other

    /// Relaxed, as in `hasStarvedLanes`: a lane notes that it is starved before it looks for a
    /// segment once more, and asks for starved lanes after it gave one back; the lock of the free
    /// lists stands between.
    func noteStarved(_ isStarved: Bool) {
        starvedLaneCount.wrappingAdd(isStarved ? 1 : -1, ordering: .relaxed)
    }

    var hasStarvedLanes: Bool { starvedLaneCount.load(ordering: .relaxed) > 0 }

    func noteWaitingHosts(_ areWaiting: Bool) {
        waitingLaneCount.wrappingAdd(areWaiting ? 1 : -1, ordering: .relaxed)
    }

    /// Whether hosts of any lane wait for a flash segment.
    var hasWaitingHosts: Bool { waitingLaneCount.load(ordering: .relaxed) > 0 }

    /// A lane changes nothing any more: the segments that it has stay as they are.
    func noteReadOnly() { readOnlyLaneCount.wrappingAdd(1, ordering: .relaxed) }

    /// Whether any lane changes nothing any more.
    var hasReadOnlyLanes: Bool { readOnlyLaneCount.load(ordering: .relaxed) > 0 }

    /// Flash segments that were taken by who leaves some to reclaim, in all.
    var hostSegmentCount: Int { takenByHosts.load(ordering: .relaxed) }

    /// Whether blocks of a segment may be taken for lost, for which hosts wait: of one segment of
    /// the pool at a time.
    func mayGiveUp(_ segment: Int, at now: Instant, for nanoseconds: UInt64) -> Bool {
        givenUp.withLock { given in
            if given.until <= now { given = (segment, now.advanced(byNanoseconds: nanoseconds)) }
            return given.segment == segment
        }
    }

    /// To be called once by each lane that stops.
    func noteQuiet() { quietLaneCount.wrappingAdd(1, ordering: .relaxed) }

    /// No lane has a host that may wait for a segment.
    var areAllLanesQuiet: Bool { quietLaneCount.load(ordering: .relaxed) >= laneCount }

    // MARK: Ledger

    /// Charges blocks to volumes; false, and nothing is charged, when the pool is full.
    func charge(_ blockCount: Int) -> Bool {
        let before = chargedBlockCount.wrappingAdd(blockCount, ordering: .relaxed).oldValue
        guard before + blockCount > capacityBlockCount else { return true }
        chargedBlockCount.wrappingSubtract(blockCount, ordering: .relaxed)
        return false
    }

    /// Charges without asking: recovery counts what is there.
    package func chargeUnconditionally(_ blockCount: Int) {
        chargedBlockCount.wrappingAdd(blockCount, ordering: .relaxed)
    }

    func refund(_ blockCount: Int) {
        chargedBlockCount.wrappingSubtract(blockCount, ordering: .relaxed)
    }

    /// Blocks that volumes own.
    package var chargedBlocks: Int { chargedBlockCount.load(ordering: .relaxed) }
}
