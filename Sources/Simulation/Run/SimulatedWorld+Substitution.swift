internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

// Somebody attaches the wrong device: an older copy of one of the pool's, or two of them in each
// other's places.  Whoever opens the pool must refuse it, before anything is changed; what tells
// are the witnesses, so nothing else of a copy is kept.

/// What the witnesses of a device said at some moment.
struct DeviceCopy {
    var device: Int
    /// By block.
    var witnesses: [UInt64: [UInt8]]
    /// Openings that had been told to all devices.
    var openingCount: Int
    /// The newest checkpoint of each lane that the catalogue held.
    var checkpoints: [LaneIndex: UInt64]
}

/// The devices, of which one is a copy, or two are in each other's places.
private struct SubstitutedSource: RecoverySource {
    let actual: SimulatedSource
    var copy: DeviceCopy?
    var swapped: (Int, Int)?

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        let index = Int(device.rawValue)
        if let copy, copy.device == index, let bytes = copy.witnesses[block] {
            region.copy(from: bytes)
            return true
        }
        guard let swapped, index == swapped.0 || index == swapped.1 else {
            return actual.read(device, block: block, into: region)
        }
        let other = index == swapped.0 ? swapped.1 : swapped.0
        return actual.read(DeviceIndex(UInt8(other)), block: block, into: region)
    }

    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf { try actual.load(key) }
}

extension SimulatedWorld {
    private var witnessBlocks: [UInt64] {
        (0..<parameters.laneCount).flatMap { lane in
            (0..<Witness.placeCount).map {
                DeviceLayout.witnessBlock(lane: LaneIndex(UInt16(lane)), place: $0)
            }
        }
    }

    /// At times, keeps a copy of a device as it is without power.
    func copyDeviceAtTimes() {
        guard deviceCopy == nil || substitutions.isOne(in: 4) else { return }
        let device = substitutions.below(devices.count)
        var copy = DeviceCopy(
            device: device,
            witnesses: [:],
            openingCount: openingCount,
            checkpoints: [:]
        )
        for block in witnessBlocks {
            let region = memory.blocks.region.block(1)
            devices[device].readNow(offset: block * 4096, into: region)
            copy.witnesses[block] = region.byteArray
        }
        for position in catalogue.tables.positionRows {
            copy.checkpoints[position.lane] = position.checkpoint
        }
        deviceCopy = copy
    }

    /// Before the pool is opened: tries it with devices that are the wrong ones.
    func substituteDevices() {
        guard journal.isEmpty, catalogue.tables.witnessedIncarnation > 0 else { return }
        let actual = SimulatedSource(devices: devices, catalogue: catalogue)
        if let copy = deviceCopy, isOutdated(copy) {
            journal.met(.oldDeviceRefused)
            expectRefusal("an older copy of device \(copy.device)", of: [copy.device]) {
                SubstitutedSource(actual: actual, copy: copy)
            }
        }
        if devices.count > 1 {
            let first = substitutions.below(devices.count)
            let second = (first + 1 + substitutions.below(devices.count - 1)) % devices.count
            journal.met(.swappedDevicesRefused)
            expectRefusal("devices \(first) and \(second) swapped", of: [first, second]) {
                SubstitutedSource(actual: actual, swapped: (first, second))
            }
        }
    }

    /// Whether the pool has done anything since of which the device was told: an opening, or, on
    /// flash, a checkpoint that the catalogue knows was told.
    private func isOutdated(_ copy: DeviceCopy) -> Bool {
        if openingCount > copy.openingCount { return true }
        guard geometries[copy.device].role == .flash else { return false }
        return catalogue.tables.positionRows.contains {
            $0.witnessed > copy.checkpoints[$0.lane] ?? 0
        }
    }

    private func expectRefusal(
        _ what: String,
        of wrong: [Int],
        _ source: () -> SubstitutedSource
    ) {
        do throws(RecoveryError) {
            try makeOpening(randomSeed: 0, wallSeconds: 0).checkAge(from: source())
            journal.report(.recovers, "\(what) is taken for the newest")
        } catch .deviceOlder(let device, _, _) {
            if !wrong.contains(Int(device.rawValue)) {
                journal.report(.recovers, "\(what): device \(device.rawValue) is refused")
            }
        } catch {
            journal.report(.recovers, "\(what): refused for another reason, \(error)")
        }
    }
}
