internal import IO
internal import Units

extension SimulatedDevice {
    /// Changes bytes of a durable block behind the engine's back, often one alone; gives the
    /// checksum of what is there now, or nil when the block is not durable.
    package func rot(_ block: Int, random: inout SimulationRandom) -> UInt32? {
        guard isDurable(block) else { return nil }
        let target = image.block(block)
        var bytes = target.mutableBytes
        let count = random.pick([1, 1, 1, 512, 4096])
        let start = random.below(Geometry.blockByteCount / count) * count
        for offset in start..<(start + count) {
            // Inside the block, which the image keeps.
            let old = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            bytes.storeBytes(
                of: old ^ UInt8(random.number(in: 1...255)),
                toByteOffset: offset,
                as: UInt8.self
            )
        }
        return target.checksum(from: 0)
    }

    /// The checksum of what a block holds durably.
    package func durableChecksum(_ block: Int) -> UInt32 { image.block(block).checksum(from: 0) }
}
