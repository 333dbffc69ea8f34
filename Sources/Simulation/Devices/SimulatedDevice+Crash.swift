internal import Engine
internal import IO
internal import Units

extension SimulatedDevice {
    /// Cuts the power: what no flush covered is left as `mode` says, and the device is idle.
    package func cutPower(_ mode: CrashMode) {
        landFlushInFlight()
        loseFlushed()
        let (whole, cut) = takePending()
        var pending = whole
        pending.append(contentsOf: cut)
        if mode == .prefix { pending.sort { $0.submitted < $1.submitted } }
        var fates = CrashFates(mode: mode, writeCount: pending.count, random: &random)
        for (index, write) in pending.enumerated() {
            fates.beginWrite(random: &random)
            for (position, cell) in write.cells.enumerated() {
                let fate = fates.fate(
                    write: index,
                    block: position,
                    blockCount: write.cells.count,
                    random: &random
                )
                leave(fate, of: cell, at: write.firstBlock + position)
                newest[write.firstBlock + position] = 0
            }
            if fates.harmsNeighbours { harmNeighbour(of: write, pending) }
            cells.release(write.cells)
        }
    }

    /// Damages a durable block right before or behind a write that the cut has met.
    private func harmNeighbour(of write: VolatileWrite, _ pending: [VolatileWrite]) {
        let end = write.firstBlock + write.cells.count
        let block = random.isOne(in: 2) ? write.firstBlock - 1 : end
        guard !write.cells.isEmpty, block >= 0, block < blockCount,
            !isDamaged(inSegmentOf: block),
            !pending.contains(where: {
                $0.firstBlock <= block && block < $0.firstBlock + $0.cells.count
            })
        else { return }
        journal.met(.neighbourDamaged)
        harm(block)
    }

    /// Whether a read of these blocks is refused, each time.
    package func isUnreadable(_ blocks: Range<Int>) -> Bool {
        !unreadable.isEmpty && blocks.contains { unreadable.contains($0) }
    }

    /// Damages a block until it is written: beside what a power cut met, or behind a recovery.
    func harm(_ block: Int) {
        journal.trace("block \(block) of device \(index.rawValue) is damaged")
        DeviceFaults.damage(image.block(block), random: &random)
        harmed.insert(block)
        faults?.markWrong(block)
    }

    /// Whether a power cut has damaged a block of a block's segment, or made one unreadable.
    /// Header and tail of a record, or of a segment its header and its first record, stand in for
    /// each other, and so only one of a segment is damaged.
    func isHarmed(inSegmentOf block: Int) -> Bool {
        let segment = segment(of: block)
        return harmed.contains { self.segment(of: $0) == segment }
            || unreadable.contains { self.segment(of: $0) == segment }
    }

    /// Whether a block of a block's segment is damaged, by a power cut or by a fault.
    func isDamaged(inSegmentOf block: Int) -> Bool {
        let segment = segment(of: block)
        return isHarmed(inSegmentOf: block)
            || faults?.hasDamage(where: { self.segment(of: $0) == segment }) ?? false
    }

    private func segment(of block: Int) -> Int {
        let first = Int(DeviceGeometry.firstSegmentBlock)
        return block < first ? -1 : (block - first) / segmentBlockCount
    }

    /// Kills the engine's process: what the device completed it keeps, still volatile, in order;
    /// what was in flight lands, or not, or in part.
    package func killProcess() {
        landFlushInFlight()
        let (whole, cut) = takePending()
        // Still newest where they were: only their order is written down again.
        for write in whole { restore(write) }
        for write in cut {
            switch random.below(3) {
            case 0: restore(write)
            case 1: cells.release(write.cells)
            default: restorePart(of: write)
            }
        }
    }

    /// A flush that was in flight may have done its work without having said so.
    private func landFlushInFlight() {
        for held in inFlight {
            guard let held, held.operation.kind == .flush, random.isOne(in: 2) else { continue }
            makeDurable(through: held.covers)
        }
    }

    /// The first blocks of a write landed, its others did not.
    private func restorePart(of write: VolatileWrite) {
        guard !write.cells.isEmpty else { return }
        let count = random.below(write.cells.count)
        var landed = write
        landed.cells = Array(write.cells[..<count])
        cells.release(Array(write.cells[count...]))
        if count > 0 { restore(landed) }
    }

    private func leave(_ fate: BlockFate, of cell: UInt32, at block: Int) {
        let source = cells.region(of: cell)
        switch fate {
        case .sectors(let mask): keep(mask, of: source, at: block)
        case .zeroes(isNew: true): keep(zeroSectors(of: source), of: source, at: block)
        case .zeroes(isNew: false): keep(~zeroSectors(of: source), of: source, at: block)
        case .damaged: damage(block, with: source)
        case .unreadable:
            journal.trace("the cut makes block \(block) of device \(index.rawValue) unreadable")
            unreadable.insert(block)
        }
    }

    /// Lets the sectors whose bit is set land.
    private func keep(_ mask: UInt8, of source: BufferRegion, at block: Int) {
        guard mask != 0xFF else { return image.write(source, to: block) }
        for sector in 0..<8 where mask & 1 << sector != 0 {
            let part = (sector * 512)..<((sector + 1) * 512)
            image.block(block)[part].copy(from: source[part])
        }
    }

    /// A bit for each sector of a block that holds zeros only.
    private func zeroSectors(of source: BufferRegion) -> UInt8 {
        var mask: UInt8 = 0
        for sector in 0..<8 where source[(sector * 512)..<((sector + 1) * 512)].isZero {
            mask |= 1 << sector
        }
        return mask
    }

    /// Of each sector: a quarter right, a quarter untouched, half partly or wholly wrong.
    private func damage(_ block: Int, with source: BufferRegion) {
        let target = image.block(block)
        for sector in 0..<8 {
            let start = sector * 512
            let part = start..<(start + 512)
            switch random.below(4) {
            case 0: target[part].copy(from: source[part])
            case 1: break
            case 2: target[part].fillRandomly(seed: random.next())
            default:
                target[part].copy(from: source[part])
                let wrong = random.number(in: 1...63) * 8
                target[start..<(start + wrong)].fillRandomly(seed: random.next())
            }
        }
    }
}

extension SimulatedDevice {
    /// Whether a read of these blocks, outside of virtual time, is refused.
    func refusesNow(_ blocks: Range<Int>) -> Bool {
        isUnreadable(blocks) || faults?.refusesRecovery(blocks) ?? false
    }

    /// Takes a block at once, outside of virtual time; it is volatile.
    func takeNow(_ block: Int, from region: BufferRegion) {
        clear(block)
        let cell = cells.acquire()
        cells.region(of: cell).copy(from: region)
        restore(
            VolatileWrite(
                firstBlock: block,
                cells: [cell],
                submitted: 0,
                completed: 0,
                isDiscard: false
            )
        )
    }

    /// Flushes at once, outside of virtual time, as whoever opens the device does.
    package func makeAllDurable() {
        makeDurable(through: .max)
        writeCache()
    }
}
