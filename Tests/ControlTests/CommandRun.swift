import Foundation
import Synchronization

@testable import Control

/// Runs command lines with captured output in a home of their own.
final class CommandRun: Sendable {
    let home: String
    private let out = Mutex("")
    private let messages = Mutex("")

    init() {
        home = NSTemporaryDirectory() + "/isotherm-command-" + UUID().uuidString
    }

    deinit { try? FileManager.default.removeItem(atPath: home) }

    struct Outcome {
        var status: Int32
        var output: String
        var errors: String
    }

    func callAsFunction(
        _ arguments: String...,
        ask: (@Sendable (String) -> String?)? = nil
    ) -> Outcome {
        self(arguments, ask: ask)
    }

    func callAsFunction(
        _ arguments: [String],
        ask: (@Sendable (String) -> String?)? = nil
    ) -> Outcome {
        out.withLock { $0 = "" }
        messages.withLock { $0 = "" }
        let console = Console(
            output: { text in self.out.withLock { $0 += text } },
            errorOutput: { text in self.messages.withLock { $0 += text } },
            ask: ask,
            width: 80,
            home: home
        )
        let status = CommandLineTool.run(arguments, console: console)
        return Outcome(
            status: status,
            output: out.withLock { $0 },
            errors: messages.withLock { $0 }
        )
    }
}
