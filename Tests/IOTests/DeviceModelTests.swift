import IO
import Testing
import Units

/// A model with a fixed time for every operation, one after the other, as the simplest disk has.
private final class FixedModel: DeviceModel {
    struct State: Sendable {
        var clientCount = 0
        var busyUntil = Instant(nanoseconds: 0)
        var queue: [(client: Int, ticket: UInt64, end: Instant)] = []
        var kinds: [Operation.Kind] = []
    }
    let state = Guarded(State())
    let nanoseconds: UInt64

    init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    var label: String { "(modelled) fixed" }

    func join() -> Int {
        state.withLock {
            $0.clientCount += 1
            return $0.clientCount - 1
        }
    }

    func submit(
        _ kind: Operation.Kind,
        offset: UInt64,
        byteCount: UInt64,
        ticket: UInt64,
        client: Int,
        now: Instant
    ) {
        state.withLock {
            $0.busyUntil = max($0.busyUntil, now).advanced(byNanoseconds: nanoseconds)
            $0.queue.append((client, ticket, $0.busyUntil))
            $0.kinds.append(kind)
        }
    }

    func nextEnded(client: Int, now: Instant) -> UInt64? {
        state.withLock { state in
            guard
                let index = state.queue.firstIndex(where: {
                    $0.client == client && $0.end <= now
                })
            else { return nil }
            return state.queue.remove(at: index).ticket
        }
    }

    func nextDeadline(client: Int) -> Instant? {
        state.withLock { state in state.queue.first { $0.client == client }?.end }
    }
}

@Suite struct DeviceModelTests {
    @Test func `operations of a modelled device end at the model's time`() throws {
        let model = FixedModel(nanoseconds: 5_000_000)
        let stand = try Stand(model: model)
        #expect(stand.driver.describe().contains("(modelled) fixed"))
        let space = memory(byteCount: 64 << 10)
        let start = Clock.now()
        stand.submit(.write, 0, space, token: 1)
        stand.submit(.read, 65_536, space, token: 2)
        stand.submit(.flush, token: 3)
        stand.submit(.discard, 4096, byteCount: 4096, token: 4)
        #expect(stand.driver.nextDeadline != nil)
        stand.drain()
        #expect(Clock.now().nanoseconds(since: start) >= 20_000_000)
        #expect(stand.order == [1, 2, 3, 4])
        #expect(stand.results.values.allSatisfy { $0 == .done })
        #expect(stand.driver.nextDeadline == nil)
        #expect(model.state.withLock { $0.kinds } == [.write, .read, .flush, .discard])
    }

    @Test func `a fast model does not end what the device has not done`() throws {
        let stand = try Stand(transferByteCountMax: 4096, model: FixedModel(nanoseconds: 1))
        let space = memory(byteCount: 128 << 10)
        let written = space[0..<(64 << 10)]
        written.fill(seed: 3)
        stand.submit(.write, 0, written, token: 1)
        // The model's time is over before the ring was even entered.
        Clock.pause(milliseconds: 1)
        #expect(stand.driver.nextCompletion(now: Clock.now()) == nil)
        #expect(stand.finish(1) == .done)
        let found = space[(64 << 10)..<(128 << 10)]
        stand.submit(.read, 0, found, token: 2)
        #expect(stand.finish(2) == .done)
        #expect(found.equals(written))
    }

    @Test func `two drivers share a model and get their own completions`() throws {
        let model = FixedModel(nanoseconds: 2_000_000)
        let first = try Stand(model: model)
        let second = try Stand(model: model)
        let space = memory(byteCount: 8192)
        let start = Clock.now()
        for token in 0..<4 {
            first.submit(.read, 0, space.block(0), token: UInt64(token))
            second.submit(.read, 0, space.block(1), token: UInt64(token))
        }
        first.drain()
        second.drain()
        #expect(Clock.now().nanoseconds(since: start) >= 16_000_000)
        #expect(first.order == [0, 1, 2, 3] && second.order == [0, 1, 2, 3])
    }
}
