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
        case .refused(.notPermitted):
            "io_uring is forbidden here, by the sysctl kernel.io_uring_disabled or by a filter on "
                + "this process"
        case .refused(.notKnown):
            "this kernel has no io_uring, or a filter on this process hides it; "
                + "\(Self.requirement)"
        case .refused(let code): "io_uring is refused: \(code)"
        case .lacks(let feature):
            "the io_uring of this kernel lacks \(feature); \(Self.requirement)"
        case .probeFailed(let code): "io_uring does not list its operations: \(code)"
        }
    }

    /// EXT_ARG, the limit on a wait, is the newest of what there is no substitute for.
    private static var requirement: String { "Linux 5.11 or later is needed" }
}
