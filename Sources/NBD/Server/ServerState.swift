package import Catalogue
package import Engine
package import IO
internal import Synchronization
package import Units

/// What comes to a lane from other threads.
package enum LaneMessage: Sendable {
    /// A socket whose client has chosen an export of this lane, and what it has sent already.
    case connection(Int32, Negotiation)
    case catalogueAnswer(CatalogueAnswer)
    /// Looks at the lane between two requests.
    case inspect(@Sendable (Lane, ConnectionStatistics) -> Void)
    /// Begins a request of the control side with the context that is given to it; its outcome is
    /// told on the lane's thread.
    case control(
        begin: @Sendable (Lane, UInt64) -> Void,
        whenFinished: @Sendable (RequestStatus) -> Void
    )
    /// The same for a request whose answer has more than a status.  It is released when
    /// `whenFinished` returns; nil when the lane takes no request now.
    case examine(
        begin: @Sendable (Lane, UInt64) -> Void,
        whenFinished: @Sendable (Lane, Finished?) -> Void
    )
    /// Tells how many connections a volume has.
    case countConnections(VolumeSlot, @Sendable (Int) -> Void)
    /// Gives the connections of a volume its new size.
    case resize(VolumeSlot, byteCount: UInt64)
    /// Ends the connections of a volume that goes away.
    case endConnections(VolumeSlot)
    /// Answers what was received, ends all connections, shuts the lane down, ends the loop.
    case stop
    /// Nothing but a turn of the loop.
    case wake
}

/// What the lanes of one server share.
package final class ServerState: Sendable {
    /// 1,024 connections, a commit and as many loads as a lane has requests, and the control side.
    package static var mailboxCapacity: Int { 16384 }

    package let exports = ExportTable()
    package let limits: ServerLimits
    /// Takes the lanes' events, on their threads; it must not make them wait.
    let report: @Sendable ([EventRow]) -> Void
    private let mailboxes: [Mailbox<LaneMessage>]
    private let connectionCount = Atomic<Int>(0)

    /// `mailboxes` are those of the lanes, in their order, each with room for every connection and
    /// every answer of the catalogue that can be on its way: `mailboxCapacity`.
    package init(
        mailboxes: [Mailbox<LaneMessage>],
        limits: ServerLimits = ServerLimits(),
        report: @escaping @Sendable ([EventRow]) -> Void = { _ in }
    ) {
        self.mailboxes = mailboxes
        self.limits = limits
        self.report = report
    }

    /// From any thread.  False when the lane's mailbox is full and does not take it.
    @discardableResult
    package func send(_ message: LaneMessage, to lane: LaneIndex) -> Bool {
        mailboxes[Int(lane.rawValue)].post(message)
    }

    func mailbox(of lane: LaneIndex) -> Mailbox<LaneMessage> { mailboxes[Int(lane.rawValue)] }

    /// Counts a connection in; false when there are as many as the server takes.
    ///
    /// Relaxed, here and below: the count orders nothing, and only one lane adds to it.
    func admitConnection(max: Int) -> Bool {
        guard connectionCount.load(ordering: .relaxed) < max else { return false }
        connectionCount.add(1, ordering: .relaxed)
        return true
    }

    func endConnection() { connectionCount.subtract(1, ordering: .relaxed) }

    /// Connections in all.
    package var openConnectionCount: Int { connectionCount.load(ordering: .relaxed) }
}
