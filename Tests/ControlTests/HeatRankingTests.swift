import Testing

@testable import Control

@Suite struct HeatRankingTests {
    private static var chunk: UInt64 { 64 << 10 }

    /// Extents side by side, each with its length in blocks of 4 KiB.
    private func ranking(
        _ extents: [(blockCount: UInt64, place: HeatMap.Place, level: UInt8)],
        countMax: Int = 8
    ) -> HeatRanking {
        var ranking = HeatRanking(countMax: countMax)
        var offset: UInt64 = 0
        for extent in extents {
            let byteCount = extent.blockCount * 4096
            ranking.add(
                offset: offset,
                byteCount: byteCount,
                place: extent.place,
                level: extent.level
            )
            offset += byteCount
        }
        ranking.finish()
        return ranking
    }

    private func stretch(
        _ chunk: UInt64,
        _ count: UInt64,
        _ place: HeatMap.Place,
        _ level: UInt8
    ) -> HeatRanking.Stretch {
        HeatRanking.Stretch(
            offset: chunk * Self.chunk,
            byteCount: count * Self.chunk,
            place: place,
            level: level
        )
    }

    @Test func `the hottest come first, of equal ones the longest`() {
        let found = ranking([
            (16, .flash, 3), (16, .disk, 6), (32, .hole, 7), (48, .flash, 3), (16, .both, 7),
            (16, .flash, 0),
        ])
        #expect(
            found.hottest == [
                stretch(7, 1, .both, 7), stretch(1, 1, .disk, 6), stretch(4, 3, .flash, 3),
                stretch(0, 1, .flash, 3),
            ]
        )
        #expect(found.hotOnDisk == [stretch(1, 1, .disk, 6)])
        #expect(found.coolOnFlash == [stretch(8, 1, .flash, 0)])
    }

    @Test func `a chunk of many extents has one place, and joins its neighbours`() {
        let found = ranking([
            (16, .disk, 5), (3, .flash, 5), (2, .hole, 5), (11, .disk, 5), (40, .disk, 5),
        ])
        // The last extent ends in the middle of a chunk.
        let bytes = 16 * 4096 * 4 + 8 * 4096
        #expect(found.hotOnDisk.map(\.byteCount) == [UInt64(bytes)])
        #expect(found.hottest == found.hotOnDisk && found.hottest.first?.offset == 0)
    }

    @Test func `a list is no longer than was asked for`() {
        let extents = (0..<100).map { number in
            (blockCount: UInt64(16), place: HeatMap.Place.disk, level: UInt8(1 + number % 7))
        }
        let found = ranking(extents, countMax: 20)
        #expect(found.hottest.count == 20 && found.hotOnDisk.count == 20)
        #expect(found.hottest.map(\.level) == found.hottest.map(\.level).sorted(by: >))
        #expect(found.hottest.prefix(14).allSatisfy { $0.level == 7 })
        #expect(ranking(extents, countMax: .max).hottest.count == 100)
        #expect(ranking(extents, countMax: 0).hottest.isEmpty)
    }

    @Test func `the lists are drawn below each other`() {
        let found = ranking([(16, .flash, 0), (32, .disk, 6)])
        let text = HeatRankingText(width: 80).render(.object(found.fields(of: "tank/db01")))
        #expect(
            text == """
                \u{20}hottest:
                ADDRESS              SIZE  HEAT  TIER
                tank/db01:chunk1  128 KiB     6  disk
                 hot on disk:
                ADDRESS              SIZE  HEAT  TIER
                tank/db01:chunk1  128 KiB     6  disk
                 cool on flash:
                ADDRESS             SIZE  HEAT  TIER
                tank/db01:chunk0  64 KiB     0  flash

                """
        )
        let none = HeatRankingText(width: 80).render(.object(ranking([]).fields(of: "t/v")))
        #expect(none == " hottest: none\n hot on disk: none\n cool on flash: none\n")
    }
}
