import Testing

@testable import Control

@Suite struct RenderTests {
    /// 200 GiB in four lines: warm flash, cool disk, copies on both, pins, and a hole from 100 GiB.
    private var map: HeatMap {
        var map = HeatMap(volume: "tank/db01", byteCount: 200 << 30, lineCount: 4)
        let cell = map.cellByteCount
        for index in 0..<UInt64(128) {
            let place: HeatMap.Place = index < 32 ? .flash : index < 48 ? .both : .disk
            map.add(
                offset: index * cell,
                byteCount: cell,
                place: place,
                level: UInt8(7 - index * 8 / 128),
                isPinned: index < 4
            )
        }
        return map
    }

    @Test func `the map without colours fits 80 columns`() {
        let text = HeatMapText(style: .mono, measure: .mean, width: 80, isModelled: false)
            .render(map)
        #expect(
            text == """
                \u{20}tank/db01 200 GiB, linear, cell 800 MiB (mean), half-life 1 h and 24 h
                 misplaced: 0 bytes hot on disk, 0 bytes cool on flash
                    0 GiB |@@@@@@@@@@@@@@@@%%%%%%%%%%%%%%%%****************++++++++++++++++|
                          |PPPPFFFFFFFFFFFFFFFFFFFFFFFFFFFFBBBBBBBBBBBBBBBBDDDDDDDDDDDDDDDD|
                   50 GiB |================----------------................                |
                          |DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD|
                  100 GiB to 200 GiB: hole
                 heat " .:-=+*#%@"   F flash  D disk  B home on disk and clean copy on flash
                 P pinned to flash  . hole   (lines that are all hole are folded)

                """
        )
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test func `a modelled device is marked`() {
        let text = HeatMapText(style: .mono, measure: .max, width: nil, isModelled: true)
            .render(map)
        #expect(text.hasPrefix(" tank/db01 (modelled) 200 GiB, linear, cell 800 MiB (max)"))
    }

    @Test func `the coloured map ends every colour`() {
        let text = HeatMapText(style: .colour, measure: .mean, width: 80, isModelled: false)
            .render(map)
        #expect(text.contains("▀") && text.contains("PPPP"))
        for line in text.split(separator: "\n") where line.contains("\u{1B}[") {
            #expect(line.contains("\u{1B}[0m"))
        }
    }

    @Test func `what is misplaced is counted`() {
        var map = HeatMap(volume: "t/v", byteCount: 1 << 20, lineCount: 1)
        #expect(map.cellByteCount == 64 << 10)
        map.add(offset: 0, byteCount: 64 << 10, place: .disk, level: 6, isPinned: false)
        map.add(offset: 65_536, byteCount: 65_536, place: .flash, level: 0, isPinned: false)
        #expect(map.hotOnDiskByteCount == 65_536 && map.coolOnFlashByteCount == 65_536)
    }

    @Test func `a hole in a warm chunk has no heat`() {
        var map = HeatMap(volume: "t/v", byteCount: 1 << 20, lineCount: 1)
        map.add(offset: 0, byteCount: 61_440, place: .hole, level: 7, isPinned: false)
        map.add(offset: 61_440, byteCount: 4096, place: .flash, level: 7, isPinned: false)
        let text = HeatMapText(style: .mono, measure: .mean, width: 80, isModelled: false)
        #expect(text.render(map).contains("|@               |"))
        #expect(map.cells[0].heatSum == 7 * 4096 && map.cells[0].place == .flash)
    }

    @Test func `a hotter cell than can be is drawn as the hottest`() throws {
        let text =
            #"{"volume":"v","byteCount":65536,"cellByteCount":65536,"cells":[{"cell":0,"#
            + #""flashByteCount":4096,"heatSum":458752,"heatMax":255}]}"#
        let map = try #require(HeatMap(try JSONReader.read(text)))
        for measure in HeatMapText.Measure.allCases {
            for style in [HeatMapText.Style.mono, .colour] {
                let drawn = HeatMapText(
                    style: style,
                    measure: measure,
                    width: 80,
                    isModelled: false
                )
                #expect(!drawn.render(map).isEmpty)
            }
        }
    }

    @Test func `a map survives the way through JSON`() throws {
        let json = try JSONReader.read(map.json.line)
        let read = try #require(HeatMap(json))
        #expect(read.cells == map.cells && read.cellByteCount == map.cellByteCount)
    }

    @Test(arguments: [
        "{}", #"{"volume":"v","byteCount":1,"cellByteCount":0,"cells":[]}"#,
        #"{"volume":"v","byteCount":1125899906842624,"cellByteCount":1,"cells":[]}"#,
        #"{"volume":"v","byteCount":65536,"cellByteCount":65536,"cells":[{"cell":1}]}"#,
        #"{"volume":"v","byteCount":65536,"cellByteCount":65536,"cells":[{}]}"#,
    ])
    func `a hostile map is refused`(text: String) throws {
        #expect(HeatMap(try JSONReader.read(text)) == nil)
    }

    @Test func `a status fits 80 columns and marks what is modelled`() throws {
        let item = try JSONReader.read(
            """
            {"name":"tank","state":"ONLINE","modelled":true,"secondsServed":4800,"reasons":[],
             "space":{"flash":{"byteCount":429496729600,"usedByteCount":403726925824},
                      "disk":{"byteCount":8026393886720,"usedByteCount":5607509301657},
                      "ownedByteCount":5497558138880,"capacityByteCount":8246337208320,
                      "promisedByteCount":15393162788864,"catalogueByteCount":3328599654},
             "reads":{"memoryByteCount":107374182400,"flashByteCount":858993459200,
                      "diskByteCount":71940702208},
             "uris":["nbd://127.0.0.1:10809/tank/db01"],
             "devices":[{"name":"nvme0n1p2","role":"flash","state":"ONLINE",
                         "byteCount":429496729600,"segmentCount":51199,"freeSegmentCount":3072,
                         "errorCount":0,"model":null},
                        {"name":"disk.img","role":"disk","state":"ONLINE",
                         "byteCount":8026393886720,"segmentCount":239199,"freeSegmentCount":72087,
                         "errorCount":3,"model":"hdd7200"}]}
            """
        )
        let text = StatusText(width: 80).render(item)
        #expect(
            text == """
                  pool: tank      state: ONLINE for 1 h 20 m   (modelled)
                 space: flash 376 of 400 GiB 94 %   disk 5.1 of 7.3 TiB 70 %, volumes own 5 of
                        7.5 TiB, promised 14 TiB   catalogue 3.1 GiB
                  hits: 93.1 % of the bytes read since the pool was opened: ram 100 GiB, flash
                        800 GiB, disk 67 GiB
                export: nbd://127.0.0.1:10809/tank/db01
                config: NAME       TIER   STATE      SIZE   FREE  ERRORS  MODEL
                        nvme0n1p2  flash  ONLINE  400 GiB   3072       0  -
                        disk.img   disk   ONLINE  7.3 TiB  72087       3  hdd7200 (modelled)

                """
        )
    }
}
