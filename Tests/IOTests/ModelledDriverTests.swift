internal import IO
internal import Synchronization
internal import Testing
internal import Units

/// A driver on a real file with a modelled disk beside it, in real time.  What is held against the
/// clock is only that nothing ends too early: how late a loaded machine is, is not the model's.
@Suite struct ModelledDriverTests {
    /// Notes when each operation came to the modelled disk.
    private final class Witness: DeviceModel {
        let disk: ModelledDisk
        let instants = Mutex<[Instant]>([])

        init(profile: DiskProfile) { disk = ModelledDisk(profile: profile) }

        var label: String { disk.label }
        func join() -> Int { disk.join() }
        func nextEnded(client: Int, now: Instant) -> UInt64? {
            disk.nextEnded(client: client, now: now)
        }
        func nextDeadline(client: Int) -> Instant? { disk.nextDeadline(client: client) }
        func submit(
            _ kind: Operation.Kind,
            offset: UInt64,
            byteCount: UInt64,
            ticket: UInt64,
            client: Int,
            now: Instant
        ) {
            instants.withLock { $0.append(now) }
            disk.submit(
                kind,
                offset: offset,
                byteCount: byteCount,
                ticket: ticket,
                client: client,
                now: now
            )
        }
    }

    private static let fileByteCount: UInt64 = 64 << 20

    private func offset(_ index: Int) -> UInt64 {
        UInt64(index &* 7919 % 16_384) * 4096
    }

    @Test func `no operation ends before the model says`() throws {
        let profile = DiskProfile.hdd7200(byteCount: Self.fileByteCount, hasWriteCache: false)
        let witness = Witness(profile: profile)
        let stand = try Stand(byteCount: Self.fileByteCount, model: witness)
        #expect(stand.driver.describe().contains("(modelled)"))
        let space = memory(byteCount: 4096)
        var ends: [Instant] = []
        let kinds: [Operation.Kind] = [.read, .write, .read, .read]
        for index in 0..<24 {
            stand.submit(kinds[index % 4], offset(index), space, token: UInt64(index))
            while stand.driver.inFlightCount > 0 { stand.turn() }
            ends.append(Clock.now())
            #expect(stand.results[UInt64(index)] == .done)
        }
        // The same requests at the same instants, in virtual time.
        var model = DiskModel(profile: profile)
        let starts = witness.instants.withLock { $0 }
        var sum = 0.0
        for (index, start) in starts.enumerated() {
            model.submit(
                kinds[index % 4] == .read ? .read : .write,
                offset: offset(index),
                byteCount: 4096,
                token: UInt64(index),
                at: start
            )
            var expected: Instant?
            while expected == nil, let event = model.nextEvent {
                model.advance(to: event)
                expected = model.nextFinished()?.instant
            }
            #expect(ends[index] >= expected ?? start)
            sum += Double(ends[index].nanoseconds(since: expected ?? start)) / 1e6
        }
        #expect(starts.count == 24)
        print("modelled operations ended \(sum / 24) ms after the model's time on average")
    }

    @Test func `operations in a queue end in the model's order, each once`() throws {
        let profile = DiskProfile.hdd7200(byteCount: Self.fileByteCount)
        let stand = try Stand(
            byteCount: Self.fileByteCount,
            model: ModelledDisk(profile: profile)
        )
        let space = memory(byteCount: 16 * 4096)
        let start = Clock.now()
        for index in 0..<16 {
            let region = space[(index * 4096)..<((index + 1) * 4096)]
            stand.submit(.read, offset(index * 31), region, token: UInt64(index))
        }
        while stand.driver.inFlightCount > 0 { stand.turn() }
        let milliseconds = Double(Clock.now().nanoseconds(since: start)) / 1e6
        #expect(stand.results.count == 16)
        #expect(stand.results.values.allSatisfy { $0 == .done })
        // Shortest positioning time first: not in the order of submission.
        #expect(stand.order != stand.order.sorted())
        #expect(milliseconds > 40)
    }
}
