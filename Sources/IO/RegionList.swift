internal import CLinux
internal import Units

/// Regions that one send gathers, or one receive scatters to, in memory of a fixed address.
///
/// Made once for each connection and direction.  From preparing a transfer to its completion
/// neither the list nor its bytes may be changed.
@safe
package final class RegionList {
    package let capacity: Int
    private let message: OpaquePointer
    private let regions: Slab<BufferRegion>
    private var first = 0
    private var end = 0
    /// Bytes that are left to transfer.
    package private(set) var byteCount = 0

    /// A list of at most `capacity` regions; the kernel takes 1024.
    package init(capacity: Int) {
        invariant(capacity > 0 && capacity <= 1024, "a message has 1 to 1024 parts")
        guard let message = unsafe isotherm_message_make(capacity) else {
            invariantFailed("memory for a message is there", file: #fileID, line: #line)
        }
        unsafe self.message = message
        self.capacity = capacity
        let empty = unsafe BufferRegion(unsafeBase: UnsafeMutableRawPointer(message), byteCount: 0)
        regions = Slab(count: capacity, repeating: empty)
    }

    deinit {
        unsafe isotherm_message_free(message)
        regions.deallocate()
    }

    /// Regions that are left to transfer, whole or in part.
    package var count: Int { end - first }
    package var isEmpty: Bool { first == end }
    /// Regions that can still be appended.
    package var headroom: Int { capacity - end }

    package func append(_ region: BufferRegion) {
        invariant(end < capacity, "a region list has room")
        put(region, at: end)
        end += 1
        byteCount += region.byteCount
        unsafe isotherm_message_set_range(message, first, end - first)
    }

    package func removeAll() {
        first = 0
        end = 0
        byteCount = 0
        unsafe isotherm_message_set_range(message, 0, 0)
    }

    /// Drops the first `count` bytes, which a transfer has carried.
    package func advance(byByteCount count: Int) {
        invariant(count >= 0 && count <= byteCount, "no more is dropped than there is")
        byteCount -= count
        var rest = count
        while first < end {
            let region = regions[first]
            guard region.byteCount <= rest else {
                put(region[rest..<region.byteCount], at: first)
                break
            }
            rest -= region.byteCount
            first += 1
        }
        unsafe isotherm_message_set_range(message, first, end - first)
    }

    var headerBits: UInt64 { unsafe UInt64(UInt(bitPattern: isotherm_message_header(message))) }

    private func put(_ region: BufferRegion, at index: Int) {
        regions[index] = region
        unsafe isotherm_message_set_part(message, index, region.baseAddress, region.byteCount)
    }
}
