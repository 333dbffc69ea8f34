internal import Format
internal import Units

/// The search of a lane's map for what lives in segments whose records do not tell it.
struct MapSearch {
    var segments: Set<Int>
    /// What was found, by segment.
    var chunks: [Int: [ChunkKey]] = [:]
    /// The next leaf, of this volume.
    var volume = 0
    var leaf: UInt64 = 0
}

// Reclaim reads in a segment which chunks may live in it.  A record of which header and tail are
// damaged, or that a device lost whole, tells nothing: reclaim goes through its segment again and
// again, and gains nothing.  In a full pool a few of these leave no room for any write.  The map
// knows what lives there, but to ask it is to go through all of it.  So that is done when hosts
// have waited in vain for a while:
//
//      of all segments at once that reclaim gains nothing from, the chunks that live in them are
//      noted, leaf by leaf
//      reclaim takes such a segment as it takes others, but with these chunks: what is good moves,
//      what is damaged is poisoned, what a device refuses is asked for again (UnreadBlocks)
extension Lane {
    private static var leavesSearchedPerTurn: Int { 8 }
    /// For so long hosts wait before the map is searched, and before it is searched again: twice as
    /// long after each search since when no segment was emptied.
    private static var searchPause: UInt64 { 20_000_000_000 }

    /// When the map is to be searched; nil while there is nothing to be looked for.
    var searchDeadline: Instant? {
        guard let since = asking.stuckSince, mapSearch == nil, !shutdown.isQuiet,
            silentSegments.contains(where: isSearched)
        else { return nil }
        let pause = Lane.searchPause << UInt64(min(vainSearchCount, 6))
        return max(since, searchedAt).advanced(byNanoseconds: pause)
    }

    private func isSearched(_ segment: Int) -> Bool {
        silentSegments.contains(segment) && !pool.segments[segment].isVictim
            && foundChunks[segment] == nil
    }

    /// Goes on with a search, or begins one if it is time.
    func searchMap() {
        if mapSearch == nil {
            guard !isReadOnly, let deadline = searchDeadline, deadline <= now else { return }
            mapSearch = MapSearch(segments: silentSegments.filter(isSearched))
        }
        for _ in 0..<Lane.leavesSearchedPerTurn {
            guard let current = mapSearch else { return }
            guard !isReadOnly, !shutdown.isQuiet else { return mapSearch = nil }
            guard current.volume < volumeCount else { return endSearch(current) }
            guard volumes[current.volume].life == .live,
                let leaf = nextLeaf(of: current.volume, from: current.leaf)
            else {
                mapSearch?.volume += 1
                mapSearch?.leaf = 0
                continue
            }
            switch access(current.volume, leaf: leaf, isForChange: false) {
            case .loading, .noRoom: return
            case .absent, .damaged: break
            case .ready(let slot): search(slot)
            }
            mapSearch?.leaf = leaf + 1
        }
        hasProgressed = true
    }

    private func search(_ slot: Int) {
        let entry = leaves.entries[slot]
        let first = entry.index * UInt64(Geometry.chunksPerLeaf)
        for block in 0..<Geometry.blocksPerLeaf {
            let state = leaves.state(slot, block)
            guard state.isStored else { continue }
            let chunk = first + UInt64(block / Geometry.blocksPerChunk)
            let key = ChunkKey(volume: entry.volume, chunk: chunk)
            noteFound(key, at: state.flash)
            noteFound(key, at: state.disk)
        }
    }

    private func noteFound(_ key: ChunkKey, at place: Location) {
        guard place.isPlace else { return }
        let segment = pool.slot(of: place)
        guard mapSearch?.segments.contains(segment) == true,
            mapSearch?.chunks[segment]?.last != key
        else { return }
        mapSearch?.chunks[segment, default: []].append(key)
    }

    /// To be called when nothing of a segment is live any more.
    func forgetSilent(_ segment: Int) {
        vainSearchCount = 0
        silentSegments.remove(segment)
        foundChunks[segment] = nil
        mapSearch?.segments.remove(segment)
        mapSearch?.chunks[segment] = nil
    }

    private func endSearch(_ search: MapSearch) {
        mapSearch = nil
        searchedAt = now
        hasProgressed = true
        vainSearchCount += 1
        for (segment, chunks) in search.chunks where isSearched(segment) {
            foundChunks[segment] = chunks
            barrenSegments.remove(segment)
            unreadableSegments[segment] = nil
        }
        statistics.mapSearches += 1
    }
}
