import Testing
import Units

@testable import Catalogue

@Suite struct CatalogueQueueTests {
    /// What was taken, as text: `load lane leaf`, `commit lane`, `control`, `log`, `stop`.
    private func name(_ work: CatalogueQueue.Work?) -> String {
        switch work {
        case .load(let lane, let key): "load \(lane.rawValue) \(key.index)"
        case .commit(let lane, _): "commit \(lane.rawValue)"
        case .control: "control"
        case .moveLog: "log"
        case .stop: "stop"
        case nil: "nothing"
        }
    }
    private func load(_ lane: UInt16, _ index: UInt64) -> CatalogueQueue.Work {
        .load(LaneIndex(lane), Sample.key(1, index))
    }
    private func commit(_ lane: UInt16) -> CatalogueQueue.Work {
        .commit(LaneIndex(lane), CheckpointImage(position: Sample.position(lane)))
    }
    private func drain(_ queue: inout CatalogueQueue) -> [String] {
        var names: [String] = []
        while let work = queue.next() { names.append(name(work)) }
        return names
    }

    private func append(_ works: [CatalogueQueue.Work], to queue: inout CatalogueQueue) {
        for work in works {
            let isTaken = queue.append(work)
            #expect(isTaken)
        }
    }

    @Test func `loads overtake the commits of other lanes and never their own`() {
        var queue = CatalogueQueue()
        append(
            [
                commit(0), load(0, 1), load(1, 2), commit(1), load(1, 3), .control { _ in },
                load(2, 4),
            ],
            to: &queue
        )
        let names = drain(&queue)
        #expect(
            names == [
                "load 1 2", "load 2 4", "commit 0", "load 0 1", "commit 1", "load 1 3", "control",
            ]
        )
    }

    @Test func `beside a commit only other lanes' loads are taken`() {
        var queue = CatalogueQueue()
        append([load(0, 1), commit(1), load(1, 2), load(2, 3)], to: &queue)
        let first = queue.nextLoad(besideCommitOf: LaneIndex(0))
        let second = queue.nextLoad(besideCommitOf: LaneIndex(0))
        #expect(first?.key.index == 3 && second == nil)
        let names = drain(&queue)
        #expect(names == ["load 0 1", "commit 1", "load 1 2"])
    }

    @Test func `what waits is passed over by a bounded number of loads`() {
        var queue = CatalogueQueue()
        append([commit(0)] + (0..<200).map { load(1, $0) }, to: &queue)
        let names = drain(&queue)
        #expect(names.firstIndex(of: "commit 0") == CatalogueQueue.passesMax)
        #expect(names.count == 201)
    }

    @Test func `the log is moved before the next commit, once`() {
        var queue = CatalogueQueue()
        append([commit(0)], to: &queue)
        queue.insertMoveLog()
        queue.insertMoveLog()
        append([load(1, 1)], to: &queue)
        let names = drain(&queue)
        #expect(names == ["load 1 1", "log", "commit 0"])
    }

    @Test func `nothing is taken behind the end`() {
        var queue = CatalogueQueue()
        append([commit(0), .stop], to: &queue)
        let areTaken = [queue.append(load(1, 1)), queue.append(.stop)]
        #expect(areTaken == [false, false])
        let names = drain(&queue)
        #expect(names == ["commit 0", "stop"])
    }
}
