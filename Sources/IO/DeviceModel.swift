package import Units

/// Decides when the operations of a modelled device end: a file that takes as long as a hard disk.
///
/// The driver submits each operation to the real device and to the model at once, and completes it
/// when both have ended.  All lanes that use a device share its model, which has one queue as the
/// disk would; so every call may come from any lane's thread.
///
/// Whatever is shown of such a device carries the label.
package protocol DeviceModel: AnyObject, Sendable {
    /// Names the modelled device, for example `(modelled) 7200 rpm nearline`.
    var label: String { get }

    /// A number for one more driver; what it submits under it comes back only under it.
    func join() -> Int

    /// An operation begins.  `ticket` is the driver's and unique among its operations in flight.
    func submit(
        _ kind: Operation.Kind,
        offset: UInt64,
        byteCount: UInt64,
        ticket: UInt64,
        client: Int,
        now: Instant
    )

    /// The ticket of one operation of this client that has ended by `now`; nil when there is none.
    func nextEnded(client: Int, now: Instant) -> UInt64?

    /// No operation of this client ends before; nil when none is in flight.  It may move later when
    /// other lanes submit, never earlier.
    func nextDeadline(client: Int) -> Instant?
}
