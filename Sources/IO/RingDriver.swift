package import Units

/// Carries out a lane's device operations on the lane's ring.
///
/// An operation takes a slot of a fixed table, and its place and generation travel in the user data
/// of its entry, so that a completion finds it without a look-up:
///
///     bits  0..<16  slot
///     bits 16..<48  generation of the slot; a stale completion is a bug and is noticed
///     bits 56..<64  RingTag.device
///
/// A slot's life
///
///     free --submit--> on the ring --take--> ready --nextCompletion--> free
///                       ^  |    |
///                short, |  |    | modelled, and the model's time has not come
///           interrupted +--+    +--> held --model's time--> ready
///
/// The lane's loop hands every ring completion with `RingTag.device` to `take`.  No call allocates.
package final class RingDriver: DeviceDriver {
    /// Operations in flight, all devices together: no fewer than a lane has, so that none waits
    /// here behind those of a device that hangs.
    package static var inFlightMax: Int { 2048 }
    /// Devices that an index can name.
    package static var deviceMax: Int { 256 }

    /// One operation in flight.
    struct Slot: BitwiseCopyable {
        var operation: Operation
        /// Bytes of a read or write that have been carried.
        var doneByteCount = 0
        var submitted = Instant(nanoseconds: 0)
        var generation: UInt32 = 0
        /// Submissions that carried nothing.
        var repeatCount: UInt16 = 0
        var isOnRing = false
        /// The model's time for it has not come.
        var isHeld = false
        var result = OperationResult.done
    }

    /// What is needed of a device to submit to it.
    struct Target: BitwiseCopyable {
        var file: RingFile
        /// Zero for an index without a device, so that nothing fits into it.
        var byteCount: UInt64
        /// The driver's number at the device's model; -1 when the device is not modelled.
        var modelClient: Int
    }

    let ring: Ring
    /// The most bytes that one entry of the ring carries; longer operations are continued.
    let transferByteCountMax: Int
    let slots: Slab<Slot>
    let targets: Slab<Target>
    let counters: Slab<DeviceStatistics>
    /// Free slots are a stack: `freeSlots[0..<freeCount]`.
    private let freeSlots: Slab<UInt16>
    private var freeCount: Int
    /// Ready slots are a queue; both indices run freely and are taken modulo `inFlightMax`.
    private let readySlots: Slab<UInt16>
    private var readyHead: UInt32 = 0
    private var readyTail: UInt32 = 0

    /// Keeps the devices open, and the models; by index.
    private var files: [DeviceFile?]
    private var models: [(client: Int, index: Int, model: any DeviceModel)] = []
    private var heldCount = 0

    /// A driver without devices.  `transferByteCountMax` is a multiple of 4096.
    package init(ring: Ring, transferByteCountMax: Int = 4 << 20) {
        invariant(
            transferByteCountMax > 0 && transferByteCountMax % Geometry.blockByteCount == 0,
            "a transfer carries whole blocks"
        )
        self.ring = ring
        self.transferByteCountMax = transferByteCountMax
        let idle = Operation(
            kind: .flush,
            device: DeviceIndex(0),
            offset: 0,
            byteCount: 0,
            region: .empty,
            token: 0
        )
        slots = Slab(count: RingDriver.inFlightMax, repeating: Slot(operation: idle))
        let nothing = Target(file: RingFile(descriptor: -1), byteCount: 0, modelClient: -1)
        targets = Slab(count: RingDriver.deviceMax, repeating: nothing)
        counters = Slab(count: RingDriver.deviceMax, repeating: DeviceStatistics())
        freeSlots = Slab(count: RingDriver.inFlightMax, repeating: 0)
        readySlots = Slab(count: RingDriver.inFlightMax, repeating: 0)
        freeCount = RingDriver.inFlightMax
        for index in 0..<freeCount { freeSlots[index] = UInt16(freeCount - 1 - index) }
        files = Array(repeating: nil, count: RingDriver.deviceMax)
    }

    deinit {
        for index in 0..<RingDriver.deviceMax where files[index] != nil {
            ring.unregister(targets[index].file)
        }
        slots.deallocate()
        targets.deallocate()
        counters.deallocate()
        freeSlots.deallocate()
        readySlots.deallocate()
    }

    /// Makes a device usable under `index`, and keeps it open.  With a model, completions wait for
    /// the model's time.
    package func attach(
        _ file: DeviceFile,
        as index: DeviceIndex,
        model: (any DeviceModel)? = nil
    ) {
        let place = Int(index.rawValue)
        invariant(files[place] == nil, "an index names one device")
        files[place] = file
        let client = model.map { $0.join() } ?? -1
        targets[place] = Target(
            file: ring.register(descriptor: file.descriptor),
            byteCount: file.byteCount,
            modelClient: client
        )
        if let model { models.append((client, place, model)) }
    }

    package var headroom: Int { freeCount }
    package var inFlightCount: Int { RingDriver.inFlightMax - freeCount }

    package func submit(_ operation: Operation, now: Instant) {
        invariant(freeCount > 0, "there is headroom for what is submitted")
        let place = Int(operation.device.rawValue)
        check(operation, against: targets[place].byteCount)
        freeCount -= 1
        let index = Int(freeSlots[freeCount])
        let isModelled = targets[place].modelClient >= 0
        let generation = slots[index].generation &+ 1
        slots[index] = Slot(
            operation: operation,
            submitted: now,
            generation: generation,
            isHeld: isModelled
        )
        counters[place].inFlightCount += 1
        start(index)
        if _slowPath(isModelled) { hold(index, now: now) }
    }

    package func nextCompletion(now: Instant) -> Completion? {
        if readyHead == readyTail {
            if heldCount > 0 { takeEnded(now: now) }
            if readyHead == readyTail { return nil }
        }
        let index = Int(readySlots[Int(readyHead) % RingDriver.inFlightMax])
        readyHead &+= 1
        freeSlots[freeCount] = UInt16(index)
        freeCount += 1
        let operation = slots[index].operation
        count(index, operation, now: now)
        return Completion(token: operation.token, result: slots[index].result)
    }

    package var nextDeadline: Instant? {
        guard heldCount > 0 else { return nil }
        return models.compactMap { $0.model.nextDeadline(client: $0.client) }.min()
    }

    /// What was done with a device so far.
    package func statistics(of device: DeviceIndex) -> DeviceStatistics {
        counters[Int(device.rawValue)]
    }

    /// When the oldest operation in flight on a device was submitted; nil when there is none.
    /// Looks at every slot: for a watch that runs once a second.
    package func oldestSubmission(on device: DeviceIndex) -> Instant? {
        var oldest: Instant?
        for index in 0..<RingDriver.inFlightMax
        where slots[index].isOnRing && slots[index].operation.device == device {
            let submitted = slots[index].submitted
            oldest = oldest.map { min($0, submitted) } ?? submitted
        }
        return oldest
    }

    /// A line for each device, for the log at the start.
    package func describe() -> String {
        var lines: [String] = []
        for index in 0..<RingDriver.deviceMax {
            guard let file = files[index] else { continue }
            let label = models.first { $0.index == index }.map { " \($0.model.label)" } ?? ""
            let access = file.isDirect ? "direct" : "through the page cache"
            lines.append(
                "device \(index): \(file.path), \(file.byteCount) bytes, \(access)\(label)"
            )
        }
        return lines.joined(separator: "\n")
    }

    /// Marks an operation as ended on all sides.
    func finish(_ index: Int) {
        readySlots[Int(readyTail) % RingDriver.inFlightMax] = UInt16(index)
        readyTail &+= 1
    }

    private func check(_ operation: Operation, against byteCount: UInt64) {
        let count =
            operation.kind == .discard
            ? operation.byteCount : UInt64(operation.region.byteCount)
        invariant(byteCount > 0, "an operation names a device that is attached")
        invariant(operation.offset <= byteCount, "an operation begins on its device")
        invariant(count <= byteCount - operation.offset, "an operation ends on its device")
        invariant((operation.offset | count) & 4095 == 0, "an operation is aligned to blocks")
        guard operation.kind == .read || operation.kind == .write else { return }
        invariant(count > 0, "a transfer carries something")
        invariant(operation.region.addressBits & 4095 == 0, "direct memory is aligned to blocks")
    }

    private func hold(_ index: Int, now: Instant) {
        let operation = slots[index].operation
        let place = Int(operation.device.rawValue)
        heldCount += 1
        for entry in models where entry.index == place {
            entry.model.submit(
                operation.kind,
                offset: operation.offset,
                byteCount: max(operation.byteCount, UInt64(operation.region.byteCount)),
                ticket: UInt64(index),
                client: entry.client,
                now: now
            )
        }
    }

    /// Lets go of the held operations whose time has come.
    private func takeEnded(now: Instant) {
        for entry in models {
            while let ticket = entry.model.nextEnded(client: entry.client, now: now) {
                let index = Int(ticket)
                invariant(slots[index].isHeld, "a model ends what it holds")
                slots[index].isHeld = false
                heldCount -= 1
                if !slots[index].isOnRing { finish(index) }
            }
        }
    }
}
