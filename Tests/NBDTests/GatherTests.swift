import IO
import Testing
import Units

@testable import NBD

/// Replies that stand one behind the other are one region; data keep their place between them.
@Suite struct GatherTests {
    private let area = Arena(byteCount: 4096, isPopulated: false)
    private let data = Arena(byteCount: 8192, isPopulated: false)

    @Test func `headers without data between them are one region`() {
        let list = RegionList(capacity: 8)
        var gather = Gather(area: area.region, list: list)
        for cookie in 0..<5 {
            gather.addHeader(
                ReplyEncoding.simple(.none, cookie: UInt64(cookie), into: gather.freeArea)
            )
        }
        gather.endHeaders()
        #expect(list.count == 1 && list.byteCount == 5 * 16)
        gather.endHeaders()
        #expect(list.count == 1)
    }

    @Test func `data stand behind their header and before the next one`() {
        let list = RegionList(capacity: 8)
        var gather = Gather(area: area.region, list: list)
        gather.addHeader(ReplyEncoding.simple(.none, cookie: 1, into: gather.freeArea))
        gather.addHeader(ReplyEncoding.simple(.none, cookie: 2, into: gather.freeArea))
        gather.addData(data.region)
        gather.addHeader(ReplyEncoding.simple(.none, cookie: 3, into: gather.freeArea))
        gather.endHeaders()
        #expect(list.count == 3 && list.byteCount == 48 + 8192)
    }

    @Test func `room is what area and list have left`() {
        let list = RegionList(capacity: 3)
        var gather = Gather(area: area.region[0..<40], list: list)
        #expect(gather.hasRoom(headerByteCount: 40, regionCount: 2))
        #expect(!gather.hasRoom(headerByteCount: 41, regionCount: 1))
        #expect(!gather.hasRoom(headerByteCount: 16, regionCount: 3))
        gather.addHeader(16)
        gather.addData(data.region)
        #expect(gather.hasRoom(headerByteCount: 24, regionCount: 0))
        #expect(!gather.hasRoom(headerByteCount: 24, regionCount: 1))
    }
}
