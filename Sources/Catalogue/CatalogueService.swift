internal import GRDB
internal import IO
internal import Synchronization
package import Units

/// The thread that alone touches an open pool's catalogue.
///
///     lane ──submit──▶ ┌───────┐                    ┌───────────┐
///     lane ──submit──▶ │ queue │ ──▶ one thread ──▶ │ Catalogue │
///     control ─perform▶└───────┘         │          └───────────┘
///                                        └──▶ answer(lane, CatalogueAnswer)
///
/// Each lane's requests are answered in the order in which it submitted them.  Loads overtake the
/// commits of other lanes, also one that is under way: a commit of thousands of leaves stops every
/// few dozen rows for the loads that wait, reading inside its transaction what its own lane cannot
/// change.  So a load waits for some dozen rows, or for the synchronisation at the end of the
/// commit, but not for a whole commit.  The log is moved into the database after the answer to the
/// commit that made it long; that cannot be divided, and is the longest that a load waits.
///
/// The queue has no limit of its own: a lane has one commit and a bounded number of loads waiting.
/// Whoever makes a service closes it; until then its thread keeps it alive.
package final class CatalogueService: Sendable {
    package typealias Answer = @Sendable (LaneIndex, CatalogueAnswer) -> Void

    private let catalogue: Catalogue
    private let answer: Answer
    private let queue = Guarded(CatalogueQueue())
    /// Counts what was put into the queue; a surplus only makes the thread look in vain.
    private let arrivals = Semaphore()
    private let ending = Ending()
    /// The thread, for one check.  Relaxed: the thread itself always sees what it wrote, and for
    /// every other thread any value but its own is right.
    private let threadNumber = Atomic<UInt>(0)

    private final class Ending: Sendable {
        let result = Guarded<Result<Void, CatalogueError>?>(nil)
        let isOver = Semaphore()
    }

    /// Starts the thread.  `answer` is called on it and must not wait for it.
    package init(_ catalogue: Catalogue, answer: @escaping Answer) {
        self.catalogue = catalogue
        self.answer = answer
        catalogue.keepReserve()
        ServiceThread.start { [self] in run() }
    }

    /// Hands a lane's request over.  From any thread; each lane from one at a time.
    package func submit(_ request: CatalogueRequest, from lane: LaneIndex) {
        let work: CatalogueQueue.Work =
            switch request {
            case .load(let key): .load(lane, key)
            case .commit(let image): .commit(lane, image)
            }
        if !enqueue(work) {
            answer(lane, .failed(CatalogueError.closed(path: catalogue.path).description))
        }
    }

    /// Runs `work` on the catalogue's thread and waits for it.  For control threads, which may
    /// wait; never for a lane, nor from inside `work` or an answer.
    package func perform<Value: Sendable>(
        _ work: @escaping @Sendable (Catalogue) throws(CatalogueError) -> Value
    ) throws(CatalogueError) -> Value {
        invariant(
            threadNumber.load(ordering: .relaxed) != ServiceThread.current,
            "the catalogue's thread does not wait for itself"
        )
        let outcome = Outcome<Value>()
        let isTaken = enqueue(
            .control { catalogue in
                outcome.settle(
                    Result { () throws(CatalogueError) -> Value in try work(catalogue) }
                )
            }
        )
        guard isTaken else { throw .closed(path: catalogue.path) }
        return try outcome.wait(path: catalogue.path).get()
    }

    /// Carries out what was handed over before, closes the catalogue and ends the thread.  Every
    /// call returns the same result.
    package func close() throws(CatalogueError) {
        _ = enqueue(.stop)
        ending.isOver.wait()
        // For the next who closes.
        ending.isOver.signal()
        guard let result = ending.result.withLock({ $0 }) else {
            throw .closed(path: catalogue.path)
        }
        try result.get()
    }

    private func enqueue(_ work: CatalogueQueue.Work) -> Bool {
        guard queue.withLock({ $0.append(work) }) else { return false }
        arrivals.signal()
        return true
    }

    private func run() {
        threadNumber.store(ServiceThread.current, ordering: .relaxed)
        while true {
            arrivals.wait()
            while let work = queue.withLock({ $0.next() }) {
                switch work {
                case .load(let lane, let key): load(key, for: lane)
                case .commit(let lane, let image): commit(image, for: lane)
                case .control(let body): body(catalogue)
                case .moveLog: moveLog()
                case .stop: return stop()
                }
            }
        }
    }

    private func load(_ key: LeafKey, for lane: LaneIndex) {
        do {
            answer(lane, .loaded(try catalogue.load(key)))
        } catch {
            answer(lane, .failed(error.description))
        }
    }

    private func commit(_ image: CheckpointImage, for lane: LaneIndex) {
        do {
            try catalogue.commit(image) { database in
                try serveLoads(besideCommitOf: lane, in: database)
            }
            answer(lane, .committed)
        } catch {
            answer(lane, .failed(error.description))
        }
        catalogue.refillReserve()
        if catalogue.isCheckpointDue { queue.withLock { $0.insertMoveLog() } }
    }

    /// Serves the loads that wait beside a commit.  A load that fails is its lane's affair, unless
    /// it made SQLite give the transaction up: then the rest of the commit must not run.
    private func serveLoads(besideCommitOf committing: LaneIndex, in database: Database) throws {
        for _ in 0..<CatalogueQueue.passesMax {
            guard
                let (lane, key) = queue.withLock({ $0.nextLoad(besideCommitOf: committing) })
            else { return }
            do {
                answer(lane, .loaded(try Catalogue.load(key, in: database)))
            } catch {
                let error = CatalogueError(error, during: .read, path: catalogue.path)
                // A page that the commit has changed found no space, when this one needed room in
                // memory: the commit is repeated, or fails, and the load is carried out behind it.
                if case .full = error, !database.isInsideTransaction {
                    queue.withLock { $0.putBack(key, of: lane) }
                    throw error
                }
                answer(lane, .failed(error.description))
                guard database.isInsideTransaction else { throw error }
            }
        }
    }

    /// A failure puts up the catalogue's fence: the next commit is refused and says why.  Without
    /// space the log only grows on.  What was committed before stays durable in it, so there is
    /// nobody to tell now.
    private func moveLog() {
        // The fence keeps the reason, and every later commit gives it.
        try? catalogue.moveLog()
    }

    private func stop() {
        let result = Result { () throws(CatalogueError) in try catalogue.close() }
        ending.result.withLock { $0 = result }
        ending.isOver.signal()
    }
}

/// The result of a closure that another thread runs.
private final class Outcome<Value: Sendable>: Sendable {
    private let result = Guarded<Result<Value, CatalogueError>?>(nil)
    private let isSettled = Semaphore()

    func settle(_ value: Result<Value, CatalogueError>) {
        result.withLock { $0 = value }
        isSettled.signal()
    }

    func wait(path: String) -> Result<Value, CatalogueError> {
        isSettled.wait()
        return result.withLock { $0 } ?? .failure(.closed(path: path))
    }
}
