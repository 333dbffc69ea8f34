internal import IO
internal import Testing
internal import Units

/// The modelled disk as lanes see it.  Time is an argument, so nothing here waits.
@Suite struct ModelledDiskTests {
    private let disk = ModelledDisk(profile: .hdd7200(byteCount: 1 << 40))

    private func at(_ microseconds: UInt64) -> Instant { Instant(nanoseconds: microseconds * 1000) }

    @Test func `it says that it is modelled`() {
        #expect(disk.label.contains("(modelled)"))
    }

    @Test func `an operation ends at the model's time and not before`() {
        let client = disk.join()
        #expect(disk.nextDeadline(client: client) == nil)
        disk.submit(.read, offset: 1 << 39, byteCount: 4096, ticket: 7, client: client, now: at(10))
        #expect(disk.nextEnded(client: client, now: at(10)) == nil)
        var looks = 0
        var ended: Instant?
        while ended == nil, let deadline = disk.nextDeadline(client: client), looks < 10 {
            looks += 1
            let before = Instant(nanoseconds: deadline.nanoseconds - 1)
            #expect(disk.nextEnded(client: client, now: before) == nil)
            if let ticket = disk.nextEnded(client: client, now: deadline) {
                #expect(ticket == 7)
                ended = deadline
            }
        }
        let milliseconds = Double(ended?.nanoseconds ?? 0) / 1e6
        #expect(milliseconds > 9 && milliseconds < 19)
        #expect(looks <= 2)
        #expect(disk.nextDeadline(client: client) == nil)
    }

    @Test func `each client gets its own operations, whoever lets time pass`() {
        let first = disk.join()
        let second = disk.join()
        for ticket in UInt64(0)..<20 {
            disk.submit(
                .read,
                offset: ticket << 34,
                byteCount: 4096,
                ticket: ticket,
                client: first,
                now: at(ticket)
            )
            disk.submit(
                .write,
                offset: ticket << 33 | 1 << 32,
                byteCount: 65_536,
                ticket: ticket,
                client: second,
                now: at(ticket)
            )
        }
        // Only the second looks, long after all have ended.
        var seconds: Set<UInt64> = []
        while let ticket = disk.nextEnded(client: second, now: at(10_000_000)) {
            #expect(seconds.insert(ticket).inserted)
        }
        #expect(seconds.count == 20)
        #expect(disk.nextDeadline(client: first) == at(0))
        var firsts: Set<UInt64> = []
        // A thread that is behind does not turn time back.
        while let ticket = disk.nextEnded(client: first, now: at(5)) {
            #expect(firsts.insert(ticket).inserted)
        }
        #expect(firsts.count == 20)
        #expect(disk.nextDeadline(client: first) == nil)
        #expect(disk.nextDeadline(client: second) == nil)
    }

    @Test func `many threads lose nothing`() async {
        let disk = disk
        let counts = await withTaskGroup(of: Int.self) { group in
            for lane in UInt64(0)..<4 {
                group.addTask {
                    let client = disk.join()
                    var clock: UInt64 = 0
                    var ended = 0
                    for ticket in UInt64(0)..<200 {
                        disk.submit(
                            ticket % 3 == 0 ? .write : .read,
                            offset: (ticket &* 7919 &+ lane) % 4096 << 28,
                            byteCount: 4096,
                            ticket: ticket,
                            client: client,
                            now: Instant(nanoseconds: clock)
                        )
                        clock += 3_000_000
                        while disk.nextEnded(client: client, now: Instant(nanoseconds: clock))
                            != nil
                        {
                            ended += 1
                        }
                    }
                    while let deadline = disk.nextDeadline(client: client) {
                        clock = max(clock, deadline.nanoseconds)
                        let now = Instant(nanoseconds: clock)
                        if disk.nextEnded(client: client, now: now) != nil { ended += 1 }
                    }
                    return ended
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts == [200, 200, 200, 200])
    }
}
