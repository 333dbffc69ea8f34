internal import IO
internal import Units

// Blocks that a move could not read, or that are not what the map expects.
extension Lane {
    /// Poisons that wait for their leaves; more are found again by the next move of their chunk.
    static var poisonMax: Int { 4096 }

    /// Leaves bad blocks out of a move: damaged ones are poisoned where they are.  What a device
    /// refused to read is kept in mind.
    func dropBadItems(_ move: Int) {
        let record = configuration.hostRecordCount + move
        var dropped: [MoveItem] = []
        var kept = 0
        for index in 0..<Int(moves[move].itemCount) {
            let item = moveItems[firstItem(move) + index]
            if item.isBad {
                statistics.badBlocks += 1
                if item.isGone {
                    noteUnread(item)
                } else if poisons.count < Lane.poisonMax, !isToBePoisoned(item) {
                    poisons.append(item)
                }
                dropped.append(item)
                continue
            }
            if kept < index {
                recordDataBlock(record, kept).copy(from: recordDataBlock(record, index))
                moveItems[firstItem(move) + kept] = item
            }
            kept += 1
        }
        moves[move].itemCount = Int32(kept)
        endMoving(dropped, by: move)
    }

    /// A move before this one has found the same.
    private func isToBePoisoned(_ item: MoveItem) -> Bool {
        poisons.contains {
            $0.volume == item.volume && $0.address == item.address && $0.source == item.source
        }
    }

    /// Lets chunks go of which a move has no block left.
    private func endMoving(_ dropped: [MoveItem], by move: Int) {
        for item in dropped {
            var isMoved = false
            for index in 0..<Int(moves[move].itemCount)
            where chunk(of: moveItems[firstItem(move) + index]) == chunk(of: item) {
                isMoved = true
            }
            if !isMoved { endMoving(item) }
        }
    }
}
