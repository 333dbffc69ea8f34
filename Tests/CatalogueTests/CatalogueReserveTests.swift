import Foundation
import GRDB
import Testing
import Units

@testable import Catalogue

/// Room that is kept for a catalogue; `tools/check-full` fills a real file system.
@Suite struct CatalogueReserveTests {
    private func byteCount(_ reserve: CatalogueReserve) -> UInt64? {
        FilePlace.byteCount(of: reserve.path)
    }

    @Test func `room is given back step by step, and taken again`() throws {
        let place = try Place()
        let reserve = CatalogueReserve(ofCatalogueAt: place.path)
        #expect(!reserve.isWhole && !reserve.give(keeping: 0))
        reserve.fill()
        #expect(reserve.isWhole)
        let step = CatalogueReserve.stepByteCount
        for left: UInt64 in [3, 2, 1] {
            #expect(reserve.give(keeping: step))
            #expect(byteCount(reserve) == left * step)
        }
        #expect(!reserve.give(keeping: step))
        #expect(reserve.give(keeping: 0) && byteCount(reserve) == 0)
        #expect(!reserve.give(keeping: 0))
        reserve.fill()
        #expect(reserve.isWhole)
    }

    @Test func `who serves keeps room, who looks keeps none`() throws {
        let place = try Place(pool: Sample.pool)
        let reserve = CatalogueReserve(ofCatalogueAt: place.path)
        let catalogue = try Catalogue(openingAt: place.path)
        #expect(byteCount(reserve) == nil)
        let service = CatalogueService(catalogue) { _, _ in }
        #expect(reserve.isWhole)
        #expect(reserve.give(keeping: 0))
        service.submit(.commit(Sample.image(number: 1, leafCount: 1)), from: LaneIndex(0))
        try service.close()
        #expect(reserve.isWhole)
    }

    /// SQLite's own limit stands for a full file system, which giving room back does not help.
    @Test func `without room a change is refused and nothing else`() throws {
        let place = try Place(pool: Sample.pool)
        let catalogue = try Catalogue(openingAt: place.path)
        catalogue.keepReserve()
        try catalogue.commit(Sample.image(number: 1, leafCount: 1))
        let limit = try catalogue.connection.read { database in
            let count = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            return try Int.fetchOne(database, sql: "PRAGMA max_page_count = \(count)")
        }
        #expect(limit != nil)
        let error = failure { () throws(CatalogueError) in
            try catalogue.commit(Sample.image(number: 2, leafCount: 100))
        }
        #expect(error == .full(path: place.path))
        let left = FilePlace.byteCount(of: CatalogueReserve(ofCatalogueAt: place.path).path)
        #expect(left == CatalogueReserve.stepByteCount)
        _ = try catalogue.connection.read { database in
            try Int.fetchOne(database, sql: "PRAGMA max_page_count = 100000")
        }
        // No fence: with room it goes on.
        try catalogue.commit(Sample.image(number: 3, leafCount: 100))
        #expect(try catalogue.contents().leafKeys.count == 100)
        try catalogue.close()
    }
}
