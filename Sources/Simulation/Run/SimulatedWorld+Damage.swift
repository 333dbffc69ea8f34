internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import Units

// Damage to what is at rest: blocks of data, headers of records, headers of segments.
extension SimulatedWorld {
    /// Now and then damages a block that somebody needs.
    func damageAtTimes() {
        guard let atlas, isLoaded, let device = atlas.faults.first, device.isArmed else { return }
        let rates = parameters.faults
        if rates.rotOneIn > 0, device.random.isOne(in: rates.rotOneIn) {
            damage { $0.rot($1) }
        }
        if rates.latentErrorOneIn > 0, device.random.isOne(in: rates.latentErrorOneIn) {
            damage { $0.makeUnreadable($1) }
        }
        if rates.passingErrorOneIn > 0, device.random.isOne(in: rates.passingErrorOneIn) {
            refuseForAWhile()
        }
        if rates.absenceOneIn > 0, device.random.isOne(in: rates.absenceOneIn) {
            let away = device.random.pick(atlas.faults)
            let duration = device.random.pick([
                1_000_000, 50_000_000, 1_000_000_000, 8_000_000_000, 90_000_000_000,
                400_000_000_000,
            ])
            journal.trace("device \(away.index.rawValue) is away for \(duration) ns")
            away.leave(until: now + UInt64(duration))
            if device.random.isOne(in: 2) { damageBesides(away.index) }
        }
        if rates.hangOneIn > 0, device.random.isOne(in: rates.hangOneIn) {
            let mute = device.random.pick(atlas.faults)
            let duration = device.random.pick([
                5_000_000, 50_000_000, 1_000_000_000, 20_000_000_000, 45_000_000_000,
            ])
            journal.trace("device \(mute.index.rawValue) hangs for \(duration) ns")
            mute.hang(from: now, until: now + UInt64(duration))
        }
    }

    /// Has a block refused for a while, of one that lies on both tiers at times with damage to what
    /// the other tier has: then nobody else has it.
    private func refuseForAWhile() {
        guard let atlas else { return }
        if atlas.faults[0].random.isOne(in: 4) { return damageMirror(refuseForAWhile) }
        guard let (index, chosen) = chooseBlock() else { return }
        let isOnBoth = chosen.state.isCleanCopy
        let isOnFlash =
            isOnBoth ? atlas.faults[0].random.isOne(in: 2) : chosen.state.flash.isPlace
        let place = isOnFlash ? chosen.state.flash : chosen.state.disk
        let duration = atlas.faults[0].random.pick([1_000_000, 50_000_000, 1_000_000_000])
        journal.trace("block \(place) of a device is refused for \(duration) ns")
        atlas.faults[Int(place.device.rawValue)].refuse(
            Int(place.block),
            until: now + UInt64(duration)
        )
        atlas.watch(index, chosen.block, chosen.state, now: now)
        guard isOnBoth, atlas.damagedCount < 2 * FaultRates.damagedBlockMax,
            atlas.faults[0].random.isOne(in: 2)
        else { return }
        let other = isOnFlash ? chosen.state.disk : chosen.state.flash
        guard devices[Int(other.device.rawValue)].rot(Int(other.block)) else { return }
        journal.met(.onlyGoodCopyRefused)
        if isOnFlash { read(chosen.block, of: index) }
    }

    private func refuseForAWhile(_ device: SimulatedDevice, _ block: Int) -> Bool {
        device.faults?.refuse(block, until: now + 8_000_000_000)
        return true
    }

    /// While a device is away, damages the other copy of some blocks that it has too: nobody else
    /// has them now.  Hosts read those of flash.
    private func damageBesides(_ away: DeviceIndex) {
        guard let atlas, atlas.damagedCount < 2 * FaultRates.damagedBlockMax else { return }
        for _ in 0..<3 {
            guard let (index, chosen) = chooseBlock(), chosen.state.isCleanCopy else { continue }
            let isFlashAway = chosen.state.flash.device == away
            let isDiskAway = chosen.state.disk.device == away
            guard isFlashAway != isDiskAway else { continue }
            let other = isFlashAway ? chosen.state.disk : chosen.state.flash
            guard devices[Int(other.device.rawValue)].rot(Int(other.block)) else { continue }
            journal.trace("damage to \(other), the other copy of block \(chosen.block)")
            journal.met(.onlyGoodCopyAway)
            atlas.watch(index, chosen.block, chosen.state, now: now)
            if isFlashAway { read(chosen.block, of: index) }
        }
    }

    /// Has a host read a block of a volume, unless a crash has left it open what it holds.
    private func read(_ block: UInt64, of volume: Int) {
        guard !volumes[volume].model.isUnsettled else { return }
        read((block * 4096)..<((block + 1) * 4096), of: volume)
    }

    private func damage(_ hit: (SimulatedDevice, Int) -> Bool) {
        // What power cuts have damaged is rarely anything that is needed.
        let harmedCount = devices.reduce(0) { $0 + $1.harmed.count }
        guard let atlas, atlas.damagedCount - harmedCount < FaultRates.damagedBlockMax else {
            return
        }
        switch atlas.faults[0].random.below(16) {
        case 0, 1: return damageTable(hit)
        case 2, 3: return damageSegmentHeader(hit)
        case 4: return damageWitness(hit)
        case 5: return damageMirror(hit)
        case 6: return damageSuperblock(hit)
        default: break
        }
        guard let (index, chosen) = chooseBlock() else { return }
        let isOnBoth = chosen.state.isCleanCopy
        let hitsFlash =
            isOnBoth ? atlas.faults[0].random.below(4) > 0 : chosen.state.flash.isPlace
        let place = hitsFlash ? chosen.state.flash : chosen.state.disk
        if hit(devices[Int(place.device.rawValue)], Int(place.block)) {
            journal.trace("damage to \(place) of block \(chosen.block) of volume \(index)")
            atlas.watch(index, chosen.block, chosen.state, now: now)
        }
    }

    /// A block of a volume.  Those that lie on both tiers are rarer, and more is asked of them.
    private func chooseBlock() -> (volume: Int, (block: UInt64, state: BlockState))? {
        let usable = volumes.indices.filter { volumes[$0].life == .live }
        guard let atlas, !usable.isEmpty else { return nil }
        let index = atlas.faults[0].random.pick(usable)
        let known = volumes[index].model.knownBlocks
        guard !known.isEmpty, let chosen = chooseBlock(index, known, atlas) else { return nil }
        return (index, chosen)
    }

    private func chooseBlock(
        _ index: Int,
        _ known: [UInt64],
        _ atlas: FaultAtlas
    ) -> (block: UInt64, state: BlockState)? {
        for _ in 0..<64 {
            let block = atlas.faults[0].random.pick(known)
            guard let state = look(index, block), state.isCleanCopy else { continue }
            if let settled = settledState(index, block) { return (block, settled) }
        }
        for _ in 0..<4 {
            let block = atlas.faults[0].random.pick(known)
            if let state = settledState(index, block) { return (block, state) }
        }
        return nil
    }

    /// The state of a block that has data, if a checkpoint has it too: what recovery reads is
    /// damaged only where that costs no more than the block.  A move that has read its bytes
    /// already would make the block good again, after an error.
    private func settledState(_ index: Int, _ block: UInt64) -> BlockState? {
        guard !isMoving(index, block), let state = look(index, block), state.isStored else {
            return nil
        }
        let key = LeafKey(
            tree: volumes[index].row.tree,
            index: block / UInt64(Geometry.blocksPerLeaf)
        )
        guard let states = order.states(of: key, catalogue.tables) else { return nil }
        let durable = states[Int(block % UInt64(Geometry.blocksPerLeaf))]
        return durable == state ? state : nil
    }

    /// Damages the header of a record that only reclaim reads any more.
    private func damageTable(_ hit: (SimulatedDevice, Int) -> Bool) {
        guard let atlas else { return }
        let tables = catalogue.tables
        let open = tables.contents.positions.map(\.segmentSequence)
        let rows = tables.segmentRows.filter { row in
            row.liveBlockCount > 0 && open.allSatisfy { row.sequence < $0 }
        }
        guard !rows.isEmpty else { return }
        let row = atlas.faults[0].random.pick(rows)
        let device = Int(row.address.device.rawValue)
        let geometry = geometries[device]
        let first = Int(geometry.firstBlock(of: row.address.index))
        let block = memory.blocks.region.block(1)
        for offset in 1..<geometry.segmentBlockCount {
            devices[device].readNow(offset: UInt64(first + offset) * 4096, into: block)
            guard block.bytes.word64(at: 0) == RecordHeader.magic,
                let header = header(block, nonce: row.nonce), !header.isTail,
                header.segmentSequence == row.sequence
            else { continue }
            if atlas.faults[0].random.isOne(in: 3) {
                // Its tail, or its segment's header, stands in for it.
                guard !devices[device].isHarmed(inSegmentOf: first + offset),
                    !atlas.faults[device].isDamaged(first)
                else { return }
                _ = hit(devices[device], first + offset)
                return
            }
        }
    }

    /// Damages the header of a flash segment that the catalogue does not know: mostly of one in
    /// which a log went on.
    private func damageSegmentHeader(_ hit: (SimulatedDevice, Int) -> Bool) {
        guard let atlas else { return }
        let contents = catalogue.tables.contents
        var free: [(device: Int, block: Int)] = []
        var logged: [(device: Int, block: Int)] = []
        for geometry in geometries where geometry.role == .flash {
            let device = Int(geometry.index.rawValue)
            for segment in 0..<geometry.segmentCount {
                let address = SegmentAddress(
                    device: geometry.index,
                    index: SegmentIndex(UInt32(segment))
                )
                guard catalogue.tables.segment(at: address) == nil else { continue }
                let block = Int(geometry.firstBlock(of: address.index))
                let isLogged = isLogged(device, block, contents.positions)
                if isLogged { logged.append((device, block)) } else { free.append((device, block)) }
            }
        }
        let isRare = atlas.faults[0].random.isOne(in: 4)
        let candidates = isRare || logged.isEmpty ? free : logged
        guard !candidates.isEmpty else { return }
        let chosen = atlas.faults[0].random.pick(candidates)
        // The first record stands in for it.
        guard !devices[chosen.device].isHarmed(inSegmentOf: chosen.block),
            !atlas.faults[chosen.device].isDamaged(chosen.block + 1)
        else { return }
        if hit(devices[chosen.device], chosen.block) {
            journal.trace("damage to the segment header in block \(chosen.block)")
        }
    }

    /// Damages one of the places of a lane's witness on a device; a power cut may tear another.
    private func damageWitness(_ hit: (SimulatedDevice, Int) -> Bool) {
        guard let atlas else { return }
        let device = atlas.faults[0].random.below(devices.count)
        let lane = LaneIndex(UInt16(atlas.faults[0].random.below(lanes.count)))
        let blocks = (0..<Witness.placeCount).map {
            Int(DeviceLayout.witnessBlock(lane: lane, place: $0))
        }
        guard blocks.allSatisfy({ !atlas.faults[device].isDamaged($0) && isNewWitness(device, $0) })
        else { return }
        _ = hit(devices[device], atlas.faults[0].random.pick(blocks))
    }

    /// Whether a place has a witness of this life of the pool: an opening may have been refused it.
    private func isNewWitness(_ device: Int, _ block: Int) -> Bool {
        let region = memory.blocks.region.block(1)
        devices[device].readNow(offset: UInt64(block) * 4096, into: region)
        do throws(FormatError) {
            let witness = try Witness(decoding: region.bytes)
            return witness.incarnation >= catalogue.tables.witnessedIncarnation
        } catch {
            return false
        }
    }

    /// Damages a block of a mirror that its lane's devices were told of.
    private func damageMirror(_ hit: (SimulatedDevice, Int) -> Bool) {
        let positions = catalogue.tables.positionRows
        guard let atlas, !positions.isEmpty else { return }
        let position = atlas.faults[0].random.pick(positions)
        let mirror = position.mirror
        guard let begin = mirror.begin, begin < mirror.end else { return }
        let place = begin + atlas.faults[0].random.below(mirror.end - begin)
        for piece in mirrorRing(of: position.lane).pieces(from: place, count: 1) {
            _ = hit(devices[Int(piece.device.rawValue)], Int(piece.block))
        }
    }

    /// Whether a block is the header of a segment in which a log went on after the last checkpoint.
    private func isLogged(_ device: Int, _ block: Int, _ positions: [LanePosition]) -> Bool {
        let region = memory.blocks.region.block(1)
        devices[device].readNow(offset: UInt64(block) * 4096, into: region)
        do throws(FormatError) {
            let header = try SegmentHeader(decoding: region.bytes)
            let position = positions.first { $0.lane == header.lane }
            return header.stream == .host
                && header.segmentSequence > position?.segmentSequence ?? 0
        } catch {
            return false
        }
    }

    /// Takes down where the other half of a record is that recovery wrote a half of.
    func noteLeftHalf(besides block: Int, of device: Int) {
        let half = memory.blocks.region.block(1)
        devices[device].readNow(offset: UInt64(block) * 4096, into: half)
        let nonce = RecordHeader.nonce(impliedBy: half.bytes)
        guard let header = header(half, nonce: nonce) else { return }
        let geometry = geometries[device]
        let start = Int(geometry.firstBlock(of: header.segmentIndex)) + Int(header.blockOffset)
        let tail = start + 1 + Int(header.dataBlockCount)
        leftHalves.append((device, block == tail ? start : tail))
    }

    /// Damages what was left of some records, now that recovery has written the other half again:
    /// a bad sector later must not cost them.
    func damageLeftHalves() {
        guard parameters.crashModes.contains(.neighbours) else { return }
        for (device, block) in leftHalves
        where crashes.isOne(in: 2) && !devices[device].isDamaged(inSegmentOf: block) {
            devices[device].harm(block)
        }
    }

    private func header(_ block: BufferRegion, nonce: UInt64) -> RecordHeader? {
        do throws(FormatError) {
            return try RecordHeader(decoding: block.bytes, nonce: nonce)
        } catch {
            return nil
        }
    }
}
