internal import ArgumentParser

/// Runs one command line and tells how it ended.  The only place that turns errors into messages
/// and exit statuses.
package enum CommandLineTool {
    /// - Parameter arguments: without the program's name.
    package static func run(_ arguments: [String], console: Console = .standard) -> Int32 {
        Console.$current.withValue(console) {
            do {
                var command = try IsothermCommand.parseAsRoot(arguments)
                try command.run()
                return ExitStatus.done.rawValue
            } catch let error as ControlError {
                let report = error.report
                console.message(report.line)
                return report.status.rawValue
            } catch {
                return showParsing(error, console)
            }
        }
    }

    /// Help and the version are asked for, so they are data; what was mistyped is a message.
    private static func showParsing(_ error: any Error, _ console: Console) -> Int32 {
        let text = IsothermCommand.fullMessage(for: error)
        let code = IsothermCommand.exitCode(for: error)
        guard code.isSuccess else {
            console.errorOutput(text.isEmpty ? "" : text + "\n")
            return code == .validationFailure ? ExitStatus.usage.rawValue : code.rawValue
        }
        console.output(text.isEmpty ? "" : text + "\n")
        return ExitStatus.done.rawValue
    }
}
