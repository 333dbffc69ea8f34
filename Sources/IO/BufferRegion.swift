internal import CLinux
internal import Units

/// A stretch of memory inside an `Arena`, aligned for direct I/O where its offset is.
///
/// A handle: copies name the same bytes.  It is valid as long as its arena, which lives as long as
/// the lane that owns both; who may write to it at a given moment is the owner's protocol.  Every
/// access is checked against its bounds.
@safe
package struct BufferRegion: @unchecked Sendable, BitwiseCopyable {
    // Sendable because it is only a name for memory; it crosses threads inside messages that also
    // pass on the right to touch the bytes.
    @usableFromInline let base: UnsafeMutableRawPointer
    package let byteCount: Int

    package init(unsafeBase base: UnsafeMutableRawPointer, byteCount: Int) {
        unsafe self.base = base
        self.byteCount = byteCount
    }

    /// A region of no bytes.  Its address is never followed; it is one, so that no optional is
    /// needed where nothing is meant.
    package static var empty: BufferRegion {
        guard let somewhere = unsafe UnsafeMutableRawPointer(bitPattern: 4096) else {
            invariantFailed("4096 is no null pointer", file: #fileID, line: #line)
        }
        return unsafe BufferRegion(unsafeBase: somewhere, byteCount: 0)
    }

    /// The first byte, for system calls.
    @unsafe package var baseAddress: UnsafeMutableRawPointer { unsafe base }

    /// The bytes `range` of this region.
    package subscript(range: Range<Int>) -> BufferRegion {
        invariant(range.lowerBound >= 0 && range.upperBound <= byteCount, "a part lies inside")
        return unsafe BufferRegion(trusting: base + range.lowerBound, range.count)
    }

    /// Block `index` of this region.
    package func block(_ index: Int) -> BufferRegion {
        let start = index * Geometry.blockByteCount
        return self[start..<(start + Geometry.blockByteCount)]
    }

    @inlinable
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let whole = unsafe RawSpan(
                _unsafeStart: UnsafeRawPointer(base),
                byteCount: byteCount
            )
            return unsafe _overrideLifetime(whole, borrowing: self)
        }
    }

    @inlinable
    package var mutableBytes: MutableRawSpan {
        @_lifetime(borrow self)
        get {
            let whole = unsafe MutableRawSpan(_unsafeStart: base, byteCount: byteCount)
            return unsafe _overrideLifetime(whole, borrowing: self)
        }
    }

    /// Copies all of `source` to the start of this region.
    package func copy(from source: BufferRegion) {
        invariant(source.byteCount <= byteCount, "a copy fits its target")
        unsafe base.copyMemory(from: source.base, byteCount: source.byteCount)
    }

    /// Copies all of `source` to the start of this region and returns its CRC-32C from `start`.
    package func copy(from source: BufferRegion, checksumFrom start: UInt32) -> UInt32 {
        invariant(source.byteCount <= byteCount, "a copy fits its target")
        return unsafe isotherm_copy_crc32c(start, base, source.base, source.byteCount)
    }

    /// The CRC-32C of all bytes, going on from `start`.
    package func checksum(from start: UInt32) -> UInt32 {
        unsafe isotherm_crc32c(start, base, byteCount)
    }

    package func zero() {
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    }

    @usableFromInline
    init(trusting base: UnsafeMutableRawPointer, _ byteCount: Int) {
        unsafe self.base = base
        self.byteCount = byteCount
    }
}

/// Page-aligned memory, obtained once and returned when the arena goes.
package final class Arena: Sendable {
    package let region: BufferRegion

    /// Memory of `byteCount` bytes, rounded up to whole pages.
    ///
    /// It holds zeros and is faulted in at once when `isPopulated`, so that the first requests do
    /// not pay for page faults; else it holds anything.
    package init(byteCount: Int, isPopulated: Bool) {
        let pageByteCount = 4096
        let rounded = (byteCount + pageByteCount - 1) / pageByteCount * pageByteCount
        // Out of memory ends the process here, before anything was promised to anybody.
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: rounded,
            alignment: pageByteCount
        )
        region = unsafe BufferRegion(unsafeBase: memory, byteCount: rounded)
        if isPopulated { region.zero() }
    }

    deinit { unsafe region.baseAddress.deallocate() }
}
