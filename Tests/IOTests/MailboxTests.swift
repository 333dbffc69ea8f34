import IO
import Testing
import Units

@Suite struct MailboxTests {
    @Test func `messages arrive in order, in batches`() throws {
        let mailbox = try Mailbox<Int>(capacity: 8)
        var batch: [Int] = [99]
        #expect(!mailbox.takeAll(into: &batch))
        #expect(batch.isEmpty)
        for number in 0..<3 { #expect(mailbox.post(number)) }
        #expect(mailbox.takeAll(into: &batch))
        #expect(batch == [0, 1, 2])
        #expect(mailbox.post(3))
        #expect(mailbox.takeAll(into: &batch))
        #expect(batch == [3])
    }

    @Test func `a full mailbox refuses`() throws {
        let mailbox = try Mailbox<Int>(capacity: 2)
        #expect(mailbox.post(1) && mailbox.post(2))
        #expect(!mailbox.post(3))
        var batch: [Int] = []
        #expect(mailbox.takeAll(into: &batch))
        #expect(batch == [1, 2])
    }

    @Test func `a ring wakes for each batch and loses none`() throws {
        // Four threads post 2,000 numbers each while one ring takes them.
        let mailbox = try Mailbox<Int>(capacity: 100_000)
        let ring = try Ring(submissionEntries: 4, completionEntries: 8)
        let threads = try Threads(count: 4) { index in
            for number in 0..<2000 { mailbox.post(index * 2000 + number) }
        }
        var seen = Set<Int>()
        var last = [-1, -1, -1, -1]
        var batch: [Int] = []
        mailbox.arm(on: ring, userData: 1)
        for _ in 0..<100_000 where seen.count < 8000 {
            ring.submitAndWait(count: 1, timeoutNanoseconds: 5_000_000_000)
            let completion = try #require(ring.nextCompletion())
            #expect(completion.result == 8)
            while mailbox.takeAll(into: &batch) {
                for message in batch {
                    try #require(message % 2000 > last[message / 2000])
                    last[message / 2000] = message % 2000
                    seen.insert(message)
                }
            }
            mailbox.arm(on: ring, userData: 1)
        }
        #expect(seen.count == 8000)
        threads.join()
        ring.cancel(1, userData: 2)
        #expect(completions(of: ring, count: 2).count == 2)
    }

    @Test func `a thread without a ring waits too`() throws {
        let mailbox = try Mailbox<Int>(capacity: 4)
        let start = Clock.now()
        mailbox.wait(timeoutMilliseconds: 10)
        #expect(Clock.now().nanoseconds(since: start) >= 9_000_000)
        let threads = try Threads(count: 1) { _ in mailbox.post(42) }
        var batch: [Int] = []
        for _ in 0..<100 where batch.isEmpty {
            mailbox.wait(timeoutMilliseconds: 1000)
            _ = mailbox.takeAll(into: &batch)
        }
        #expect(batch == [42])
        threads.join()
    }
}

/// A few threads that run one body and are joined together.
final class Threads {
    private var first: WorkThread?
    private var rest: Threads?

    init(count: Int, body: @escaping @Sendable (Int) -> Void) throws {
        let index = count - 1
        first = try WorkThread(name: "test \(index)") { body(index) }
        rest = count > 1 ? try Threads(count: count - 1, body: body) : nil
    }

    func join() {
        first.take()?.join()
        rest?.join()
        rest = nil
    }
}
