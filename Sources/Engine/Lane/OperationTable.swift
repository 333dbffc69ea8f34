internal import IO
internal import Units

/// A device operation in flight: whose it is, and which blocks of the owner's buffer it fills.
struct OperationSlot: BitwiseCopyable {
    enum Owner: UInt8, BitwiseCopyable {
        case free
        /// A host's read; `owner` is the request.
        case request
        /// The old contents at the ends of a write; `owner` is the request.
        case merge
        /// A host record; `owner` is the record.
        case record
        /// Reading the source of a move; `owner` is the move.
        case moveRead
        /// Writing a move's record.
        case moveWrite
        /// Reading back what a move wrote to disk.
        case moveVerify
        /// Flushing a disk behind moves; `owner` is the device.
        case moveFlush
        /// Reading the headers of a reclaimed segment.
        case scan
        /// Asking once more for what a move was refused.
        case ask
        /// A read of the scrub; `owner` is the tier.
        case scrub
        /// A flash flush for hosts.
        case flush
        /// A flush before a checkpoint is committed, or behind its witness.
        case checkpointFlush
        /// The witness of a checkpoint; `owner` is twice the device, and which of a pair it is.
        case witness
        /// A piece of a record of the mirror.
        case mirror
        /// A read of the scrub, of the mirror.
        case mirrorLook
        case discard
        /// A read that its request waits for no more; `owner` is the buffer.
        case orphan

        var isFlush: Bool { self == .moveFlush || self == .flush || self == .checkpointFlush }
    }
    var owner = Owner.free
    var ownerIndex: Int32 = -1
    var generation: UInt32 = 0
    /// First block of the owner's buffer, and how many.
    var firstBlock: Int32 = 0
    var blockCount: Int32 = 0
    /// The segment that is read; -1 when it needs no guard.
    var segment: Int32 = -1
    /// Of a read that is done again in pieces: blocks behind this piece that are still to be read.
    var tailCount: Int32 = 0
    /// Of a flush: see Pool/FlushLedger.
    var ticket: UInt64 = 0
    /// It failed before: one block that was asked for alone, or the write of a record.
    var isRepeated = false
    /// Of one block that was asked for alone: its bytes were wrong the last time.
    var wasWrong = false
    /// Where on the device it begins; known once it is submitted.
    var location = Location.nowhere
    var nextFree: Int32 = -1
}

/// What a lane asks a device for.
package enum OperationPurpose: Sendable {
    case hostRead, mergeRead, hostRecord, moveRead, moveRecord, verifyRead, scanRead, scrubRead
    case mirrorRead
    case recordFlush, checkpointFlush, moveFlush, witness, mirror, discard
}

/// The operations of a lane that have not completed, and those that wait to be taken.
struct OperationTable {
    private let slots: Slab<OperationSlot>
    private let outbox: Slab<Operation>
    private var outboxFirst = 0
    private var outboxCount = 0
    private var firstFree: Int32 = 0
    let capacity: Int
    private(set) var inFlightCount = 0
    private let watches: Slab<DeviceWatch>
    /// A bit for each device that has answered nothing for long: see Lane/Silence.
    private(set) var silentDevices: UInt64 = 0
    /// A bit for each device that has answered nothing for a while.
    private(set) var lateDevices: UInt64 = 0
    /// A bit for each device that has as many operations as may wait for it: see Lane/Crowding.
    private(set) var crowdedDevices: UInt64 = 0

    /// What a device owes.
    private struct DeviceWatch: BitwiseCopyable {
        var inFlightCount = 0
        /// The same with those in the outbox, and how many may be.
        var submittedCount = 0
        var submittedMax = Int.max
        /// When it answered last, or was asked for something while it owed nothing; and likewise
        /// for what it was asked besides flushes, which may take long and hold up nothing else.
        var quietSince = Instant(nanoseconds: 0)
        var owesSince = Instant(nanoseconds: 0)
        /// Of those in flight, how many are no flushes.
        var owedCount = 0
        /// It did so since the last turn.
        var hasStirred = false
        var hasBegun = false
    }

    init(capacity: Int, deviceCount: Int) {
        self.capacity = capacity
        watches = Slab(count: deviceCount, repeating: DeviceWatch())
        slots = Slab(count: capacity, repeating: OperationSlot())
        for index in 0..<capacity {
            slots[index].nextFree = index + 1 < capacity ? Int32(index + 1) : -1
        }
        let nothing = Operation(
            kind: .flush,
            device: DeviceIndex(0),
            offset: 0,
            byteCount: 0,
            region: .empty,
            token: 0
        )
        outbox = Slab(count: capacity, repeating: nothing)
    }

    /// Limits how many operations may wait for a device.
    func limit(_ device: DeviceIndex, to count: Int) {
        watches[Int(device.rawValue)].submittedMax = count
    }

    func deallocate() {
        slots.deallocate()
        outbox.deallocate()
        watches.deallocate()
    }

    var freeCount: Int { capacity - inFlightCount }
    /// Slots that are left for the open host record, which is written whenever it is closed, and
    /// for flushes.  Set once.
    var reserve = 1
    /// What others may take.
    var spareCount: Int { max(0, freeCount - reserve) }

    /// Puts an operation into the outbox.  The caller has checked `freeCount`.
    mutating func submit(
        _ kind: Operation.Kind,
        at location: (device: DeviceIndex, block: UInt64),
        blockCount: Int,
        region: BufferRegion,
        for slot: OperationSlot
    ) {
        invariant(firstFree >= 0, "an operation slot is free")
        let index = Int(firstFree)
        firstFree = slots[index].nextFree
        let generation = slots[index].generation &+ 1
        slots[index] = slot
        slots[index].generation = generation
        slots[index].location = Location(device: location.device, block: location.block)
        inFlightCount += 1
        let device = Int(location.device.rawValue)
        watches[device].submittedCount += 1
        if _slowPath(watches[device].submittedCount >= watches[device].submittedMax) {
            crowdedDevices |= 1 << UInt64(device)
        }
        let place = (outboxFirst + outboxCount) % capacity
        outboxCount += 1
        outbox[place] = Operation(
            kind: kind,
            device: location.device,
            offset: location.block * UInt64(Geometry.blockByteCount),
            byteCount: UInt64(blockCount * Geometry.blockByteCount),
            region: region,
            token: UInt64(generation) << 32 | UInt64(index)
        )
    }

    mutating func next() -> Operation? {
        guard outboxCount > 0 else { return nil }
        let operation = outbox[outboxFirst]
        outboxFirst = outboxFirst + 1 == capacity ? 0 : outboxFirst + 1
        outboxCount -= 1
        let device = Int(operation.device.rawValue)
        if watches[device].inFlightCount == 0 { watches[device].hasStirred = true }
        watches[device].inFlightCount += 1
        if operation.kind != .flush {
            if watches[device].owedCount == 0 { watches[device].hasBegun = true }
            watches[device].owedCount += 1
        }
        return operation
    }

    /// What an operation in flight is for, and whether it was refused before.
    func purpose(of token: UInt64) -> (purpose: OperationPurpose, isRepeated: Bool) {
        let slot = slots[Int(token & 0xFFFF_FFFF)]
        let purpose: OperationPurpose
        switch slot.owner {
        case .request, .orphan: purpose = .hostRead
        case .merge: purpose = .mergeRead
        case .record: purpose = .hostRecord
        case .moveRead, .ask: purpose = .moveRead
        case .moveWrite: purpose = .moveRecord
        case .moveVerify: purpose = .verifyRead
        case .scan: purpose = .scanRead
        case .scrub: purpose = .scrubRead
        case .mirrorLook: purpose = .mirrorRead
        case .flush: purpose = .recordFlush
        case .checkpointFlush: purpose = .checkpointFlush
        case .moveFlush: purpose = .moveFlush
        case .witness: purpose = .witness
        case .mirror: purpose = .mirror
        case .free, .discard: purpose = .discard
        }
        return (purpose, slot.isRepeated)
    }

    var hasNext: Bool { outboxCount > 0 }

    /// Ends an operation and gives back what it was; a token that names none is our own bug.
    mutating func end(_ token: UInt64) -> OperationSlot {
        let index = Int(token & 0xFFFF_FFFF)
        let slot = slots[index]
        invariant(slot.owner != .free, "a completion names an operation in flight")
        invariant(slot.generation == UInt32(token >> 32), "a completion is of this operation")
        slots[index].owner = .free
        slots[index].nextFree = firstFree
        firstFree = Int32(index)
        inFlightCount -= 1
        let device = Int(slot.location.device.rawValue)
        watches[device].inFlightCount -= 1
        watches[device].submittedCount -= 1
        if !slot.owner.isFlush { watches[device].owedCount -= 1 }
        watches[device].hasStirred = true
        watches[device].hasBegun = true
        if _slowPath(crowdedDevices != 0),
            watches[device].submittedCount < watches[device].submittedMax
        {
            crowdedDevices &= ~(1 << UInt64(device))
        }
        lateDevices &= ~(1 << UInt64(device))
        return slot
    }

    // MARK: Devices that hang

    func isSilent(_ device: DeviceIndex) -> Bool {
        silentDevices >> UInt64(device.rawValue) & 1 == 1
    }

    func isCrowded(_ device: DeviceIndex) -> Bool {
        crowdedDevices >> UInt64(device.rawValue) & 1 == 1
    }

    func isLate(_ device: DeviceIndex) -> Bool {
        lateDevices >> UInt64(device.rawValue) & 1 == 1
    }

    /// To be called when a turn begins.
    func noteTime(_ now: Instant) {
        for device in 0..<watches.count {
            if watches[device].hasStirred {
                watches[device].hasStirred = false
                watches[device].quietSince = now
            }
            if watches[device].hasBegun {
                watches[device].hasBegun = false
                watches[device].owesSince = now
            }
        }
    }

    /// Finds devices that have owed an answer for so many nanoseconds: those that are late, and of
    /// those that are silent the ones that were not before.
    mutating func noteSilent(
        lateFor late: UInt64,
        for silent: UInt64,
        now: Instant
    ) -> [DeviceIndex] {
        var found: [DeviceIndex] = []
        for device in 0..<watches.count where watches[device].inFlightCount > 0 {
            let since = watches[device].quietSince
            guard since.advanced(byNanoseconds: late) <= now else { continue }
            lateDevices |= 1 << UInt64(device)
            guard watches[device].owedCount > 0,
                watches[device].owesSince.advanced(byNanoseconds: silent) <= now
            else { continue }
            let index = DeviceIndex(UInt8(device))
            if !isSilent(index) { found.append(index) }
            silentDevices |= 1 << UInt64(device)
        }
        return found
    }

    mutating func noteLate(_ device: DeviceIndex) { lateDevices |= 1 << UInt64(device.rawValue) }

    /// The device answers; false when it did so before.
    mutating func noteAnswer(of device: DeviceIndex) -> Bool {
        guard isSilent(device) else { return false }
        silentDevices &= ~(1 << UInt64(device.rawValue))
        return true
    }

    /// The operations that devices owe which hang.
    var askedOfSilent: [OperationSlot] {
        (0..<capacity).map { slots[$0] }.filter {
            $0.owner != .free && isSilent($0.location.device)
        }
    }

    /// Gives the operations in flight of one owner to another; how many.
    func handOver(
        _ owner: OperationSlot.Owner,
        _ ownerIndex: Int,
        to heir: OperationSlot.Owner,
        _ heirIndex: Int
    ) -> Int {
        var count = 0
        for index in 0..<capacity
        where slots[index].owner == owner && slots[index].ownerIndex == Int32(ownerIndex) {
            slots[index].owner = heir
            slots[index].ownerIndex = Int32(heirIndex)
            count += 1
        }
        return count
    }
}
