internal import CLinux
internal import Units

/// A thread of the operating system with a name and a stack of its own.
///
/// Joined once, by its owner.  One that is never joined runs to its end and its exit status stays;
/// so every thread of the engine is joined.
package struct WorkThread: ~Copyable, Sendable {
    private let handle: UInt64

    /// The stack of a lane: its frames are small, and nothing recurses.
    package static var defaultStackByteCount: Int { 1 << 20 }

    /// Runs `body` on a new thread.  The first 15 bytes of `name` show in the process list.
    /// `processor` is the one to stay on, where the system allows it.
    package init(
        name: String,
        stackByteCount: Int = WorkThread.defaultStackByteCount,
        processor: Int? = nil,
        body: sending @escaping () -> Void
    ) throws(WorkThreadError) {
        let box = unsafe Unmanaged.passRetained(Body(body))
        var handle: UInt64 = 0
        let result = unsafe isotherm_thread_start(
            &handle,
            name,
            stackByteCount,
            Int32(processor ?? -1),
            runBody,
            box.toOpaque()
        )
        guard result == 0 else {
            unsafe box.release()
            throw .cannotStart(SystemCode(ofResult: result))
        }
        self.handle = handle
    }

    /// Waits for the end of the thread.
    package consuming func join() {
        let result = isotherm_thread_join(handle)
        invariant(result == 0, "a thread is joined once, by another one")
    }

    /// Processors that this process may use.
    package static var processorCount: Int { max(1, Int(isotherm_processor_count())) }
}

package enum WorkThreadError: Error, Hashable, Sendable {
    case cannotStart(SystemCode)
}

/// Carries the body to its thread, which runs it once.
private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

private func runBody(_ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
}
