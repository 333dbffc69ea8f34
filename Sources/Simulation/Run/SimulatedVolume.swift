internal import Catalogue
internal import Engine
internal import IO
internal import Units

/// A volume as the simulated clients and the simulated administrator know it.
struct SimulatedVolume {
    enum Life {
        case creating, live, destroying, gone
    }
    /// What the administrator wants of it, once nothing is in flight.
    enum Plan {
        case grow(to: UInt64)
        /// Trims what goes, then gives it the smaller size.
        case shrink(to: UInt64)
        case resize(to: UInt64)
        case destroy
    }

    let model: ReferenceVolume
    let row: VolumeRow
    var lane: Int { Int(row.lane.rawValue) }
    var slot = VolumeSlot(0)
    var life = Life.creating
    var plan: Plan?
    /// Of the plan: a step was asked for and is not answered.
    var isPlanUnderWay = false
    var pattern: AddressPattern
    var outstandingCount = 0
    /// Stretches that are still to be read after a crash, last first.
    var unverified: [Range<UInt64>] = []
    var isVerifying = false

    /// Whether clients use it now.
    var isUsable: Bool { life == .live && plan == nil && !isVerifying }
}

/// A request that the engine has not answered.
struct OutstandingRequest {
    enum Kind {
        case read(ReadBound)
        case extents(ReadBound)
        case change(order: UInt64)
        case flush(bound: UInt64)
        case promote
        case verify
        case finalRead(ReadBound)
        case create
        case resize(order: UInt64)
        case destroy
        case shutDown
    }
    var kind: Kind
    var volume: Int
    var offset: UInt64
    var byteCount: UInt64
    /// Nanoseconds of the process.
    var begunAt: UInt64
    var isDurable = false
    var isTrim = false

    /// Whether it changes a volume or the set of volumes.
    var isControl: Bool {
        switch kind {
        case .create, .resize, .destroy: true
        default: false
        }
    }
}

/// A reply whose data a client still reads.
struct HeldReply {
    var lane: Int
    var token: RequestToken
    var data: BufferRegion
    var checksum: UInt32
}
