package import Catalogue
internal import Format
package import IO
package import Units

// How a pool is opened on its devices.  Crash order, each step only after the one before it:
//
// 1. Every device is flushed.
// 2. Witnesses and catalogue are compared, and recovery reads.  What devices refuse is asked for
//    again (RefusalWatch).
// 3. The headers and tails of records that recovery did not find, and headers of segments, are
//    written again, and flushed.
// 4. The catalogue commits the next incarnation, and where recovery found the logs to end.
// 5. Every device gets the lanes' witnesses with the new incarnation, in all their places: those of
//    flash, those of disks, and that once more for the other half of the places, each time with a
//    flush behind it.
// 6. The catalogue commits that this incarnation was witnessed.
// 7. The lanes serve.
//
// A cut between any two of them, or within one, leaves a pool that is opened in the same way.

/// What a pool is opened on: its devices and its catalogue.
package protocol OpeningPlace: RecoverySource {
    associatedtype Failure: Error
    /// Makes durable what a device has completed.
    func flush(_ device: DeviceIndex) throws(Failure)
    /// Writes whole blocks; false when the device refuses.
    func write(_ device: DeviceIndex, block: UInt64, from region: BufferRegion) -> Bool
    /// Commits that a life of the pool begins; nothing carries its number before.
    func begin(incarnation: UInt32, logEnds: [LogEnd]) throws(Failure)
    /// Commits that every device was told of it.
    func noteWitnessed(_ incarnation: UInt32) throws(Failure)
}

/// Why a pool was not opened.
package enum OpeningError<Failure: Error>: Error {
    case recovery(RecoveryError)
    case place(Failure)
}

extension PoolOpening {
    /// Opens the pool, up to the moment when its lanes may serve.
    package func open<Place: OpeningPlace>(
        on place: Place,
        now: Instant
    ) throws(OpeningError<Place.Failure>) -> (pool: Pool, lanes: [Lane], report: RecoveryReport) {
        if !Mutant.openingReadsUnflushed.isOn { try flush(place) }
        let opened: (pool: Pool, lanes: [Lane], report: RecoveryReport)
        do throws(RecoveryError) {
            opened = try open(from: place, now: now)
        } catch {
            throw .recovery(error)
        }
        if writeMissingBlocks(of: opened.lanes, on: place) { try flush(place) }
        do throws(Place.Failure) {
            try place.begin(
                incarnation: opened.pool.incarnation,
                logEnds: opened.lanes.map(\.logEnd)
            )
            if Mutant.openingNotedEarly.isOn { try place.noteWitnessed(opened.pool.incarnation) }
        } catch {
            throw .place(error)
        }
        try tellDevices(of: opened.lanes, on: place)
        do throws(Place.Failure) {
            try place.noteWitnessed(opened.pool.incarnation)
        } catch {
            throw .place(error)
        }
        return opened
    }

    private func flush<Place: OpeningPlace>(
        _ place: Place
    ) throws(OpeningError<Place.Failure>) {
        do throws(Place.Failure) {
            for device in devices { try place.flush(device.index) }
        } catch {
            throw .place(error)
        }
    }

    /// Step 3; whether there was any.
    private func writeMissingBlocks(of lanes: [Lane], on place: some OpeningPlace) -> Bool {
        var areAny = false
        for lane in lanes {
            for (location, block) in lane.takeMissingBlocks() {
                areAny = true
                // If it is refused, the other one is there still, and says the same.
                _ = place.write(location.device, block: location.block, from: block.region)
            }
        }
        return areAny
    }

    /// Step 5.  One place of a lane that a device takes is enough; the others are bad sectors.
    private func tellDevices<Place: OpeningPlace>(
        of lanes: [Lane],
        on place: Place
    ) throws(OpeningError<Place.Failure>) {
        for _ in 0..<(Witness.placeCount / Witness.pairCount) {
            for role in [DeviceRole.flash, .disk] {
                for lane in lanes {
                    lane.writeOpeningWitness(to: role) { device, block, region in
                        place.write(device, block: block, from: region)
                            || place.write(device, block: block, from: region)
                    }
                }
                if !Mutant.openingToldUnflushed.isOn { try flush(place) }
            }
        }
        for lane in lanes {
            if let device = lane.deviceNotTold { throw .recovery(.witnessRefused(device: device)) }
        }
    }
}
