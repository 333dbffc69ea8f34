internal import Catalogue
internal import Foundation

/// Where a command reads from and writes to, and what the terminal there can do.
///
/// Data go to the output, messages to the error output, never mixed.
package struct Console: Sendable {
    package var output: @Sendable (String) -> Void
    package var errorOutput: @Sendable (String) -> Void
    /// Asks a person for a line; nil when there is nobody to ask.
    package var ask: (@Sendable (_ prompt: String) -> String?)?
    /// Columns of the terminal; nil when the output is none.
    package var width: Int?
    package var hasColour: Bool
    /// Where pools are found by name.
    package var home: String

    package init(
        output: @escaping @Sendable (String) -> Void,
        errorOutput: @escaping @Sendable (String) -> Void,
        ask: (@Sendable (String) -> String?)? = nil,
        width: Int? = nil,
        hasColour: Bool = false,
        home: String
    ) {
        self.output = output
        self.errorOutput = errorOutput
        self.ask = ask
        self.width = width
        self.hasColour = hasColour
        self.home = home
    }

    /// The console of the command that runs.
    @TaskLocal package static var current: Console = .standard

    /// The process's own, with colour only on a terminal that has UTF-8, if NO_COLOR allows.
    package static var standard: Console {
        let environment = ProcessInfo.processInfo.environment
        let isTerminal = isatty(1) == 1
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { name in
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }.first?.lowercased()
        let isUTF8 = locale.map { $0.contains("utf-8") || $0.contains("utf8") } ?? false
        let refusesColour = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        let isPlain = environment["TERM"].map { $0 == "dumb" } ?? true
        let canAsk = isatty(0) == 1 && isatty(2) == 1
        let ask: @Sendable (String) -> String? = { prompt in
            write(prompt, to: 2)
            return readLine()
        }
        return Console(
            output: { write($0, to: 1) },
            errorOutput: { write($0, to: 2) },
            ask: canAsk ? ask : nil,
            width: isTerminal ? terminalWidth() : nil,
            hasColour: isTerminal && isUTF8 && !refusesColour && !isPlain,
            home: PoolDirectory.defaultHome
        )
    }

    /// Whole lines at once, so that those of several threads do not mix.  A reader that is gone
    /// ends the process by SIGPIPE, as it should for a command.
    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { all in
                unsafe Foundation.write(
                    descriptor,
                    all.baseAddress?.advanced(by: written),
                    all.count - written
                )
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            written += count
        }
    }

    private static func terminalWidth() -> Int {
        var size = winsize()
        let result = unsafe ioctl(1, UInt(TIOCGWINSZ), &size)
        return result == 0 && size.ws_col > 0 ? max(40, Int(size.ws_col)) : 80
    }

    /// A message for people: `isotherm: …`.
    package func message(_ text: String) {
        errorOutput("isotherm: " + PlainText.printable(text) + "\n")
    }

    package func line(_ text: String) { output(text + "\n") }
}
