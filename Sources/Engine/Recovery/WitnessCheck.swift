internal import Catalogue
internal import Format
internal import IO
internal import Units

// A catalogue that was put back from a copy, and a device that comes back after a while, are whole,
// and wrong: they do not know what the pool did since.  What they would do is give out segments
// that are in use, and call lost data current.
//
//     catalogue older than a witness of a device         refused
//     device whose witness is older than the catalogue   refused: it missed what others were told
//
// When devices are told is said in PoolOpening+Steps.swift and Checkpoint+Telling.swift.

/// How old a catalogue is, or what a device knows of its age.
package struct Age: Equatable, Sendable {
    package var incarnation: UInt32
    /// Of one lane.
    package var checkpoint: UInt64
}

/// The newest witnesses of a pool's lanes, by device.
struct Witnesses {
    /// `found[device][lane]`; nil where a device has none that can be read.
    private var found: [[Witness?]]

    /// Reads what the devices of a pool were told.
    ///
    /// - Parameter laneCount: at most `DeviceLayout.witnessLaneCountMax`.
    init(
        pool: PoolIdentifier,
        laneCount: Int,
        devices: [DeviceGeometry],
        deviceIdentifiers: [DeviceIdentifier],
        _ source: some DeviceReader
    ) {
        let arena = Arena(byteCount: Geometry.blockByteCount, isPopulated: false)
        found = devices.map { device in
            (0..<laneCount).map { index in
                let lane = LaneIndex(UInt16(index))
                var newest: Witness?
                for place in 0..<Witness.placeCount {
                    let block = DeviceLayout.witnessBlock(lane: lane, place: place)
                    // A device that refuses once may give it the second time.
                    guard
                        source.read(device.index, block: block, into: arena.region)
                            || source.read(device.index, block: block, into: arena.region),
                        let one = Self.witness(in: arena.region), one.lane == lane,
                        one.place == place, one.poolIdentifier == pool,
                        one.deviceIdentifier == deviceIdentifiers[Int(device.index.rawValue)]
                            || Mutant.foreignWitnessTaken.isOn,
                        one.number > newest?.number ?? 0, one.number < .max >> 1
                    else { continue }
                    newest = one
                }
                return newest
            }
        }
    }

    private static func witness(in block: BufferRegion) -> Witness? {
        do throws(FormatError) {
            return try Witness(decoding: block.bytes)
        } catch {
            // Never written, damaged, or torn: another place has the one before.
            return nil
        }
    }

    /// What a device was told of each lane, by lane.
    subscript(device: DeviceIndex) -> [Witness?] { found[Int(device.rawValue)] }

    /// The highest number that any device has of the lane.
    func newestNumber(of lane: LaneIndex) -> UInt64 {
        found.compactMap { $0[Int(lane.rawValue)]?.number }.max() ?? 0
    }

    /// The places of a device for the lane's next witness: not those that have the newest one.
    func nextPair(of lane: LaneIndex, on device: DeviceIndex) -> Int {
        guard let newest = self[device][Int(lane.rawValue)] else { return 0 }
        return newest.place / Witness.pairCount ^ 1
    }
}

extension PoolOpening {
    /// Refuses a catalogue that is older than what a device was told, and a device that was not
    /// told what the catalogue says it was, as recovery does before anything else.  Reads only.
    package func checkAge(from source: some RecoverySource) throws(RecoveryError) {
        try watching(source) { watch throws(RecoveryError) in
            try check(try witnesses(from: watch))
        }
    }

    func witnesses(from source: some DeviceReader) throws(RecoveryError) -> Witnesses {
        guard laneCount <= DeviceLayout.witnessLaneCountMax else {
            throw .rowImpossible(table: "pool")
        }
        return Witnesses(
            pool: identifier,
            laneCount: laneCount,
            devices: devices,
            deviceIdentifiers: deviceIdentifiers,
            source
        )
    }

    func check(_ witnesses: Witnesses) throws(RecoveryError) {
        guard !Mutant.oldCatalogueTaken.isOn else { return }
        for device in devices {
            for (lane, witness) in witnesses[device.index].enumerated() {
                let position = contents.positions.first { Int($0.lane.rawValue) == lane }
                if let witness { try check(witness, position, on: device.index) }
                try checkDevice(device, witness, position)
            }
        }
    }

    /// The catalogue knows of all that a device was told.
    private func check(
        _ witness: Witness,
        _ position: LanePosition?,
        on device: DeviceIndex
    ) throws(RecoveryError) {
        let checkpoint = position?.checkpoint ?? 0
        guard witness.incarnation < incarnation, witness.checkpoint <= checkpoint else {
            throw .catalogueOlder(
                device: device,
                lane: witness.lane,
                has: Age(incarnation: incarnation - 1, checkpoint: checkpoint),
                witnessed: Age(incarnation: witness.incarnation, checkpoint: witness.checkpoint)
            )
        }
    }

    /// Each device tells of the newest incarnation that all were told of, and flash of the newest
    /// checkpoint.
    private func checkDevice(
        _ device: DeviceGeometry,
        _ witness: Witness?,
        _ position: LanePosition?
    ) throws(RecoveryError) {
        let needed = Age(
            incarnation: contents.witnessedIncarnation,
            checkpoint: device.role == .flash ? position?.witnessed ?? 0 : 0
        )
        let told = Age(
            incarnation: witness?.incarnation ?? 0,
            checkpoint: witness?.checkpoint ?? 0
        )
        guard
            told.incarnation >= needed.incarnation && told.checkpoint >= needed.checkpoint
                || Mutant.oldDeviceTaken.isOn
        else {
            throw .deviceOlder(device: device.index, has: told, witnessed: needed)
        }
    }
}
