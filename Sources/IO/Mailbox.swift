internal import CLinux
internal import Units

/// Messages from any thread to one: a queue behind a lock, and an event that the receiver's ring,
/// or the receiver itself, waits for.
///
///     sender                                receiver, with a ring
///     post(message)                         arm(on: ring, userData: ...)      once at the start
///       lock, append, unlock                completion with that user data:
///       raise the event, if the               while takeAll(into: &batch) ... handle
///       queue had been empty                  arm(on: ring, ...)
///
/// So a burst costs one wake-up.  A message that is posted between taking and arming has raised the
/// event again, and the armed read completes at once: none is left lying.
///
/// The receiver keeps the mailbox until the armed read has completed: it names memory in here.
@safe
package final class Mailbox<Message: Sendable>: Sendable {
    private let queue = Guarded<[Message]>([])
    package let capacity: Int
    private let event: Int32
    /// Where the ring's read puts the event's counter; nobody looks at it.
    private let counter: Arena

    /// A mailbox that holds at most `capacity` messages which were not taken.
    package init(capacity: Int) throws(MailboxError) {
        let descriptor = isotherm_open_event()
        guard descriptor >= 0 else { throw .noEvent(SystemCode(ofResult: descriptor)) }
        event = descriptor
        self.capacity = capacity
        counter = Arena(byteCount: 8, isPopulated: false)
        queue.withLock { $0.reserveCapacity(min(capacity, 64)) }
    }

    deinit { _ = isotherm_close(event) }

    /// Appends a message; any thread.  Returns false, and does not take it, when the mailbox is
    /// full.
    @discardableResult
    package func post(_ message: Message) -> Bool {
        let countBefore = queue.withLock { queue in
            let count = queue.count
            if count < capacity { queue.append(message) }
            return count
        }
        if countBefore == 0 {
            let result = isotherm_raise_event(event)
            invariant(result == 0, "an event can be raised")
        }
        return countBefore < capacity
    }

    /// Exchanges `batch`, which is emptied first, for all messages, oldest first; false when there
    /// are none.  The two arrays take turns, so that nothing is allocated once they have grown.
    package func takeAll(into batch: inout [Message]) -> Bool {
        batch.removeAll(keepingCapacity: true)
        queue.withLock { swap(&$0, &batch) }
        return !batch.isEmpty
    }

    /// Waits on this thread until the event is raised, or the time is over; nil waits without
    /// limit.  For receivers without a ring.  May return early.
    package func wait(timeoutMilliseconds: Int32? = nil) {
        let result = isotherm_await_event(event, timeoutMilliseconds ?? -1)
        invariant(result >= 0, "an event can be waited for")
    }

    /// Prepares the ring's wait for the next batch: one completion under `userData`.
    package func arm(on ring: Ring, userData: UInt64) {
        ring.read(
            RingFile(descriptor: event),
            into: counter.region[0..<8],
            at: UInt64.max,
            userData: userData
        )
    }
}

/// Why there is no mailbox.
package enum MailboxError: Error, Hashable, Sendable {
    /// Out of descriptors or memory.
    case noEvent(SystemCode)
}
