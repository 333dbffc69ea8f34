package import Units

/// Carries out a lane's device operations.  The seam between the engine and the ways to do I/O: the
/// ring, later the kernel's older asynchronous calls.  A lane's loop holds a concrete driver; the
/// protocol says what each of them offers, and is not called through on the hot path.
///
///     while driver.headroom > 0, let operation = lane.nextOperation() {
///         driver.submit(operation, now: now)
///     }
///     ... wait, no longer than until driver.nextDeadline ...
///     while let completion = driver.nextCompletion(now: now) { lane.complete(completion) }
///
/// Every operation that was submitted comes back in one completion, in any order.  Owned by the
/// lane's thread.  It is drained (`inFlightCount == 0`) before it, or memory that an operation
/// names, goes.
package protocol DeviceDriver: AnyObject {
    /// Operations that can be submitted now.
    var headroom: Int { get }
    /// Operations that were submitted and whose completions were not taken.
    var inFlightCount: Int { get }
    /// Takes one operation; there is headroom for it.  Nothing has to reach the device before the
    /// lane's thread waits.
    func submit(_ operation: Operation, now: Instant)
    /// The next completion that is ready at `now`; nil when there is none.
    func nextCompletion(now: Instant) -> Completion?
    /// When to ask for completions again although no event wakes the thread: a modelled device's
    /// time.  Nil when only events matter.
    var nextDeadline: Instant? { get }
}
