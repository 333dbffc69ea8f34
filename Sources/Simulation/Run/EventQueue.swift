/// What happens next in virtual time.
struct Event {
    enum Kind {
        /// An operation of `device` in `slot` ends.
        case operation(device: Int, slot: Int)
        /// The catalogue answers the lane's oldest request.
        case catalogue(lane: Int)
        /// A client gives back the data of a reply.
        case release(index: Int)
    }
    var at: UInt64
    /// Events of the same moment keep the order in which they were made.
    var number: UInt64
    var kind: Kind

    func isBefore(_ other: Event) -> Bool { (at, number) < (other.at, other.number) }
}

/// Events by time: a binary heap.
struct EventQueue {
    private var heap: [Event] = []
    private var made: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }
    var count: Int { heap.count }
    var nextTime: UInt64? { heap.first?.at }

    mutating func removeAll() { heap.removeAll(keepingCapacity: true) }

    mutating func add(_ kind: Event.Kind, at: UInt64) {
        made += 1
        heap.append(Event(at: at, number: made, kind: kind))
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[index].isBefore(heap[parent]) else { break }
            heap.swapAt(index, parent)
            index = parent
        }
    }

    mutating func popFirst() -> Event? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            if least == index { return first }
            heap.swapAt(index, least)
            index = least
        }
    }
}
