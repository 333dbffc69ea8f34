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
        case shrink(to: UInt64)
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
    /// A payload for a range behind the end that the volume is getting.
    var latePayload: LatePayload?
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
        /// Behind a lie of a device: nobody knows what is there.
        case strayRead
        case create
        case resize(order: UInt64)
        /// Its end is taken away by request `trim` of the model, in one step with the size.
        case shrink(order: UInt64, trim: UInt64)
        /// A write behind the end that the volume is getting.
        case lateWrite(order: UInt64)
        case destroy
        case shutDown
    }
    var kind: Kind
    var volume: Int
    /// That of the volume; of a stop the one that is to stop.
    var lane: Int
    var offset: UInt64
    var byteCount: UInt64
    /// Nanoseconds of the process.
    var begunAt: UInt64
    /// What the lane had moved until then, and the sequence of the next change.
    var movedCount: UInt64
    var nextSequence: SequenceNumber
    var isDurable = false
    var isTrim = false

    var isLate: Bool { if case .lateWrite = kind { true } else { false } }

    /// Whether it changes a volume or the set of volumes.
    var isControl: Bool {
        switch kind {
        case .create, .resize, .shrink, .destroy: true
        default: false
        }
    }
}

/// Memory of a lane for a write whose client is slow.
struct LatePayload {
    var payload: Payload
    var range: Range<UInt64>
}

/// A reply whose data a client still reads.
struct HeldReply {
    var lane: Int
    var token: RequestToken
    var data: BufferRegion
    var checksum: UInt32
}
