internal import Engine
internal import Format
internal import IO
internal import Units

// The copies of the superblock, outside of virtual time: written when the devices are formatted,
// read and mended by whoever opens the pool.  Of the four at most two are damaged at any opening,
// and then the power goes at times while they are mended: the device must open all the same, and
// all copies be good behind it.

/// A device as whoever opens the pool has it.
private final class OpenedDevice: SuperblockHolder {
    enum Failure: Error { case refused, powerCut }

    private let device: SimulatedDevice
    /// Copies that are written until the power goes; nil when it does not.
    var writesLeft: Int?
    /// Copies that were to be written and are not there.
    private(set) var missing: Set<UInt64> = []

    init(_ device: SimulatedDevice) { self.device = device }

    var byteCount: UInt64 { device.byteCount }

    func read(into region: BufferRegion, at offset: UInt64) throws(Failure) {
        let block = Int(offset) / Geometry.blockByteCount
        if device.refusesNow(block..<(block + 1)) { throw .refused }
        device.readNow(offset: offset, into: region)
    }

    func write(from region: BufferRegion, at offset: UInt64) throws(Failure) {
        let fault = device.faults?.planMend() ?? .none
        if fault != .none { missing.insert(offset) }
        if case .writeError = fault { throw .refused }
        guard fault == .none else { return }
        device.takeNow(Int(offset) / Geometry.blockByteCount, from: region)
    }

    func flush() throws(Failure) {
        if let left = writesLeft {
            guard left > 0 else { throw .powerCut }
            writesLeft = left - 1
        }
        device.makeAllDurable()
    }
}

extension SimulatedWorld {
    private func superblock(of device: Int) -> Superblock {
        let geometry = geometries[device]
        return Superblock(
            poolIdentifier: poolIdentifier,
            poolName: "simulated",
            deviceIdentifier: deviceIdentifiers[device],
            deviceIndex: geometry.index,
            role: geometry.role,
            deviceByteCount: devices[device].byteCount,
            segmentByteCount: UInt32(geometry.segmentBlockCount * Geometry.blockByteCount),
            segmentCount: UInt32(geometry.segmentCount),
            laneCount: UInt16(parameters.laneCount),
            generation: 1,
            createdSeconds: 1_700_000_000,
            model: .none,
            devices: geometries.indices.map {
                PoolDevice(
                    identifier: deviceIdentifiers[$0],
                    role: geometries[$0].role,
                    index: geometries[$0].index,
                    byteCount: devices[$0].byteCount
                )
            }
        )
    }

    func formatDevices() {
        for device in devices.indices {
            do throws(OpenedDevice.Failure) {
                try SuperblockStore(OpenedDevice(devices[device])).write(superblock(of: device))
            } catch {
                journal.report(.recovers, "device \(device) cannot be formatted: \(error)")
            }
        }
    }

    /// Reads the superblock of each device, and mends it.
    func openSuperblocks() {
        for device in devices.indices where journal.isEmpty {
            // The power goes once at most; then it is begun anew.
            if !openSuperblock(device, mayBeCut: true) {
                journal.met(.cutWhileSuperblockMended)
                // Nobody writes the blocks beside it, so that damage there would stay.
                devices[device].cutPower(
                    crashes.pick(CrashMode.powerCuts.filter { $0 != .neighbours })
                )
                noteCutOpening(isPowerCut: true, isFlushed: false)
                _ = openSuperblock(device, mayBeCut: false)
            }
        }
    }

    /// False when the power went.
    private func openSuperblock(_ device: Int, mayBeCut: Bool) -> Bool {
        let holder = OpenedDevice(devices[device])
        let store = SuperblockStore(holder)
        let choice: SuperblockChoice
        do throws(SuperblockError) {
            choice = try Superblock.choose(copies: store.copies())
        } catch {
            journal.report(.recovers, "no superblock opens device \(device): \(error)")
            return true
        }
        if choice.superblock != superblock(of: device) {
            journal.report(.recovers, "device \(device) has another superblock")
        }
        guard !choice.isWhole else { return checkMended(device, []) }
        // What a device that lies has lost then is told where all power cuts are.
        if mayBeCut, !parameters.faults.hasLies, crashes.isOne(in: 2) {
            holder.writesLeft = crashes.below(2)
        }
        do throws(OpenedDevice.Failure) {
            _ = try store.mend(choice)
        } catch {
            if error == .powerCut { return false }
            journal.report(.recovers, "the superblock of device \(device) is not mended: \(error)")
        }
        journal.met(.superblockMended)
        return checkMended(device, holder.missing)
    }

    /// All copies are good but those that the device did not take.
    private func checkMended(_ device: Int, _ missing: Set<UInt64>) -> Bool {
        for offset in Superblock.offsets(deviceByteCount: devices[device].byteCount)
        where !missing.contains(offset) && !isGoodSuperblock(at: offset, of: device) {
            journal.report(
                .recovers,
                "the copy of the superblock at byte \(offset) of device \(device) is not mended"
            )
        }
        return true
    }

    private func isGoodSuperblock(at offset: UInt64, of device: Int) -> Bool {
        let block = Int(offset) / Geometry.blockByteCount
        guard !devices[device].isUnreadable(block..<(block + 1)),
            !(devices[device].faults?.isLatent(block) ?? false)
        else { return false }
        let region = memory.blocks.region.block(1)
        devices[device].readNow(offset: offset, into: region)
        return SuperblockCopy(decoding: region.bytes) == .good(superblock(of: device))
    }

    /// Damages copies of a device's superblock, so that two good ones are left at least.
    func damageSuperblock(_ hit: (SimulatedDevice, Int) -> Bool) {
        // Only an opening mends them.
        guard let atlas, parameters.crashOneIn > 0 else { return }
        let device = atlas.faults[0].random.below(devices.count)
        let good = Superblock.offsets(deviceByteCount: devices[device].byteCount).filter {
            isGoodSuperblock(at: $0, of: device)
        }
        guard good.count > 2 else { return }
        let victims = atlas.faults[0].random.number(in: 1...(good.count - 2))
        let first = atlas.faults[0].random.below(good.count)
        for index in 0..<victims {
            let offset = good[(first + index) % good.count]
            if hit(devices[device], Int(offset) / Geometry.blockByteCount) {
                journal.trace("damage to the superblock at byte \(offset) of device \(device)")
            }
        }
    }
}
