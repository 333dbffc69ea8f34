import Format
import Testing
import Units

@Suite struct DeviceLayoutTests {
    @Test func `four superblocks lie in the head and the tail of a device`() {
        let mebibyte: UInt64 = 1 << 20
        let sizes: [UInt64] = [2 * mebibyte, 2 * mebibyte + 1, 1 << 30 + 4095, 1 << 40]
        for byteCount in sizes {
            let offsets = Superblock.offsets(deviceByteCount: byteCount)
            #expect(offsets.prefix(2) == [0, 64 << 10])
            #expect(offsets.count == DeviceLayout.superblockCount)
            #expect(offsets == offsets.sorted())
            for offset in offsets {
                #expect(offset % 4096 == 0)
                #expect(offset + 4096 <= byteCount)
                #expect(offset < mebibyte || offset >= byteCount - mebibyte)
            }
        }
        #expect(
            Superblock.offsets(deviceByteCount: 8 << 20) == [0, 65_536, 8_257_536, 8_323_072]
        )
    }

    @Test func `witnesses lie apart between the superblocks and the first segment`() {
        var blocks: Set<UInt64> = []
        for lane in 0..<DeviceLayout.witnessLaneCountMax {
            for place in 0..<Witness.placeCount {
                let lane = LaneIndex(UInt16(lane))
                let block = DeviceLayout.witnessBlock(lane: lane, place: place)
                #expect((32..<256).contains(block) && DeviceLayout.isWitness(block: block))
                blocks.insert(block)
            }
        }
        #expect(blocks.count == DeviceLayout.witnessLaneCountMax * Witness.placeCount)
        #expect(!DeviceLayout.isWitness(block: 31) && !DeviceLayout.isWitness(block: 256))
    }

    @Test func `the mirror has what is left between the last segment and the tail`() {
        func count(_ byteCount: UInt64, _ segments: UInt32) -> Int {
            DeviceLayout.mirrorBlockCount(
                deviceByteCount: byteCount,
                segmentByteCount: 1 << 20,
                segmentCount: segments
            )
        }
        #expect(count(10 << 20, 8) == 0)
        #expect(count(10 << 20, 7) == 256)
        #expect(count(10 << 20 + 4095, 7) == 256)
        #expect(count(10 << 20, 9) == 0)
        #expect(count(0, 0) == 0)
    }

    @Test func `a device below two mebibytes has no superblock and no segment`() {
        let sizes: [UInt64] = [0, 1, 4096, 128 << 10, 2 << 20 - 1]
        for byteCount in sizes {
            #expect(Superblock.offsets(deviceByteCount: byteCount) == [])
            #expect(
                DeviceLayout.segmentCount(deviceByteCount: byteCount, segmentByteCount: 4096) == 0
            )
        }
    }

    @Test(
        arguments: [2 << 20, 2 << 20 + 4095, 2 << 20 + 4096, 1 << 33, 12_345_678_901] as [UInt64]
    )
    func `segments fill the room between head and tail`(byteCount: UInt64) {
        let sizes: [UInt32] = [4096, 1 << 20, 8 << 20, 32 << 20]
        for size in sizes {
            let count = DeviceLayout.segmentCount(
                deviceByteCount: byteCount,
                segmentByteCount: size
            )
            let end = DeviceLayout.offset(of: SegmentIndex(count), segmentByteCount: size)
            #expect(end <= byteCount - DeviceLayout.tailByteCount)
            #expect(end + UInt64(size) > byteCount - DeviceLayout.tailByteCount)
        }
        #expect(DeviceLayout.offset(of: SegmentIndex(0), segmentByteCount: 4096) == 1 << 20)
        #expect(DeviceLayout.block(of: SegmentIndex(3), segmentByteCount: 8 << 20) == 256 + 6144)
    }
}
