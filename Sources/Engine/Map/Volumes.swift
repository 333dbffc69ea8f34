internal import Policy
package import Catalogue
internal import Format
package import Units

/// What the hot path knows of a volume.
struct VolumeState: BitwiseCopyable {
    enum Life: UInt8, BitwiseCopyable {
        case free
        case live
        /// Destroyed; its leaves are being given back.
        case destroyed
    }
    var life = Life.free
    var isChanged = false
    /// Of a destroyed volume: a leaf of it is damaged, so what it owned is not known, and the
    /// volume is never forgotten.
    var hasDamagedLeaf = false
    /// Where its blocks' checksums start from.
    var seed: UInt32 = 0
    var identifier = VolumeIdentifier(high: 0, low: 0)
    var tree = TreeIdentifier(0)
    var byteCount: UInt64 = 0
    /// While it is being made smaller, its size to be: no request that reaches behind it is begun.
    var admittedByteCount = UInt64.max
    /// Blocks that it owns.
    var ownedBlockCount: UInt64 = 0
    /// Of a destroyed volume: leaves below this one are given back.
    var nextLeaf: UInt64 = 0
}

extension Lane {
    /// Takes a volume into the lane, from the catalogue or newly created.
    @discardableResult
    func adopt(_ row: VolumeRow) -> Int {
        if volumeCount == volumes.count { growVolumes() }
        let slot = volumeCount
        volumeCount += 1
        volumes[slot] = VolumeState()
        volumes[slot].life = row.state == .live ? .live : .destroyed
        volumes[slot].seed = Checksum.seed(of: row.identifier)
        volumes[slot].identifier = row.identifier
        volumes[slot].tree = row.tree
        volumes[slot].byteCount = row.byteCount
        volumes[slot].ownedBlockCount = row.ownedBlockCount
        volumeRows.append(row)
        presence.append(Presence())
        scans.append(SequentialDetector())
        volumeSlots[row.identifier] = slot
        return slot
    }

    private func growVolumes() {
        let larger = Slab(count: volumes.count * 2, repeating: VolumeState())
        for slot in 0..<volumes.count {
            larger[slot] = volumes[slot]
        }
        volumes.deallocate()
        volumes = larger
    }

    /// Where a volume is in this lane; nil when it is not here or is destroyed.
    package func slot(of volume: VolumeIdentifier) -> VolumeSlot? {
        guard let slot = volumeSlots[volume], volumes[slot].life == .live else { return nil }
        return VolumeSlot(UInt32(slot))
    }

    /// All live volumes of the lane, with their sizes and what they own at this moment.
    package var volumeList: [(slot: VolumeSlot, row: VolumeRow)] {
        var list: [(slot: VolumeSlot, row: VolumeRow)] = []
        for slot in 0..<volumeCount where volumes[slot].life == .live {
            list.append((VolumeSlot(UInt32(slot)), currentRow(slot)))
        }
        return list
    }

    /// The volume's row as the next checkpoint would write it.
    func currentRow(_ slot: Int) -> VolumeRow {
        var row = volumeRows[slot]
        row.byteCount = volumes[slot].byteCount
        row.ownedBlockCount = volumes[slot].ownedBlockCount
        row.state = volumes[slot].life == .live ? .live : .destroyed
        return row
    }

    func noteVolumeChanged(_ slot: Int) {
        guard !volumes[slot].isChanged else { return }
        volumes[slot].isChanged = true
        changedVolumes.append(slot)
    }
}
