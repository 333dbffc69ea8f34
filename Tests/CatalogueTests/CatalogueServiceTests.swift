import Synchronization
import Testing
import Units

@testable import Catalogue

/// Collects answers until as many as expected are there.
private final class Answers: Sendable {
    private let received = Mutex<[(lane: LaneIndex, answer: CatalogueAnswer)]>([])
    private let arrivals = Semaphore()

    @Sendable func take(_ lane: LaneIndex, _ answer: CatalogueAnswer) {
        received.withLock { $0.append((lane, answer)) }
        arrivals.signal()
    }

    func wait(for count: Int) -> [(lane: LaneIndex, answer: CatalogueAnswer)] {
        for _ in 0..<count { arrivals.wait() }
        return received.withLock { $0 }
    }
}

@Suite struct CatalogueServiceTests {
    @Test func `every lane gets its answers in order, and reads what it committed`() throws {
        let place = try Place(pool: Sample.pool)
        let answers = Answers()
        let service = CatalogueService(try Catalogue(openingAt: place.path), answer: answers.take)
        let laneCount: UInt16 = 3
        let roundCount: UInt8 = 40
        for round in 1...roundCount {
            for lane in 0..<laneCount {
                var image = CheckpointImage(position: Sample.position(lane))
                for index in 0..<UInt64(50) {
                    image.leaves.append((Sample.key(UInt64(lane), index), [round, UInt8(lane)]))
                }
                service.submit(.commit(image), from: LaneIndex(lane))
                let key = Sample.key(UInt64(lane), UInt64(round) % 50)
                service.submit(.load(key), from: LaneIndex(lane))
            }
        }
        let received = answers.wait(for: Int(laneCount) * Int(roundCount) * 2)
        for lane in 0..<laneCount {
            let own = received.filter { $0.lane.rawValue == lane }.map(\.answer)
            #expect(own.count == Int(roundCount) * 2)
            for (place, answer) in own.enumerated() {
                let round = UInt8(place / 2 + 1)
                switch answer {
                case .committed: #expect(place % 2 == 0)
                case .loaded(let leaf):
                    #expect(place % 2 == 1)
                    #expect(leaf.key == Sample.key(UInt64(lane), UInt64(round) % 50))
                    #expect(leaf.bytes == [round, UInt8(lane)])
                case .failed(let reason): Issue.record("\(reason)")
                }
            }
        }
        try service.close()
    }

    /// Every answer to a load brings the next load, more of them than may go before a waiting
    /// commit.  So the later ones are served inside it, or only behind it.
    @Test func `loads are served inside another lane's commit`() throws {
        let place = try Place(pool: Sample.pool)
        let loadCount = 3 * CatalogueQueue.passesMax
        let names = Mutex<[String]>([])
        let service = Mutex<CatalogueService?>(nil)
        let isOver = Semaphore()
        let made = CatalogueService(try Catalogue(openingAt: place.path)) { lane, answer in
            let served = names.withLock { names in
                names.append(lane.rawValue == 0 ? "commit" : "load")
                return names.count
            }
            guard case .loaded = answer else { return isOver.signal() }
            let next = service.withLock { $0 }
            if served < loadCount { next?.submit(.load(Sample.key(2, 0)), from: LaneIndex(1)) }
        }
        service.withLock { $0 = made }
        let isHolding = Semaphore()
        let release = Semaphore()
        ServiceThread.start {
            try? made.perform { _ in
                isHolding.signal()
                release.wait()
            }
        }
        isHolding.wait()
        let image = Sample.image(number: 1, leafCount: 1_000)
        made.submit(.commit(image), from: LaneIndex(0))
        made.submit(.load(Sample.key(2, 0)), from: LaneIndex(1))
        release.signal()
        isOver.wait()
        #expect(names.withLock { $0 } == Array(repeating: "load", count: loadCount) + ["commit"])
        try made.close()
        service.withLock { $0 = nil }
    }

    @Test func `control work runs on the one thread and its errors come back`() throws {
        let place = try Place(pool: Sample.pool)
        let service = CatalogueService(try Catalogue(openingAt: place.path)) { _, _ in }
        let number = try service.perform { catalogue throws(CatalogueError) in
            try catalogue.nextIncarnation()
        }
        #expect(number == 1)
        let threads = try (0..<3).map { _ in
            try service.perform { _ in ServiceThread.current }
        }
        #expect(Set(threads).count == 1 && threads[0] != ServiceThread.current)
        let long = String(repeating: "k", count: 300)
        let error = failure { () throws(CatalogueError) in
            try service.perform { catalogue throws(CatalogueError) in try catalogue.set(long, "") }
        }
        guard case .settingTooLarge = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        try service.close()
    }

    @Test func `closing finishes what was handed over and refuses the rest`() throws {
        let place = try Place(pool: Sample.pool)
        let answers = Answers()
        let service = CatalogueService(try Catalogue(openingAt: place.path), answer: answers.take)
        for number in UInt64(1)...20 {
            let image = Sample.image(number: number, leafCount: 10)
            service.submit(.commit(image), from: LaneIndex(0))
        }
        try service.close()
        try service.close()
        service.submit(.load(Sample.key(1, 1)), from: LaneIndex(0))
        let received = answers.wait(for: 21)
        #expect(
            received.dropLast().allSatisfy {
                if case .committed = $0.answer { true } else { false }
            }
        )
        guard case .failed? = received.last?.answer else {
            Issue.record("\(String(describing: received.last))")
            return
        }
        #expect(
            failure { () throws(CatalogueError) in try service.perform { _ in 1 } }
                == .closed(path: place.path)
        )
        let catalogue = try Catalogue(openingAt: place.path)
        #expect(catalogue.wasClosedCleanly)
        #expect(try catalogue.contents().positions.map(\.nextRecord.rawValue) == [20])
        try catalogue.close()
    }

    @Test func `the log is kept short while commits go on`() throws {
        let place = try Place(pool: Sample.pool)
        let answers = Answers()
        let service = CatalogueService(try Catalogue(openingAt: place.path), answer: answers.take)
        for number in UInt64(1)...10 {
            let image = Sample.image(number: number, leafCount: 1_000, byteCount: 6_000)
            service.submit(.commit(image), from: LaneIndex(0))
        }
        _ = answers.wait(for: 10)
        let frames = try service.perform { $0.connection.logFrameCount }
        #expect(frames < Catalogue.logFrameCountMax)
        try service.close()
    }
}
