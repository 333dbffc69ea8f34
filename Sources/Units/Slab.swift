/// A fixed number of elements at a fixed address, made once and kept for the life of its owner.
///
/// The hot path's replacement for an array property of a class: no reference count, no exclusivity
/// check, no growth.  Every index is checked.  Elements are plain values; the memory is returned by
/// `deallocate()`, which the owner's `deinit` calls.  It is a handle: copies name the same memory.
@safe
@usableFromInline
package struct Slab<Element: BitwiseCopyable>: @unchecked Sendable {
    // Sendable because it is only a name for memory: who may touch the elements is said by the
    // owner (one lane), and moves between threads only through a mailbox or a lock.
    @usableFromInline let base: UnsafeMutablePointer<Element>
    @usableFromInline package let count: Int

    @inlinable
    package init(count: Int, repeating element: Element) {
        unsafe base = UnsafeMutablePointer<Element>.allocate(capacity: count)
        unsafe base.initialize(repeating: element, count: count)
        self.count = count
    }

    @inlinable
    package subscript(index: Int) -> Element {
        @inline(__always)
        unsafeAddress {
            invariant(index >= 0 && index < count, "a slab is indexed inside its bounds")
            return unsafe UnsafePointer(base + index)
        }
        @inline(__always)
        nonmutating unsafeMutableAddress {
            invariant(index >= 0 && index < count, "a slab is indexed inside its bounds")
            return unsafe base + index
        }
    }

    /// The elements as a span, for bulk work.
    @inlinable
    package var span: Span<Element> {
        @_lifetime(borrow self)
        get {
            let whole = unsafe Span(_unsafeStart: UnsafePointer(base), count: count)
            return unsafe _overrideLifetime(whole, borrowing: self)
        }
    }

    /// The elements of `range` as a span that can be written.
    @inlinable
    @_lifetime(borrow self)
    package func mutableSpan(of range: Range<Int>) -> MutableSpan<Element> {
        invariant(range.lowerBound >= 0 && range.upperBound <= count, "a range inside the slab")
        let part = unsafe MutableSpan(_unsafeStart: base + range.lowerBound, count: range.count)
        return unsafe _overrideLifetime(part, borrowing: self)
    }

    /// The elements of `range` as a span.
    @inlinable
    @_lifetime(borrow self)
    package func span(of range: Range<Int>) -> Span<Element> {
        invariant(range.lowerBound >= 0 && range.upperBound <= count, "a range inside the slab")
        let part = unsafe Span(
            _unsafeStart: UnsafePointer(base + range.lowerBound),
            count: range.count
        )
        return unsafe _overrideLifetime(part, borrowing: self)
    }

    /// Returns the memory; the handle and its copies may not be used again.
    package func deallocate() { unsafe base.deallocate() }
}
