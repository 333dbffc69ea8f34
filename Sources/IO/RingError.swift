/// Why there is no ring.  All cases are met at the start; a ring that was made does not fail.
package enum RingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kernel refuses to make a ring; `EPERM` and `ENOSYS` mean that io_uring is forbidden
    /// here (sysctl `kernel.io_uring_disabled`, a container's filter).
    case refused(SystemCode)
    /// The kernel knows io_uring, but not this part of it.
    case lacks(feature: String)
    /// The list of known operations could not be read.
    case probeFailed(SystemCode)

    package var description: String {
        switch self {
        case .refused(let code): "io_uring is refused: \(code)"
        case .lacks(let feature): "io_uring lacks \(feature)"
        case .probeFailed(let code): "io_uring does not list its operations: \(code)"
        }
    }
}
