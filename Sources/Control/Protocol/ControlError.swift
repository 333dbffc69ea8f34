package import Format
package import Units

/// How a command ended, for scripts.
package enum ExitStatus: Int32, Sendable {
    case done = 0
    case failed = 1
    /// Refused for safety: needs `--yes`, or in use.
    case refused = 2
    case notFound = 3
    case unreachable = 4
    case timedOut = 5
    case usage = 64
}

/// Why a command was refused or failed.  One case for each reason; `report` has the words.
package enum ControlError: Error, Equatable, Sendable {
    // What was typed.
    case name(kind: StaticName, text: String, lengthMax: Int)
    case volumePath(text: String)
    case address(text: String)
    case size(ByteCountError)
    case deviceOption(device: String, option: String)
    case devicePath(text: String)
    case model(device: String, model: String, known: [String])
    case listenAddress(text: String)
    case column(text: String, known: [String])
    case inspectTarget(text: String)

    // What a pool is made of.
    case noDevice(role: DeviceRole)
    case tooManyDevices(count: Int, countMax: Int)
    case deviceNamedTwice(path: String)
    case deviceTooSmall(path: String, byteCount: UInt64, byteCountMin: UInt64)
    case deviceMissing(path: String)
    /// A size was given for what is there already.
    case deviceExists(path: String, byteCount: UInt64)
    /// The device holds a valid superblock.
    case deviceOfPool(path: String, pool: PoolIdentifier)
    case deviceInUse(path: String)
    /// What stands at `path` is another device than the catalogue's.
    case deviceMismatch(path: String, fact: StaticName)
    case deviceUnreadable(path: String, reason: String)
    case laneCount(count: Int, countMax: Int)
    case directoryInUse(path: String)

    // What a catalogue is made anew from.
    case noDeviceGiven(pool: String)
    /// No superblock opens the device.
    case superblockMissing(path: String, finding: String)
    case devicesOfTwoPools(path: String, pool: String, otherPath: String, otherPool: String)
    case poolNameDiffers(path: String, name: String, found: String)
    /// Two devices that both say they are the same one.
    case deviceCopy(path: String, otherPath: String)
    case devicesNotGiven(pool: String, missing: [String])
    case catalogueThere(pool: String, path: String)
    case mirrorNotWhole(pool: String, finding: String)
    case mirrorDamaged(pool: String, finding: String)
    case mirrorWitnessMissing(pool: String, finding: String)
    case mirrorContradiction(pool: String, finding: String)

    // What is there.
    case poolMissing(name: String)
    case volumeMissing(path: String)
    case volumeExists(path: String)
    case volumeSize(byteCount: UInt64, byteCountMin: UInt64, byteCountMax: UInt64)
    case addressBeyondEnd(path: String, offset: UInt64, byteCount: UInt64)
    case volumeAttached(path: String, clientCount: Int)
    case poolServed(name: String, processIdentifier: Int32?)
    case poolHasVolumes(name: String, count: Int)
    case needsConfirmation(verb: StaticName, object: String)
    case notConfirmed(object: String)

    // What went wrong.
    case daemonUnreachable(socket: String, reason: String)
    case timedOut(what: StaticName, seconds: Int)
    case socket(path: String, call: StaticName, code: Int32)
    /// A request that no client of ours makes, or an answer that no server of ours gives.
    case protocolViolation(fact: StaticName)
    case unknownCommand(name: String)
    case notForThisUser(user: UInt32)
    /// The log cannot be replayed.
    ///
    /// - Parameter isCatalogue: it is the catalogue's doing, and the devices may know better.
    case recovery(pool: String, finding: String, isCatalogue: Bool)
    /// The catalogue was put back from a copy; the device at `path` knows of a later one.
    case catalogueOlder(pool: String, path: String, finding: String)
    /// The device was put back from a copy.
    case deviceOlder(path: String, finding: String)
    /// The device refuses reads and gives them later, or gives nothing.
    case deviceAway(path: String)
    case shuttingDown(pool: String)
    case noSpace(pool: String)
    case readOnly(pool: String)
    case deviceFailed(pool: String)
    /// A recount found what is not as it must be.
    case checkDiffers(pool: String, count: Int)
    case system(what: String, reason: String)
    case catalogue(description: String, status: ExitStatus)
    case format(place: String, error: FormatText)
    /// As a daemon reported it.
    case remote(code: String, message: String, status: ExitStatus)
}

/// A refusal of bytes, in words.
package struct FormatText: Hashable, Sendable {
    package var text: String
    package init(_ text: String) { self.text = text }
}
