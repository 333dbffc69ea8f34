package import IO
internal import Units

// What is written to volumes.  Every 512-byte sector of a write says which volume, which sector of
// it, which request and which seed it belongs to, so that bytes which turn up in the wrong place,
// or are older than they may be, can be told and named.
//
//     word  meaning
//        0  magic, mixed with the seed
//        1  volume number, plus one
//        2  sector of the volume
//        3  order of the request in its volume, plus one
//        4  sum over words 0 to 3
//    5..63  filler that follows from word 4 and the word's place
//
// No word of a stamped sector is zero by construction of the first five, and the filler differs in
// every sector, so a sector of zeros, of random bytes or of another request is never taken for it.
package struct SectorStamp: Equatable, Sendable {
    package var volume: UInt64
    package var sector: UInt64
    package var order: UInt64

    package static var byteCount: Int { 512 }
    package static var sectorsPerBlock: Int { Geometry.blockByteCount / byteCount }

    private static var magic: UInt64 { 0x1507_4E12_517E_57A3 }

    package init(volume: UInt64, sector: UInt64, order: UInt64) {
        self.volume = volume
        self.sector = sector
        self.order = order
    }

    private func sum(seed: UInt64) -> UInt64 {
        SimulationRandom.mix(
            SimulationRandom.mix(volume &+ 1) ^ SimulationRandom.mix(sector &+ 0x51)
                ^ SimulationRandom.mix(order &+ 0x1_0000) &+ seed
        ) | 1
    }

    /// Fills the sector at `offset` of `bytes`.
    package func store(into bytes: inout MutableRawSpan, at offset: Int, seed: UInt64) {
        let sum = sum(seed: seed)
        // Eight words at a time; the first five are overwritten below.
        var filler = SIMD8<UInt64>(1, 2, 3, 4, 5, 6, 7, 8) &* sum
        for group in 0..<8 {
            let value = filler ^ (filler &>> 29)
            bytes.storeBytes(of: value, toByteOffset: offset + 64 * group, as: SIMD8<UInt64>.self)
            filler &+= SIMD8(repeating: 8 &* sum)
        }
        bytes.storeBytes(of: Self.magic ^ seed, toByteOffset: offset, as: UInt64.self)
        bytes.storeBytes(of: volume &+ 1, toByteOffset: offset + 8, as: UInt64.self)
        bytes.storeBytes(of: sector, toByteOffset: offset + 16, as: UInt64.self)
        bytes.storeBytes(of: order &+ 1, toByteOffset: offset + 24, as: UInt64.self)
        bytes.storeBytes(of: sum, toByteOffset: offset + 32, as: UInt64.self)
    }

    /// Reads the stamp of the sector at `offset`; nil when these bytes are no stamp of this seed.
    package init?(reading bytes: RawSpan, at offset: Int, seed: UInt64) {
        guard Self.word(bytes, offset) == Self.magic ^ seed else { return nil }
        self.init(
            volume: Self.word(bytes, offset + 8) &- 1,
            sector: Self.word(bytes, offset + 16),
            order: Self.word(bytes, offset + 24) &- 1
        )
        guard Self.word(bytes, offset + 32) == sum(seed: seed) else { return nil }
    }

    private static func word(_ bytes: RawSpan, _ offset: Int) -> UInt64 {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    /// Fills the bytes `range` of block `block` of a volume, at the same place of `target`, as the
    /// request `order` writes them.  `scratch` is a block that is overwritten.
    package static func fill(
        _ target: BufferRegion,
        range: Range<Int>,
        volume: UInt64,
        block: UInt64,
        order: UInt64,
        seed: UInt64,
        scratch: BufferRegion
    ) {
        let isWhole = range == 0..<Geometry.blockByteCount
        let place = isWhole ? target : scratch
        var bytes = place.mutableBytes
        let sectors =
            (range.lowerBound / byteCount)..<((range.upperBound + byteCount - 1) / byteCount)
        for index in sectors {
            let sector = block * UInt64(sectorsPerBlock) + UInt64(index)
            SectorStamp(volume: volume, sector: sector, order: order)
                .store(into: &bytes, at: index * byteCount, seed: seed)
        }
        if !isWhole { target[range].copy(from: scratch[range]) }
    }
}
