internal import Catalogue
internal import Format
internal import IO
internal import Units

extension Lane {
    /// Does to the map what the entry did when it was appended.
    func replay(
        _ entry: RecordEntry,
        _ table: BufferRegion,
        at place: Int,
        sequence: SequenceNumber,
        first: Location,
        from source: some RecoverySource
    ) throws(RecoveryError) {
        if entry.kind == .control { return replayControl(entry, table, at: place) }
        // Entries of a volume that was destroyed and forgotten say nothing any more.
        guard let volume = volumeSlots[entry.volume] else { return }
        for index in 0..<Int(entry.blockCount) {
            let address = entry.address + UInt64(index)
            let leaf = address / UInt64(Geometry.blocksPerLeaf)
            guard let slot = try leafForReplay(volume, leaf, from: source, entry.kind) else {
                continue
            }
            var state = BlockState.absent
            switch entry.kind {
            case .data:
                state = BlockState(
                    kind: .stored,
                    flash: Location(device: first.device, block: first.block + UInt64(index)),
                    disk: .nowhere,
                    sequence: sequence,
                    checksum: entry.checksum(of: index, in: table.bytes, at: place),
                    writer: 0
                )
            case .zero where Mutant.reservedZeroIsHole.isOn: break
            case .trim where Mutant.replayForgetsTrims.isOn: continue
            case .zero:
                state = BlockState(
                    kind: .zero,
                    flash: .nowhere,
                    disk: .nowhere,
                    sequence: sequence,
                    checksum: 0,
                    writer: 0
                )
            case .trim, .copy, .control: break
            }
            let block = Int(address % UInt64(Geometry.blocksPerLeaf))
            if state.isCharged && !leaves.state(slot, block).isCharged {
                pool.chargeUnconditionally(1)
            }
            willChange(slot)
            replace(slot, block, with: state)
        }
    }

    /// The leaf, read from the catalogue if need be; nil when a trim finds nothing to trim.
    private func leafForReplay(
        _ volume: Int,
        _ leaf: UInt64,
        from source: some RecoverySource,
        _ kind: EntryKind
    ) throws(RecoveryError) -> Int? {
        if let slot = leaves.find(volume: UInt32(volume), index: leaf) { return slot }
        let isStored = presence[volume].contains(leaf)
        guard isStored || kind != .trim else { return nil }
        guard let slot = takeLeafSlot(volume, leaf: leaf, as: .ready) else {
            throw .mapTooSmall(leafCount: leaves.count)
        }
        leaves.clear(slot)
        guard isStored else { return slot }
        let key = leafKey(volume, leaf)
        guard fill(slot, from: try source.load(key)) else { throw .leafDamaged(key) }
        return slot
    }

    private func replayControl(_ entry: RecordEntry, _ table: BufferRegion, at place: Int) {
        let start = place + RecordEntry.fixedByteCount
        let payload = table[start..<(start + Int(entry.payloadByteCount))]
        let known = volumeSlots[entry.volume]
        switch ControlKind(rawValue: entry.detail) {
        case .createVolume:
            guard known == nil, let control = decodeControl(payload) else { return }
            let slot = adopt(
                VolumeRow(
                    identifier: entry.volume,
                    name: control.name,
                    byteCount: control.byteCount,
                    lane: index,
                    tree: control.tree,
                    state: .live,
                    createdSeconds: control.createdSeconds
                )
            )
            noteVolumeChanged(slot)
        case .resizeVolume:
            guard let known, let control = decodeControl(payload) else { return }
            volumes[known].byteCount = control.byteCount
            noteVolumeChanged(known)
        case .destroyVolume:
            guard let known, volumes[known].life == .live else { return }
            volumes[known].life = .destroyed
            noteVolumeChanged(known)
        case .mark, nil: break
        }
    }

    private func decodeControl(_ payload: BufferRegion) -> VolumeControl? {
        do throws(FormatError) {
            return try VolumeControl(decoding: payload.bytes)
        } catch {
            // The header's checksum was right, so this was written so: by a newer version.
            note("control_unknown", "a control entry could not be read: \(error)")
            return nil
        }
    }
}
