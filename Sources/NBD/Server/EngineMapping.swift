internal import Engine

// What the engine says, in the words of the protocol.
extension RequestStatus {
    /// The one place where the engine's outcomes become errors of the wire.
    var replyError: ReplyError {
        switch self {
        case .done: .none
        case .mediaError: .inputOutput
        case .noSpace: .noSpace
        case .readOnly: .notPermitted
        case .shuttingDown: .shuttingDown
        case .invalid: .invalid
        }
    }

    var text: StaticString {
        switch self {
        case .done: "done"
        case .mediaError: "a block is damaged or its device failed"
        case .noSpace: "the pool is full"
        case .readOnly: "the pool accepts no changes: see the log of the server"
        case .shuttingDown: "the server is shutting down"
        case .invalid: "the volume is gone or became smaller"
        }
    }
}

extension Command {
    /// What the lane is asked; nil for what never reaches it.
    var requestKind: RequestKind? {
        switch self {
        case .read: .read
        case .write: .write
        case .trim: .trim
        case .writeZeroes: .writeZeroes
        case .flush: .flush
        case .cache: .promote
        case .blockStatus: .extents
        case .disconnect: nil
        }
    }
}

extension ExtentState {
    /// The status word of a context.
    func status(in context: MetaContext) -> UInt32 {
        switch context {
        case .allocation: (contains(.hole) ? 1 : 0) | (contains(.zero) ? 2 : 0)
        case .tier: tierStatus
        case .heat: UInt32(heatBucket)
        }
    }

    /// Bits 0 to 3: 0 unallocated, 1 flash, 2 disk, 3 both; then dirty, pinned, moving, poisoned.
    private var tierStatus: UInt32 {
        var status: UInt32 = (contains(.flash) ? 1 : 0) | (contains(.disk) ? 2 : 0)
        if contains(.dirty) { status |= 1 << 4 }
        if contains(.pinned) { status |= 1 << 5 }
        if contains(.moving) { status |= 1 << 6 }
        if contains(.poisoned) { status |= 1 << 7 }
        return status
    }
}
