/// One completion of the ring, as the kernel wrote it.
package struct RingCompletion: Sendable, BitwiseCopyable {
    /// As given when the entry was prepared.
    package var userData: UInt64
    /// A count or a descriptor from zero up; the negated error number below zero.
    package var result: Int32
    package var flags: UInt32

    @inlinable
    package init(userData: UInt64, result: Int32, flags: UInt32) {
        self.userData = userData
        self.result = result
        self.flags = flags
    }

    /// A multishot entry that stays armed; without it, the entry is used up.
    @inlinable package var hasMore: Bool { flags & 2 != 0 }
    @inlinable package var tag: RingTag { RingTag(userData: userData) }

    /// The error, when it is one.
    package var error: SystemCode? { result < 0 ? SystemCode(ofResult: result) : nil }
    /// Worth repeating: interrupted, cancelled by the ring, or no resources just now.
    package var isTransient: Bool {
        guard let error else { return false }
        return error == .interrupted || error == .tryAgain || error == .canceled
    }
    /// Ended by a cancel.
    package var isCanceled: Bool { error == .canceled }
    /// A timeout that ran out.
    package var isTimeout: Bool { error == .timedOut }
}

/// Who on a ring owns a completion: the upper 8 bits of its user data.  The other 56 are the
/// owner's.
///
/// Tags from `firstFree` up belong to whoever runs the ring, for its sockets, timers and mailboxes.
package struct RingTag: Hashable, Sendable, BitwiseCopyable {
    package var rawValue: UInt8
    @inlinable package init(_ rawValue: UInt8) { self.rawValue = rawValue }
    @inlinable
    package init(userData: UInt64) { rawValue = UInt8(truncatingIfNeeded: userData >> 56) }

    /// Completions that nobody waits for, such as those of cancels and closes.
    @inlinable package static var ignored: RingTag { RingTag(0) }
    /// Operations of `RingDriver`.
    @inlinable package static var device: RingTag { RingTag(1) }
    @inlinable package static var firstFree: RingTag { RingTag(2) }

    /// User data of this owner; `payload` is below 2^56.
    @inlinable
    package func userData(_ payload: UInt64) -> UInt64 {
        UInt64(rawValue) << 56 | (payload & 0x00FF_FFFF_FFFF_FFFF)
    }
    /// The owner's part of `userData`.
    @inlinable
    package static func payload(of userData: UInt64) -> UInt64 { userData & 0x00FF_FFFF_FFFF_FFFF }
}
