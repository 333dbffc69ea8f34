internal import CLinux
internal import Glibc

/// An error number of the operating system, as a fact inside this module's errors.
package struct SystemCode: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
    /// Positive, as in `errno`.
    package var number: Int32

    package init(number: Int32) { self.number = number }

    /// Takes the negated error number that the C functions return.
    init(ofResult result: some BinaryInteger) {
        number = Int32(truncatingIfNeeded: 0 - result)
    }

    /// The system's words for it.
    package var text: String {
        guard let words = unsafe isotherm_error_text(number) else { return "unknown error" }
        return unsafe String(cString: words)
    }

    package var description: String { "\(text) (\(number))" }

    static var interrupted: SystemCode { SystemCode(number: EINTR) }
    static var tryAgain: SystemCode { SystemCode(number: EAGAIN) }
    static var busy: SystemCode { SystemCode(number: EBUSY) }
    static var canceled: SystemCode { SystemCode(number: ECANCELED) }
    static var noSpace: SystemCode { SystemCode(number: ENOSPC) }
    static var notPermitted: SystemCode { SystemCode(number: EPERM) }
    static var notKnown: SystemCode { SystemCode(number: ENOSYS) }
    static var invalid: SystemCode { SystemCode(number: EINVAL) }
    static var timedOut: SystemCode { SystemCode(number: ETIME) }
}
