internal import CLinux
internal import Units

// A lane's door to the kernel: one io_uring, sockets and devices alike.
//
// One turn of a lane's loop
//
//     submitAndWait(count: 1)        one system call: hands over what was prepared, waits
//     while nextCompletion() ...     plain memory; owners are told by `RingTag`
//     read(...), sendMessage(...)    plain memory; fills entries for the next turn
//
// Modes, the first that the kernel takes: *deferred* (SINGLE_ISSUER | DEFER_TASKRUN: completions
// are made only inside submitAndWait, on our thread, in batches), *cooperative* (COOP_TASKRUN: no
// interrupts between processors), *plain*.
//
// The ring belongs to one thread: the one that first calls submitAndWait or submit.  Until then it
// may be made, and files registered, on another.
//
// Two indices on each side, ours and the kernel's, run freely through UInt32 and are masked on use:
//
//     submissions   kernel reads head...   ...tail we write      full: tail - head == count
//     completions   we read head...        ...tail kernel writes
//
// Entries stay unseen by the kernel until the tail is published, in `submit`.

/// An io_uring by raw system calls.  Owned by one thread; not `Sendable` for that reason.
///
/// Preparing never fails: when the submission queue is full, what stands in it is submitted first.
/// No call allocates.  Memory named by an entry stays untouched until its completion.
@safe
package final class Ring {
    package enum Mode: UInt8, Sendable, CaseIterable {
        case deferred, cooperative, plain
    }

    package let mode: Mode
    /// Accepts stay armed after the first connection.
    package let hasMultishotAccept: Bool

    /// A copy of the mapped ring's addresses; they never change.
    let shared: isotherm_ring
    private let submissionMask: UInt32
    private let completionMask: UInt32
    /// One for each submission entry: the kernel reads a timeout while the entry is submitted.
    let timeouts: UnsafeMutablePointer<isotherm_timespec>
    /// Free slots of the registered table are a stack: `freeFileSlots[0..<freeFileCount]`.
    let freeFileSlots: Slab<UInt32>
    var freeFileCount = 0

    /// Our tail; entries before it are filled in.
    private var submissionTail: UInt32 = 0
    /// Our head, and the tail up to which the kernel's completions have been seen.
    private var completionHead: UInt32 = 0
    private var completionTail: UInt32 = 0
    private var isEnabled: Bool

    /// System calls made for entering the ring; a figure for measurements.
    package private(set) var enterCount: UInt64 = 0
    /// Times that the submission queue was full while preparing.
    package private(set) var fullCount: UInt64 = 0

    /// Makes a ring; counts are rounded up to powers of two.  A completion queue several times the
    /// submission queue keeps it from overflowing.  Of `modes`, the first that the kernel takes.
    package init(
        submissionEntries: Int,
        completionEntries: Int,
        modes: [Mode] = Mode.allCases
    ) throws(RingError) {
        let opened = try unsafe Ring.open(
            submissionCount: UInt32(submissionEntries),
            completionCount: UInt32(completionEntries),
            modes: modes
        )
        var ring = unsafe opened.ring
        let supported: RingOpcodeSet
        do throws(RingError) {
            supported = try unsafe Ring.probe(ring)
        } catch {
            unsafe isotherm_ring_close(&ring)
            throw error
        }
        unsafe shared = ring
        mode = unsafe opened.mode
        isEnabled = mode != .deferred
        submissionMask = unsafe ring.submission_count - 1
        completionMask = unsafe ring.completion_count - 1
        hasMultishotAccept = supported.contains(RingOpcode.comesWithMultishotAccept)
        unsafe timeouts = .allocate(capacity: Int(ring.submission_count))
        unsafe timeouts.initialize(
            repeating: isotherm_timespec(seconds: 0, nanoseconds: 0),
            count: Int(ring.submission_count)
        )
        freeFileSlots = Slab(count: Ring.registeredFileMax, repeating: 0)
    }

    deinit {
        var ring = unsafe shared
        unsafe isotherm_ring_close(&ring)
        unsafe timeouts.deallocate()
        freeFileSlots.deallocate()
    }

    /// Fails as making a ring would, and makes none: to be asked before anything else is begun.
    package static func checkKernel() throws(RingError) {
        _ = try Ring(submissionEntries: 4, completionEntries: 8)
    }

    /// Hands over what was prepared and returns at once.
    package func submit() { enter(waitCount: 0, timeout: -1) }

    /// Hands over what was prepared and waits until `count` completions are ready, or the time is
    /// over; nil waits without limit.  May return early, after a signal.
    package func submitAndWait(count: Int, timeoutNanoseconds: UInt64? = nil) {
        var timeout: Int64 = -1
        if let limit = timeoutNanoseconds { timeout = Int64(min(limit, 1 << 62)) }
        enter(waitCount: UInt32(count), timeout: timeout)
    }

    /// The oldest completion that was not taken; nil when there is none.
    ///
    /// Room in the queue goes back to the kernel once a batch, when its last was taken.
    package func nextCompletion() -> RingCompletion? {
        if completionHead == completionTail {
            unsafe isotherm_store_release(shared.completion_head, completionHead)
            completionTail = unsafe isotherm_load_acquire(shared.completion_tail)
            if completionHead == completionTail { return nil }
        }
        let entry = unsafe shared.completions[Int(completionHead & completionMask)]
        completionHead &+= 1
        return RingCompletion(
            userData: entry.user_data,
            result: entry.result,
            flags: entry.flags
        )
    }

    /// Entries that were prepared and not yet handed over.
    package var pendingCount: Int {
        let head = unsafe isotherm_load_acquire(shared.submission_head)
        return Int(submissionTail &- head)
    }

    /// For the log line at the start.
    package func describe() -> String {
        let lost = mode == .deferred ? "" : "; deferred completion needs Linux 6.1"
        let counts = unsafe "\(shared.submission_count)/\(shared.completion_count) entries"
        let accept = hasMultishotAccept ? "multishot" : "one-shot"
        return "io_uring \(mode), \(counts), \(accept) accept\(lost)"
    }

    /// Takes the next free entry and fills it.
    @inline(__always)
    func prepare(_ entry: isotherm_submission) {
        _ = reserve()
        unsafe shared.submissions[Int(submissionTail & submissionMask)] = entry
        submissionTail &+= 1
    }

    /// Makes room for one entry and returns the index that the next `prepare` fills.
    @inline(__always)
    func reserve() -> Int {
        let head = unsafe isotherm_load_acquire(shared.submission_head)
        if _slowPath(submissionTail &- head > submissionMask) { makeRoom() }
        return Int(submissionTail & submissionMask)
    }

    private func makeRoom() {
        fullCount &+= 1
        // Ten seconds of a kernel without memory for a request is the end: nothing else would go
        // on.
        for attempt in 0..<10_000 {
            enter(waitCount: 0, timeout: -1)
            if pendingCount <= Int(submissionMask) { return }
            if attempt > 0 { Clock.pause(milliseconds: 1) }
        }
        invariantFailed("a full submission queue empties", file: #fileID, line: #line)
    }

    private func enter(waitCount: UInt32, timeout: Int64) {
        if _slowPath(!isEnabled) { enable() }
        unsafe isotherm_store_release(shared.submission_tail, submissionTail)
        // What was taken is given back, so that the wait counts only what is new.
        if completionHead == completionTail {
            unsafe isotherm_store_release(shared.completion_head, completionHead)
        }
        enterCount &+= 1
        let result = unsafe isotherm_ring_enter(
            shared.descriptor,
            UInt32(pendingCount),
            waitCount,
            timeout
        )
        if _slowPath(result < 0) { judge(SystemCode(ofResult: result)) }
    }

    /// Errors of the enter call that the world can cause end the wait early and are met again in
    /// the next turn: a signal, the time limit, no memory, completions that have to be taken first.
    private func judge(_ code: SystemCode) {
        switch code {
        case .timedOut, .interrupted, .tryAgain, .busy: return
        default:
            invariant(false, "the ring takes what it is handed")
        }
    }

    private func enable() {
        let result = unsafe isotherm_ring_enable(shared.descriptor)
        invariant(result == 0, "a ring is enabled once, by the thread that owns it")
        isEnabled = true
    }
}

extension Ring {
    private static func open(
        submissionCount: UInt32,
        completionCount: UInt32,
        modes: [Mode]
    ) throws(RingError) -> (ring: isotherm_ring, mode: Mode) {
        var last = SystemCode.invalid
        for mode in modes {
            var ring = unsafe isotherm_ring()
            let result = unsafe isotherm_ring_open(
                &ring,
                submissionCount,
                completionCount,
                mode.setupFlags
            )
            if result == 0 {
                return unsafe (ring, mode)
            }
            last = SystemCode(ofResult: result)
            // A kernel that does not know a flag says so with EINVAL; all else is meant.
            if last != .invalid { break }
        }
        throw .refused(last)
    }

    /// The operations that the kernel knows; throws when one is missing that has no substitute.
    private static func probe(_ ring: isotherm_ring) throws(RingError) -> RingOpcodeSet {
        let features = unsafe ring.features
        guard features & RingFlag.featureNoDrop != 0 else { throw .lacks(feature: "NODROP") }
        guard features & RingFlag.featureSubmitStable != 0 else {
            throw .lacks(feature: "SUBMIT_STABLE")
        }
        guard features & RingFlag.featureExtendedArgument != 0 else {
            throw .lacks(feature: "EXT_ARG")
        }
        var supported = RingOpcodeSet()
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let result = unsafe withUnsafeMutableBytes(of: &words) { bytes in
            unsafe isotherm_ring_probe(
                ring.descriptor,
                bytes.baseAddress?.assumingMemoryBound(to: UInt64.self)
            )
        }
        guard result == 0 else { throw .probeFailed(SystemCode(ofResult: result)) }
        supported.words = [words.0, words.1, words.2, words.3]
        for opcode in RingOpcode.allCases where !supported.contains(opcode.rawValue) {
            throw .lacks(feature: "operation \(opcode)")
        }
        return supported
    }
}

extension Ring.Mode {
    fileprivate var setupFlags: UInt32 {
        switch self {
        case .deferred:
            // Disabled until first used, so that the thread which uses it is the one that owns it.
            RingFlag.setupSingleIssuer | RingFlag.setupDeferred | RingFlag.setupSubmitAll
                | RingFlag.setupDisabled
        case .cooperative: RingFlag.setupCooperative | RingFlag.setupSubmitAll
        case .plain: 0
        }
    }
}
