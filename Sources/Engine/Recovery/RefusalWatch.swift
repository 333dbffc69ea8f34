internal import Catalogue
internal import IO
internal import Units

// What devices refuse to recovery.
//
// A sector that cannot be read is damage, and costs no more than what lies in it.  A device that is
// away for a moment refuses in the same way, and gives everything later: a log would seem to end
// where it was away, and what had been flushed behind that would be lost for good.  So when
// something had been refused, recovery waits for a moment at its end and asks again:
//
//     all of it is refused again, and each of these devices gives something     it is damage
//     some of it is given, be it to recovery itself that asks once more, or     recovery begins
//     one of the devices gives nothing                                          anew
//
// Recovery only reads, so to begin anew costs nothing.  When it was in vain again and again, the
// pool is not opened.
extension PoolOpening {
    /// Times that recovery begins.
    private static var attemptMax: Int { 30 }

    /// Does what recovery does, until what devices refuse is damage.
    func watching<Source: RecoverySource, Outcome>(
        _ source: Source,
        _ body: (RefusalWatch<Source>) throws(RecoveryError) -> Outcome
    ) throws(RecoveryError) -> Outcome {
        var away = DeviceIndex(0)
        for _ in 0..<Self.attemptMax {
            let watch = RefusalWatch(source)
            let outcome: Result<Outcome, RecoveryError>
            do throws(RecoveryError) {
                outcome = .success(try body(watch))
            } catch {
                outcome = .failure(error)
            }
            guard watch.hasRefusals, !Mutant.refusalTakenForDamage.isOn else {
                return try outcome.get()
            }
            source.pause()
            guard let device = watch.deviceThatWasAway() else { return try outcome.get() }
            away = device
        }
        throw .deviceAway(device: away)
    }
}

/// A source that remembers what it was refused.
final class RefusalWatch<Source: RecoverySource>: RecoverySource {
    private let source: Source
    /// Blocks that were refused when they were asked for last, one by one; and those of them that
    /// were refused twice, which recovery has taken for damage.
    private var refused: Set<Location> = []
    private var takenForDamage: Set<Location> = []
    /// A device that gave one of these later.
    private var cameBack: DeviceIndex?
    /// A block that a device gave, by device.
    private var given: [DeviceIndex: UInt64] = [:]
    private let arena = Arena(byteCount: Geometry.blockByteCount, isPopulated: false)

    init(_ source: Source) { self.source = source }

    var hasRefusals: Bool { !refused.isEmpty || cameBack != nil }

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        let isGiven = source.read(device, block: block, into: region)
        if isGiven {
            given[device] = given[device] ?? block
            guard !refused.isEmpty else { return true }
            for index in 0..<UInt64(region.byteCount / Geometry.blockByteCount) {
                let place = Location(device: device, block: block + index)
                if refused.remove(place) != nil, takenForDamage.contains(place) {
                    cameBack = device
                }
            }
        } else if region.byteCount == Geometry.blockByteCount {
            // One bad sector refuses many blocks at once; then they are asked for one by one.
            let place = Location(device: device, block: block)
            if !refused.insert(place).inserted { takenForDamage.insert(place) }
        }
        return isGiven
    }

    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf { try source.load(key) }

    func pause() { source.pause() }

    /// Asks once more for all that was refused.
    ///
    /// - Returns: a device that was away, or still is; nil when what was refused is damage.
    func deviceThatWasAway() -> DeviceIndex? {
        if let cameBack { return cameBack }
        let places = refused.sorted { $0.rawValue < $1.rawValue }
        let devices = Set(places.map(\.device)).sorted { $0.rawValue < $1.rawValue }
        if let silent = devices.first(where: { !isThere($0) }) { return silent }
        for place in places where gives(place.device, place.block) { return place.device }
        return devices.first { !isThere($0) }
    }

    /// Whether a device gives what it gave before.
    private func isThere(_ device: DeviceIndex) -> Bool {
        given[device].map { gives(device, $0) } ?? false
    }

    private func gives(_ device: DeviceIndex, _ block: UInt64) -> Bool {
        source.read(device, block: block, into: arena.region)
            || source.read(device, block: block, into: arena.region)
    }
}
