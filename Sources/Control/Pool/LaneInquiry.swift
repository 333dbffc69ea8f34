internal import Dispatch
internal import Engine
internal import Format
internal import IO
internal import NBD
internal import Units

/// Asks lanes, from other threads, and waits for what they say.
///
/// A lane looks at its mail once a turn, so an answer takes microseconds; one that does not come
/// within `secondsMax` is given up.
struct LaneInquiry: Sendable {
    let state: ServerState
    let poolName: String

    private static var secondsMax: Int { 60 }

    /// An answer on its way from a lane's thread.
    private final class Answer<Value: Sendable>: Sendable {
        private let value = Guarded<Value?>(nil)
        private let isThere = DispatchSemaphore(value: 0)

        func give(_ value: Value) {
            self.value.withLock { $0 = value }
            isThere.signal()
        }

        func wait() throws(ControlError) -> Value {
            guard isThere.wait(timeout: .now() + .seconds(LaneInquiry.secondsMax)) == .success,
                let value = value.withLock({ $0 })
            else { throw .timedOut(what: "a lane", seconds: LaneInquiry.secondsMax) }
            return value
        }
    }

    private func send(_ message: LaneMessage, to lane: LaneIndex) throws(ControlError) {
        guard state.send(message, to: lane) else {
            throw .timedOut(what: "a lane's mailbox", seconds: 0)
        }
    }

    /// What `body` sees between two requests of the lane.
    func look<Value: Sendable>(
        at lane: LaneIndex,
        _ body: @escaping @Sendable (Lane, ConnectionStatistics) -> Value
    ) throws(ControlError) -> Value {
        let answer = Answer<Value>()
        try send(.inspect { lane, statistics in answer.give(body(lane, statistics)) }, to: lane)
        return try answer.wait()
    }

    /// Begins a request with `begin` and returns what `result` makes of its answer.  A lane that is
    /// full for the moment is asked again.
    func request<Value: Sendable>(
        of lane: LaneIndex,
        _ begin: @escaping @Sendable (Lane, UInt64) -> Void,
        _ result: @escaping @Sendable (Lane, Finished) -> Value
    ) throws(ControlError) -> Value {
        for _ in 0..<1000 {
            let answer = Answer<Result<Value, Refusal>>()
            let message = LaneMessage.examine(
                begin: begin,
                whenFinished: { lane, finished in
                    guard let finished else { return answer.give(.failure(.notNow)) }
                    guard finished.status == .done else {
                        return answer.give(.failure(.status(finished.status)))
                    }
                    answer.give(.success(result(lane, finished)))
                }
            )
            try send(message, to: lane)
            switch try answer.wait() {
            case .success(let value): return value
            case .failure(.status(let status)): throw error(of: status)
            case .failure(.notNow): Clock.pause(milliseconds: 10)
            }
        }
        throw .shuttingDown(pool: poolName)
    }

    private enum Refusal: Error {
        case notNow
        case status(RequestStatus)
    }

    /// Begins a request that changes something and waits until it is durable.
    func change(
        on lane: LaneIndex,
        _ begin: @escaping @Sendable (Lane, UInt64) -> Void
    ) throws(ControlError) {
        try request(of: lane, begin) { _, _ in () }
    }

    private func error(of status: RequestStatus) -> ControlError {
        switch status {
        case .done, .invalid: .protocolViolation(fact: "a lane refused a request as impossible")
        case .mediaError: .deviceFailed(pool: poolName)
        case .noSpace: .noSpace(pool: poolName)
        case .readOnly: .readOnly(pool: poolName)
        case .shuttingDown: .shuttingDown(pool: poolName)
        }
    }

    /// Connections that a volume has now.
    func clientCount(of volume: VolumeSlot, on lane: LaneIndex) throws(ControlError) -> Int {
        let answer = Answer<Int>()
        try send(.countConnections(volume) { answer.give($0) }, to: lane)
        return try answer.wait()
    }

    /// Extents from `offset` on; the answer may end before `byteCount` does.
    func extents(
        of volume: VolumeSlot,
        on lane: LaneIndex,
        offset: UInt64,
        byteCount: UInt64
    ) throws(ControlError) -> [Extent] {
        try request(of: lane) { lane, context in
            lane.extents(
                volume,
                offset: offset,
                byteCount: byteCount,
                countMax: Lane.extentCountMax,
                context: context
            )
        } _: { lane, finished in
            (0..<finished.extentCount).map { lane.extent(of: finished.token, index: $0) }
        }
    }
}
