package import Units

/// One volume as clients see it.
package struct ExportDescription: Sendable, Equatable {
    /// `pool/volume`.
    package var name: String
    /// A line for people; may be empty.
    package var description: String
    /// The lane that owns the volume.
    package var lane: LaneIndex
    /// The volume's index inside its lane.
    package var volumeSlot: UInt32
    package var byteCount: UInt64
    package var isReadOnly: Bool

    package init(
        name: String,
        description: String,
        lane: LaneIndex,
        volumeSlot: UInt32,
        byteCount: UInt64,
        isReadOnly: Bool
    ) {
        self.name = name
        self.description = description
        self.lane = lane
        self.volumeSlot = volumeSlot
        self.byteCount = byteCount
        self.isReadOnly = isReadOnly
    }
}

/// Where the handshake finds what may be attached.  Asked anew at each option, so that what changes
/// meanwhile is seen.
package protocol ExportDirectory {
    /// The export called `name`; the empty name asks for the default one.  Nil when this client may
    /// not use it, or there is none.
    func export(named name: String) -> ExportDescription?
    /// All exports that this client may use, in the order in which they are to be listed.
    func allExports() -> [ExportDescription]
    /// The server is going down: every option is refused.
    var isStopping: Bool { get }
}
