import IO
import Testing
import Units

/// Takes completions until `count` have come; keyed by user data.
func completions(of ring: Ring, count: Int) -> [UInt64: RingCompletion] {
    var found: [UInt64: RingCompletion] = [:]
    var taken = 0
    for _ in 0..<10_000 where taken < count {
        ring.submitAndWait(count: 1, timeoutNanoseconds: 5_000_000_000)
        while let completion = ring.nextCompletion() {
            found[completion.userData] = completion
            taken += 1
        }
    }
    return found
}

@Suite struct RingTests {
    @Test func `every prepared entry completes once`() throws {
        let ring = try Ring(submissionEntries: 8, completionEntries: 64)
        for number in 0..<50 { ring.nothing(userData: UInt64(number)) }
        let found = completions(of: ring, count: 50)
        #expect(found.count == 50)
        #expect(found.values.allSatisfy { $0.result == 0 })
        #expect(ring.nextCompletion() == nil)
    }

    @Test func `a kernel that will not do is named with what it needs`() throws {
        try Ring.checkKernel()
        #expect(
            RingError.lacks(feature: "EXT_ARG").description
                == "the io_uring of this kernel lacks EXT_ARG; Linux 5.11 or later is needed"
        )
        let forbidden = RingError.refused(SystemCode(number: 1)).description
        #expect(forbidden.contains("kernel.io_uring_disabled"))
        let unknown = RingError.refused(SystemCode(number: 38)).description
        #expect(unknown.contains("Linux 5.11"))
    }

    @Test func `a full submission queue is submitted and preparing goes on`() throws {
        let ring = try Ring(submissionEntries: 4, completionEntries: 64)
        for number in 0..<9 { ring.nothing(userData: UInt64(number)) }
        #expect(ring.fullCount == 2)
        #expect(ring.pendingCount == 1)
        #expect(completions(of: ring, count: 9).count == 9)
    }

    @Test func `indices wrap around their queues`() throws {
        let ring = try Ring(submissionEntries: 4, completionEntries: 8)
        for round in 0..<1000 {
            for number in 0..<3 { ring.nothing(userData: UInt64(round * 3 + number)) }
            let found = completions(of: ring, count: 3)
            try #require(found.count == 3)
            try #require(found[UInt64(round * 3 + 2)] != nil)
        }
    }

    @Test func `completions beyond the queue are kept by the kernel`() throws {
        let ring = try Ring(submissionEntries: 4, completionEntries: 4)
        for number in 0..<40 { ring.nothing(userData: UInt64(number)) }
        #expect(completions(of: ring, count: 40).count == 40)
    }

    @Test func `a wait ends with its time limit`() throws {
        let ring = try Ring(submissionEntries: 4, completionEntries: 8)
        let start = Clock.now()
        ring.submitAndWait(count: 1, timeoutNanoseconds: 20_000_000)
        #expect(Clock.now().nanoseconds(since: start) >= 20_000_000)
        #expect(ring.nextCompletion() == nil)
    }

    @Test func `a timeout entry completes as timed out`() throws {
        let ring = try Ring(submissionEntries: 4, completionEntries: 8)
        let start = Clock.now()
        ring.timeout(afterNanoseconds: 10_000_000, userData: 7)
        ring.timeout(afterNanoseconds: 5_000_000, userData: 8)
        let found = completions(of: ring, count: 2)
        #expect(Clock.now().nanoseconds(since: start) >= 10_000_000)
        #expect(found[7]?.isTimeout == true)
        #expect(found[8]?.isTimeout == true)
    }

    @Test func `a cancel ends its target`() throws {
        let ring = try Ring(submissionEntries: 4, completionEntries: 8)
        ring.timeout(afterNanoseconds: 60_000_000_000, userData: 7)
        ring.cancel(7, userData: 8)
        let found = completions(of: ring, count: 2)
        #expect(found[7]?.isCanceled == true)
        #expect(found[8]?.result == 0)
    }

    @Test func `a ring may be made on one thread and used on another`() throws {
        let ring = try Ring(submissionEntries: 4, completionEntries: 8)
        ring.makeFileTable()
        let answers = try Mailbox<UInt64>(capacity: 1)
        let thread = try WorkThread(name: "ring test") {
            ring.nothing(userData: 5)
            ring.submitAndWait(count: 1)
            answers.post(ring.nextCompletion()?.userData ?? 0)
        }
        thread.join()
        var batch: [UInt64] = []
        #expect(answers.takeAll(into: &batch))
        #expect(batch == [5])
    }

    @Test func `tags and payloads share the user data`() {
        let data = RingTag(0xAB).userData(0x00FF_FFFF_FFFF_FFFE)
        #expect(data == 0xABFF_FFFF_FFFF_FFFE)
        #expect(RingTag(userData: data) == RingTag(0xAB))
        #expect(RingTag.payload(of: data) == 0x00FF_FFFF_FFFF_FFFE)
    }

    @Test(arguments: Ring.Mode.allCases)
    func `every mode works`(mode: Ring.Mode) throws {
        let ring: Ring
        do {
            ring = try Ring(submissionEntries: 4, completionEntries: 16, modes: [mode])
        } catch .refused(let code) {
            print("this kernel has no \(mode) mode: \(code)")
            return
        }
        #expect(ring.mode == mode)
        for number in 0..<10 { ring.nothing(userData: UInt64(number)) }
        ring.timeout(afterNanoseconds: 1_000_000, userData: 10)
        #expect(completions(of: ring, count: 11).count == 11)
    }

    @Test func `accepts stay armed where the kernel can`() throws {
        let listener = try ListeningSocket(at: .tcp(host: "127.0.0.1", port: 0))
        let ring = try Ring(submissionEntries: 4, completionEntries: 16)
        ring.accept(RingFile(descriptor: listener.descriptor), userData: 1)
        ring.submit()
        let port = try #require(listener.port)
        for _ in 0..<3 {
            let client = try StreamSocket(to: .tcp(host: "127.0.0.1", port: port))
            ring.submitAndWait(count: 1, timeoutNanoseconds: 5_000_000_000)
            let completion = try #require(ring.nextCompletion())
            _ = StreamSocket(owning: completion.result)
            #expect(completion.hasMore == ring.hasMultishotAccept)
            if !completion.hasMore {
                ring.accept(RingFile(descriptor: listener.descriptor), userData: 1)
            }
            client.shutDown()
        }
        ring.cancelAll(on: RingFile(descriptor: listener.descriptor), userData: 2)
        let found = completions(of: ring, count: 2)
        #expect(found[1]?.isCanceled == true)
        #expect(found[2]?.result == 1)
        withExtendedLifetime(listener) {}
    }

    @Test func `the ring says what it is`() throws {
        let ring = try Ring(submissionEntries: 4, completionEntries: 8)
        #expect(ring.describe().contains("4/8 entries"))
    }
}
