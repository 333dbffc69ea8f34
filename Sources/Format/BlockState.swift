public import Units

/// What the map knows of one block of a volume, as a leaf holds it in memory.
///
/// A block is *absent* (never written, or trimmed; reads as zeros), a reserved *zero* (reads as
/// zeros and owns space), or *stored*: then it lies on flash, on disk, or on both (a clean copy on
/// flash beside its home on disk), with the checksum and the sequence number of the write that made
/// it.  *Poisoned* means that its bytes were found damaged in every copy: reading it is an error
/// until it is written anew.  The all-zero bit pattern is none of these.
@usableFromInline
package struct BlockState: Equatable, Sendable, BitwiseCopyable {
    @usableFromInline
    package enum Kind: UInt8, Sendable, CaseIterable {
        case absent = 0x11
        case zero = 0x22
        case stored = 0x44
        case poisoned = 0x88
    }

    @usableFromInline package var flash: Location
    @usableFromInline package var disk: Location
    @usableFromInline package var sequence: SequenceNumber
    @usableFromInline package var checksum: UInt32
    /// Index into the leaf's table of the volumes whose identity seeds the checksums.
    @usableFromInline package var writer: UInt16
    @usableFromInline package var kindCode: UInt8
    @usableFromInline package var reserved: UInt8

    @inlinable
    package init(
        kind: Kind,
        flash: Location,
        disk: Location,
        sequence: SequenceNumber,
        checksum: UInt32,
        writer: UInt16
    ) {
        self.flash = flash
        self.disk = disk
        self.sequence = sequence
        self.checksum = checksum
        self.writer = writer
        kindCode = kind.rawValue
        reserved = 0
    }

    @inlinable
    package static var absent: BlockState {
        BlockState(
            kind: .absent,
            flash: .nowhere,
            disk: .nowhere,
            sequence: SequenceNumber(0),
            checksum: 0,
            writer: 0
        )
    }

    /// Has a checksum: it has data, or had.
    @inlinable
    package var hasChecksum: Bool {
        kindCode == Kind.stored.rawValue || kindCode == Kind.poisoned.rawValue
    }

    /// What stands where a leaf could not be read: reading such a block is an error.
    package static var unknown: BlockState {
        var state = absent
        state.kindCode = Kind.poisoned.rawValue
        return state
    }

    /// Whether the fields fit each other.  Only such a state is stored, and no other is read.
    ///
    /// A stored block lies somewhere.  A reserved zero lies nowhere and has no checksum.  An absent
    /// block is `absent` and nothing else.
    package var isWellFormed: Bool {
        guard reserved == 0, Location(rawValue: flash.rawValue) != nil,
            Location(rawValue: disk.rawValue) != nil
        else { return false }
        return switch kind {
        case .absent: self == .absent
        case .zero: flash.isNowhere && disk.isNowhere && checksum == 0
        case .stored: flash.isPlace || disk.isPlace
        case .poisoned: true
        case nil: false
        }
    }

    /// Nil only for a pattern that no writer writes: damage in memory.
    @inlinable package var kind: Kind? { Kind(rawValue: kindCode) }
    @inlinable package var isAbsent: Bool { kindCode == Kind.absent.rawValue }
    @inlinable package var isStored: Bool { kindCode == Kind.stored.rawValue }
    @inlinable package var isPoisoned: Bool { kindCode == Kind.poisoned.rawValue }
    /// Owns space in the pool's ledger.
    @inlinable package var isCharged: Bool { kindCode != Kind.absent.rawValue }
    /// Its only copy is on flash.
    @inlinable package var isDirty: Bool { isStored && disk.isNowhere }
    /// On flash with its home on disk: the flash copy may be dropped at any time.
    @inlinable package var isCleanCopy: Bool { isStored && flash.isPlace && disk.isPlace }
}
