internal import Glibc
internal import Units

/// A thread of its own for work that may wait for the disk.
enum ServiceThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a thread that runs `body` and ends.  Nobody joins it.
    static func start(_ body: @escaping @Sendable () -> Void) {
        // The pointer owns the body until the thread, which runs once, takes it back.
        let argument = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            argument
        )
        invariant(code == 0, "a thread starts")
        _ = pthread_detach(thread)
    }

    /// A number that tells the calling thread from all others alive.
    static var current: UInt { pthread_self() }
}

/// A count that threads wait for: `wait` takes one, and sleeps while there is none.
@safe
final class Semaphore: @unchecked Sendable {
    // Sendable because the operating system's semaphore is made to be shared; its memory stays in
    // one place for as long as this object.
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        unsafe semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        let code = unsafe sem_init(semaphore, 0, 0)
        invariant(code == 0, "a semaphore is made")
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    func signal() {
        let code = unsafe sem_post(semaphore)
        invariant(code == 0, "a semaphore counts far below its limit")
    }

    func wait() {
        while unsafe sem_wait(semaphore) != 0 {
            invariant(errno == EINTR, "only a signal interrupts waiting")
        }
    }
}
