import Foundation
import IO
import Testing
import Units

@Suite struct SignalWatchTests {
    /// The signals go to one thread that blocks them, so that the process which runs the tests does
    /// not meet them.
    @Test func `signals are read in turn, and waiting ends with its time`() throws {
        let found = try Mailbox<[SignalWatch.Signal?]>(capacity: 1)
        let thread = try WorkThread(name: "signal test") {
            guard let watch = try? SignalWatch() else { return }
            let none = watch.wait(timeoutMilliseconds: 5)
            pthread_kill(pthread_self(), SIGTERM)
            let first = watch.wait(timeoutMilliseconds: 5000)
            pthread_kill(pthread_self(), SIGHUP)
            let second = watch.wait(timeoutMilliseconds: 5000)
            pthread_kill(pthread_self(), SIGPIPE)
            found.post([none, first, second])
        }
        thread.join()
        var batch: [[SignalWatch.Signal?]] = []
        #expect(found.takeAll(into: &batch))
        #expect(batch == [[nil, .terminate, .reload]])
    }
}
