/// The ring's operations that are used here, with the kernel's numbers.
enum RingOpcode: UInt8, CaseIterable {
    case nothing = 0
    case flush = 3
    case poll = 6
    case sendMessage = 9
    case receiveMessage = 10
    case timeout = 11
    case accept = 13
    case cancel = 14
    case allocate = 17
    case close = 19
    case read = 22
    case write = 23
    case send = 26
    case receive = 27
    case shutDown = 34

    /// Not used itself: it came to the kernel together with multishot accept, which shows in no
    /// probe of its own.
    static var comesWithMultishotAccept: UInt8 { 45 }
}

/// A set of operation numbers, as the kernel's probe answers it.
struct RingOpcodeSet {
    var words: [4 of UInt64] = [0, 0, 0, 0]

    func contains(_ number: UInt8) -> Bool {
        words[Int(number / 64)] >> UInt64(number % 64) & 1 == 1
    }
}

/// Flags that are the kernel's numbers.
enum RingFlag {
    static var setupDisabled: UInt32 { 1 << 6 }
    static var setupSubmitAll: UInt32 { 1 << 7 }
    static var setupCooperative: UInt32 { 1 << 8 }
    static var setupSingleIssuer: UInt32 { 1 << 12 }
    static var setupDeferred: UInt32 { 1 << 13 }

    static var featureNoDrop: UInt32 { 1 << 1 }
    static var featureSubmitStable: UInt32 { 1 << 2 }
    static var featureExtendedArgument: UInt32 { 1 << 8 }

    /// In the flags of an entry: its descriptor is a slot of the registered table.
    static var fixedFile: UInt8 { 1 }
    /// In the priority of an accept.
    static var acceptMultishot: UInt16 { 1 }
    /// In the operation flags of a flush: data only (fdatasync).
    static var flushData: UInt32 { 1 }
    /// In the byte count of a poll.
    static var pollMultishot: UInt32 { 1 }
    /// In the operation flags of a cancel: by descriptor, all of them, descriptor is registered.
    static var cancelAll: UInt32 { 1 }
    static var cancelDescriptor: UInt32 { 2 }
    static var cancelFixedDescriptor: UInt32 { 8 }
    /// KEEP_SIZE | PUNCH_HOLE.
    static var punchHole: UInt32 { 1 | 2 }
}
