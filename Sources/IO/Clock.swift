internal import CLinux
internal import Glibc
package import Units

/// The machine's clocks.  Reading one costs about 40 ns: once a turn, not once a request.
package enum Clock {
    /// The monotonic clock, which orders and times everything.
    package static func now() -> Instant { Instant(nanoseconds: isotherm_monotonic_nanoseconds()) }

    /// Seconds since 1970, for people; nothing may be decided by it.
    package static func wallSeconds() -> Int64 { isotherm_wall_seconds() }

    /// Stops this thread for a while; never on a lane's usual path.
    package static func pause(milliseconds: Int) { _ = usleep(UInt32(milliseconds) * 1000) }
}
