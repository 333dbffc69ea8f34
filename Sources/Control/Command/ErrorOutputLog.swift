internal import Logging

/// Writes a log to the error output, a line for each message: time, level, text, fields.
struct ErrorOutputLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = "\(TimeText.utc(seconds: WallClock.seconds)) \(event.level) \(event.message)"
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { line += " \(name)=\(value)" }
        Console.standard.errorOutput(PlainText.printable(line) + "\n")
    }
}
