internal import Units

/// Requests that are done and not yet fetched, in the order in which they became so.
struct FinishedQueue {
    private let slots: Slab<Int32>
    private var first = 0
    private(set) var count = 0

    init(capacity: Int) { slots = Slab(count: capacity, repeating: -1) }

    func deallocate() { slots.deallocate() }

    mutating func append(_ request: Int) {
        invariant(count < slots.count, "every finished request has a place")
        slots[(first + count) % slots.count] = Int32(request)
        count += 1
    }

    mutating func next() -> Int? {
        guard count > 0 else { return nil }
        let request = Int(slots[first])
        first = first + 1 == slots.count ? 0 : first + 1
        count -= 1
        return request
    }
}
