internal import Glibc
internal import Units

/// State that threads share, one at a time.  For the control path; a lane does not lock.
///
/// The standard library's `Mutex` does the same, but on Linux the thread sanitizer does not see it,
/// and reports each correct use of it as a race.  This lock is pthread's, which it sees: a run
/// under the sanitizer is quiet when the locking is right, and only then.
@safe
package final class Guarded<State: ~Copyable>: @unchecked Sendable {
    // Sendable because `state` is only touched while the lock is held.
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private var state: State

    package init(_ state: consuming sending State) {
        unsafe lock = .allocate(capacity: 1)
        unsafe lock.initialize(to: pthread_mutex_t())
        let result = unsafe pthread_mutex_init(lock, nil)
        invariant(result == 0, "a lock can be made")
        self.state = state
    }

    deinit {
        unsafe pthread_mutex_destroy(lock)
        unsafe lock.deallocate()
    }

    /// Runs `body` with the state, alone.  It must be short and may not take this lock again.
    package func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let taken = unsafe pthread_mutex_lock(lock)
        invariant(taken == 0, "a lock can be taken")
        defer { unsafe pthread_mutex_unlock(lock) }
        return try body(&state)
    }
}
