/// A cache of whole chunks that gives up the least recently used one; what it misses it takes in.
/// The yardstick beside `TierReplay`.
struct LeastRecentlyUsedReplay {
    private struct Entry {
        var chunk: UInt64
        var newer: Int
        var older: Int
        var isDirty: Bool
    }

    private(set) var figures = ReplayFigures()
    private let chunkCapacity: Int
    private var entries: [Entry] = []
    private var places: [UInt64: Int] = [:]
    private var newest = -1
    private var oldest = -1

    init(chunkCapacity: Int) { self.chunkCapacity = chunkCapacity }

    mutating func apply(_ request: TraceRequest) {
        var lastDiskChunk: UInt64?
        for index in request.chunks {
            let byteCount = request.byteCount(in: index)
            let isHit = touch(index, isWrite: !request.isRead)
            figures.byteCount += byteCount
            if isHit { figures.hitByteCount += byteCount }
            guard request.isRead else { continue }
            figures.readByteCount += byteCount
            if isHit {
                figures.readHitByteCount += byteCount
                continue
            }
            if lastDiskChunk.map({ $0 + 1 != index }) ?? true { figures.diskReadCount += 1 }
            lastDiskChunk = index
            figures.diskReadByteCount += Int(chunkByteCount)
            figures.promotedByteCount += Int(chunkByteCount)
        }
    }

    /// Makes `chunk` the newest; true when it was there.
    private mutating func touch(_ chunk: UInt64, isWrite: Bool) -> Bool {
        if let place = places[chunk] {
            unlink(place)
            linkNewest(place)
            if isWrite { entries[place].isDirty = true }
            return true
        }
        let entry = Entry(chunk: chunk, newer: -1, older: -1, isDirty: isWrite)
        var place = entries.count
        if place < chunkCapacity {
            entries.append(entry)
        } else {
            place = oldest
            unlink(place)
            places[entries[place].chunk] = nil
            if entries[place].isDirty { figures.demotedByteCount += Int(chunkByteCount) }
            entries[place] = entry
        }
        places[chunk] = place
        linkNewest(place)
        return false
    }

    private mutating func unlink(_ place: Int) {
        let entry = entries[place]
        if entry.newer >= 0 {
            entries[entry.newer].older = entry.older
        } else {
            newest = entry.older
        }
        if entry.older >= 0 {
            entries[entry.older].newer = entry.newer
        } else {
            oldest = entry.newer
        }
    }

    private mutating func linkNewest(_ place: Int) {
        entries[place].older = newest
        entries[place].newer = -1
        if newest >= 0 { entries[newest].newer = place } else { oldest = place }
        newest = place
    }
}
