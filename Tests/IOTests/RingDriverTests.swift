import Glibc
import IO
import Testing
import Units

/// A ring, a driver and one device on a file, run by hand as a lane's loop does.
final class Stand {
    let file: TestFile
    let device: DeviceFile
    let ring: Ring
    let driver: RingDriver
    /// Taken completions, by token.
    var results: [UInt64: OperationResult] = [:]
    var order: [UInt64] = []

    init(
        byteCount: UInt64 = 4 << 20,
        transferByteCountMax: Int = 4 << 20,
        model: (any DeviceModel)? = nil
    ) throws {
        file = try TestFile(byteCount: byteCount)
        device = try file.open()
        ring = try Ring(submissionEntries: 64, completionEntries: 4096)
        ring.makeFileTable()
        driver = RingDriver(ring: ring, transferByteCountMax: transferByteCountMax)
        driver.attach(device, as: DeviceIndex(3), model: model)
    }

    func submit(
        _ kind: Operation.Kind,
        _ offset: UInt64 = 0,
        _ region: BufferRegion = .empty,
        byteCount: UInt64 = 0,
        token: UInt64
    ) {
        driver.submit(
            Operation(
                kind: kind,
                device: DeviceIndex(3),
                offset: offset,
                byteCount: byteCount,
                region: region,
                token: token
            ),
            now: Clock.now()
        )
    }

    /// One turn; waits for a completion, but no longer than until the driver's deadline.
    func turn() {
        let limit = driver.nextDeadline?.nanoseconds(since: Clock.now()) ?? 5_000_000_000
        ring.submitAndWait(count: 1, timeoutNanoseconds: limit)
        while let completion = ring.nextCompletion() {
            if completion.tag == .device { driver.take(completion) }
        }
        while let completion = driver.nextCompletion(now: Clock.now()) {
            results[completion.token] = completion.result
            order.append(completion.token)
        }
    }

    func drain() {
        for _ in 0..<100_000 where driver.inFlightCount > 0 { turn() }
    }

    func finish(_ token: UInt64) -> OperationResult? {
        drain()
        return results[token]
    }
}

@Suite struct RingDriverTests {
    @Test func `what is written, flushed and discarded is read`() throws {
        let stand = try Stand()
        let space = memory(byteCount: 256 << 10)
        let written = space[0..<(128 << 10)]
        let found = space[(128 << 10)..<(256 << 10)]
        written.fill(seed: 1)
        stand.submit(.write, 1 << 20, written, token: 1)
        #expect(stand.finish(1) == .done)
        stand.submit(.flush, token: 2)
        #expect(stand.finish(2) == .done)
        stand.submit(.read, 1 << 20, found, token: 3)
        #expect(stand.finish(3) == .done)
        #expect(found.equals(written))
        stand.submit(.discard, (1 << 20) + 4096, byteCount: 8192, token: 4)
        #expect(stand.finish(4) == .done)
        stand.submit(.read, 1 << 20, found, token: 5)
        #expect(stand.finish(5) == .done)
        written[4096..<12_288].zero()
        #expect(found.equals(written))

        let figures = stand.driver.statistics(of: DeviceIndex(3))
        #expect(figures.readCount == 2 && figures.readByteCount == 256 << 10)
        #expect(figures.writeCount == 1 && figures.writeByteCount == 128 << 10)
        #expect(figures.flushCount == 1 && figures.discardByteCount == 8192)
        #expect(figures.failedCount == 0 && figures.inFlightCount == 0)
    }

    @Test(arguments: [1, 3, 7])
    func `short transfers are continued to the end`(blocks: Int) throws {
        // The driver's own limit makes every transfer of a larger operation short.
        let stand = try Stand(transferByteCountMax: blocks * 4096)
        let space = memory(byteCount: 160 << 10)
        let written = space[0..<(80 << 10)]
        let found = space[(80 << 10)..<(160 << 10)]
        written.fill(seed: UInt64(blocks))
        stand.submit(.write, 8192, written, token: 1)
        #expect(stand.finish(1) == .done)
        stand.submit(.read, 8192, found, token: 2)
        #expect(stand.finish(2) == .done)
        #expect(found.equals(written))
        let parts = (20 + blocks - 1) / blocks
        let figures = stand.driver.statistics(of: DeviceIndex(3))
        #expect(figures.continuedCount == UInt64(2 * (parts - 1)))
    }

    @Test func `a file that became shorter is an error, after its good part`() throws {
        let stand = try Stand(byteCount: 64 << 10)
        #expect(unsafe truncate(stand.file.path, (32 << 10) + 100) == 0)
        let space = memory(byteCount: 64 << 10)
        stand.submit(.read, 0, space, token: 1)
        stand.submit(.read, 0, space[0..<4096], token: 2)
        stand.submit(.read, 60 << 10, space[0..<4096], token: 3)
        stand.drain()
        #expect(stand.results == [1: .mediaError, 2: .done, 3: .mediaError])
        let figures = stand.driver.statistics(of: DeviceIndex(3))
        #expect(figures.failedCount == 2)
        #expect(figures.continuedCount >= 1)
    }

    @Test func `a full table gives its places back`() throws {
        let stand = try Stand()
        let space = memory(byteCount: RingDriver.inFlightMax * 4096)
        for round in 0..<3 {
            for index in 0..<RingDriver.inFlightMax {
                #expect(stand.driver.headroom > 0)
                let offset = UInt64(index % 1024) * 4096
                stand.submit(.read, offset, space.block(index), token: UInt64(index))
            }
            #expect(stand.driver.headroom == 0)
            #expect(stand.driver.oldestSubmission(on: DeviceIndex(3)) != nil)
            stand.drain()
            #expect(stand.order.count == (round + 1) * RingDriver.inFlightMax)
            #expect(stand.driver.headroom == RingDriver.inFlightMax)
            #expect(stand.driver.oldestSubmission(on: DeviceIndex(3)) == nil)
        }
    }

    @Test func `random operations leave what a copy in memory says`() throws {
        let seed: UInt64 = 11
        var random = RandomSource(seed: seed)
        let stand = try Stand(byteCount: 1 << 20, transferByteCountMax: 5 * 4096)
        let copy = memory(byteCount: 1 << 20)
        let space = memory(byteCount: 4 << 20)
        for round in 0..<60 {
            // Operations of one round touch disjoint stretches of 64 KiB and run together.
            var reads: [(region: BufferRegion, expected: BufferRegion)] = []
            for stretch in 0..<16 {
                let first = Int.random(in: 0..<16, using: &random)
                let count = Int.random(in: 1...(16 - first), using: &random)
                let start = (stretch * 16 + first) * 4096
                let range = start..<(start + count * 4096)
                let region = space[(stretch * 65_536)..<(stretch * 65_536 + count * 4096)]
                let token = UInt64(stretch)
                switch Int.random(in: 0..<5, using: &random) {
                case 0, 1:
                    region.fill(seed: random.next())
                    copy[range].copy(from: region)
                    stand.submit(.write, UInt64(start), region, token: token)
                case 2:
                    copy[range].zero()
                    stand.submit(
                        .discard,
                        UInt64(start),
                        byteCount: UInt64(count * 4096),
                        token: token
                    )
                case 3: stand.submit(.flush, token: token)
                default:
                    reads.append((region, copy[range]))
                    stand.submit(.read, UInt64(start), region, token: token)
                }
            }
            stand.drain()
            try #require(stand.results.values.allSatisfy { $0 == .done }, "seed \(seed)")
            try #require(
                reads.allSatisfy { $0.region.equals($0.expected) },
                "seed \(seed), \(round)"
            )
        }
        let whole = memory(byteCount: 1 << 20)
        try stand.device.read(into: whole, at: 0)
        #expect(whole.equals(copy), "seed \(seed)")
    }

    @Test func `errors of the system become results`() {
        #expect(RingDriver.result(ofErrorNumber: EIO) == .mediaError)
        #expect(RingDriver.result(ofErrorNumber: ENODATA) == .mediaError)
        #expect(RingDriver.result(ofErrorNumber: ENOSPC) == .noSpace)
        #expect(RingDriver.result(ofErrorNumber: ENXIO) == .deviceLost)
    }

    @Test func `a lost descriptor loses the device, and nothing is repeated for ever`() throws {
        // A file that is not registered is named by its number; /dev/null takes the number over,
        // and answers reads with nothing.
        let file = try TestFile(byteCount: 64 << 10)
        let device = try file.open()
        let ring = try Ring(submissionEntries: 8, completionEntries: 16)
        let driver = RingDriver(ring: ring)
        driver.attach(device, as: DeviceIndex(0))
        let null = unsafe open("/dev/null", O_RDONLY)
        #expect(dup2(null, device.descriptor) == device.descriptor)
        close(null)
        let space = memory(byteCount: 4096)
        var found: [OperationResult] = []
        for kind in [Operation.Kind.read, .write] {
            driver.submit(
                Operation(
                    kind: kind,
                    device: DeviceIndex(0),
                    offset: 0,
                    byteCount: 0,
                    region: space,
                    token: 0
                ),
                now: Clock.now()
            )
            for _ in 0..<10_000 where driver.inFlightCount > 0 {
                ring.submitAndWait(count: 1, timeoutNanoseconds: 5_000_000_000)
                while let completion = ring.nextCompletion() { driver.take(completion) }
                while let completion = driver.nextCompletion(now: Clock.now()) {
                    found.append(completion.result)
                }
            }
        }
        #expect(found == [.mediaError, .deviceLost])
        #expect(driver.statistics(of: DeviceIndex(0)).lastErrorNumber == EBADF)
    }
}
