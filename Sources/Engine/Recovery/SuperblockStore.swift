internal import Format
internal import IO
internal import Units

/// The four copies of a device's superblock.
struct SuperblockStore {
    private let file: DeviceFile
    private let block = Arena(byteCount: Superblock.byteCount, isPopulated: false)

    // The arena's region is bound to a name before its bytes are borrowed: with the arena's own
    // property in between, the optimiser of Swift 6.3 stops with an ownership error.

    init(_ file: DeviceFile) { self.file = file }

    private var offsets: [UInt64] { Superblock.offsets(deviceByteCount: file.byteCount) }

    func copies() -> [SuperblockCopy] {
        let region = block.region
        return offsets.map { offset in
            do throws(DeviceError) {
                try file.read(into: region, at: offset)
                return SuperblockCopy(decoding: region.bytes)
            } catch {
                return .unreadable
            }
        }
    }

    /// A good copy, even if it is the only one: such a device may belong to a pool.
    func anyGood() -> Superblock? {
        for copy in copies() {
            if case .good(let superblock) = copy { return superblock }
        }
        return nil
    }

    /// The superblock that opens the device.
    func choose() throws(ControlError) -> SuperblockChoice {
        do throws(SuperblockError) {
            return try Superblock.choose(copies: copies())
        } catch {
            throw .format(place: file.path, error: FormatText(InspectionText.of(error)))
        }
    }

    /// Writes all copies, one after another, each flushed before the next.
    func write(
        _ superblock: Superblock,
        order: [Int] = Array(0..<DeviceLayout.superblockCount)
    ) throws(ControlError) {
        let region = block.region
        var bytes = region.mutableBytes
        superblock.encode(into: &bytes)
        let offsets = offsets
        for copy in order {
            do throws(DeviceError) {
                try file.write(from: region, at: offsets[copy])
                try file.flush()
            } catch {
                throw ControlError(error)
            }
        }
    }

    /// Writes zeros over all copies, so that the device belongs to no pool.  Returns whether all
    /// were written.
    @discardableResult
    func wipe() -> Bool {
        block.region.zero()
        var isWiped = true
        for offset in offsets {
            do throws(DeviceError) {
                try file.write(from: block.region, at: offset)
                try file.flush()
            } catch {
                isWiped = false
            }
        }
        return isWiped
    }
}
