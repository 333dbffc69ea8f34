internal import CLinux
internal import Glibc

/// Signals as something to wait for, instead of code that interrupts.
///
/// Made on the main thread before any other thread is started: threads inherit that SIGTERM,
/// SIGINT and SIGHUP are blocked, and none of them is ended by one.  SIGPIPE is ignored.
package final class SignalWatch: Sendable {
    package enum Signal: Sendable {
        /// SIGTERM or SIGINT: end in order.
        case terminate
        /// SIGHUP: read the configuration again.
        case reload
    }

    /// Readable when a signal is there; for a ring's poll.
    package let descriptor: Int32

    package init() throws(SignalError) {
        let ignored = isotherm_ignore_broken_pipes()
        guard ignored == 0 else { throw .cannotIgnore(SystemCode(ofResult: ignored)) }
        let result = isotherm_watch_signals()
        guard result >= 0 else { throw .cannotWatch(SystemCode(ofResult: result)) }
        descriptor = result
    }

    deinit { _ = isotherm_close(descriptor) }

    /// Waits for the next signal on this thread; nil when the time is over, or a wait without limit
    /// was interrupted.
    package func wait(timeoutMilliseconds: Int32? = nil) -> Signal? {
        let number = isotherm_await_signal(descriptor, timeoutMilliseconds ?? -1)
        return switch number {
        case SIGTERM, SIGINT: .terminate
        case SIGHUP: .reload
        default: nil
        }
    }
}

package enum SignalError: Error, Hashable, Sendable {
    case cannotIgnore(SystemCode)
    case cannotWatch(SystemCode)
}
