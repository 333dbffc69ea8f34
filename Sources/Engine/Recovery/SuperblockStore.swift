package import Format
package import IO
internal import Units

/// What superblocks are read from and written to: a device, whole blocks at a time.
package protocol SuperblockHolder {
    associatedtype Failure: Error
    var byteCount: UInt64 { get }
    func read(into region: BufferRegion, at offset: UInt64) throws(Failure)
    func write(from region: BufferRegion, at offset: UInt64) throws(Failure)
    /// Makes durable what was written before.
    func flush() throws(Failure)
}

extension DeviceFile: SuperblockHolder {}

/// The four copies of a device's superblock.
package struct SuperblockStore<Holder: SuperblockHolder> {
    package let holder: Holder
    private let block = Arena(byteCount: Superblock.byteCount, isPopulated: false)

    // The arena's region is bound to a name before its bytes are borrowed: with the arena's own
    // property in between, the optimiser of Swift 6.3 stops with an ownership error.

    package init(_ holder: Holder) { self.holder = holder }

    private var offsets: [UInt64] { Superblock.offsets(deviceByteCount: holder.byteCount) }

    /// What is refused is asked for once more.
    package func copies() -> [SuperblockCopy] {
        offsets.map { copy(at: $0) ?? copy(at: $0) ?? .unreadable }
    }

    private func copy(at offset: UInt64) -> SuperblockCopy? {
        let region = block.region
        do throws(Holder.Failure) {
            try holder.read(into: region, at: offset)
            return SuperblockCopy(decoding: region.bytes)
        } catch {
            return nil
        }
    }

    /// A good copy, even if it is the only one: such a device may belong to a pool.
    package func anyGood() -> Superblock? {
        for copy in copies() {
            if case .good(let superblock) = copy { return superblock }
        }
        return nil
    }

    /// Writes all copies, one after another, each flushed before the next.
    package func write(_ superblock: Superblock) throws(Holder.Failure) {
        encode(superblock)
        for offset in offsets {
            try holder.write(from: block.region, at: offset)
            try holder.flush()
        }
    }

    /// Writes the copies anew that do not agree with the chosen superblock, one after another, each
    /// flushed before the next; those that agree stay as they are.
    ///
    /// - Returns: how many the device did not take: the others open it all the same.
    /// - Throws: when the device refuses a flush.
    package func mend(_ choice: SuperblockChoice) throws(Holder.Failure) -> Int {
        encode(choice.superblock)
        var refusedCount = 0
        let isInPlace = Mutant.superblocksMendedInPlace.isOn
        let order = isInPlace ? choice.findings.indices.map(\.self) : choice.writeOrder
        for copy in order where choice.findings[copy] != .agrees || isInPlace {
            if Mutant.superblocksNotMended.isOn { break }
            do throws(Holder.Failure) {
                try holder.write(from: block.region, at: offsets[copy])
            } catch {
                refusedCount += 1
                continue
            }
            try holder.flush()
        }
        return refusedCount
    }

    /// Writes zeros over all copies, so that the device belongs to no pool.  Returns whether all
    /// were written.
    @discardableResult
    package func wipe() -> Bool {
        block.region.zero()
        var isWiped = true
        for offset in offsets {
            do throws(Holder.Failure) {
                try holder.write(from: block.region, at: offset)
                try holder.flush()
            } catch {
                isWiped = false
            }
        }
        return isWiped
    }

    private func encode(_ superblock: Superblock) {
        let region = block.region
        var bytes = region.mutableBytes
        superblock.encode(into: &bytes)
    }
}
