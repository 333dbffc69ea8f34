internal import Format

/// What the command asks a daemon: one line of JSON.
///
///     {"command":"volume.create","arguments":{"volume":"db01","byteCount":214748364800}}
///
/// The answer is one line too: `{"ok":…}` or `{"error":{"code":…,"message":…,"exit":…}}`.
package struct ControlRequest: Hashable, Sendable {
    package var command: String
    package var arguments: JSONValue

    package init(_ command: String, _ arguments: JSONValue = [:]) {
        self.command = command
        self.arguments = arguments
    }

    package var line: String {
        let json: JSONValue = ["command": .text(command), "arguments": arguments]
        return json.line + "\n"
    }

    /// Takes a line that may be hostile.
    package init(parsing bytes: [UInt8]) throws(ControlError) {
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONReader.read(bytes: bytes)
        } catch {
            throw .protocolViolation(fact: "the request is no JSON")
        }
        guard case .object(let fields) = json,
            fields.allSatisfy({ ["command", "arguments"].contains($0.name) })
        else { throw .protocolViolation(fact: "the request has unknown fields") }
        guard let command = json["command"]?.string else {
            throw .protocolViolation(fact: "the request names no command")
        }
        self.command = command
        arguments = json["arguments"] ?? [:]
        guard case .object = arguments else {
            throw .protocolViolation(fact: "the arguments are no object")
        }
    }

    /// The argument `name`, which the command cannot do without.
    func text(_ name: String) throws(ControlError) -> String {
        guard let text = arguments[name]?.string else {
            throw .protocolViolation(fact: "an argument is missing or has another type")
        }
        return text
    }

    func unsigned(_ name: String) throws(ControlError) -> UInt64 {
        guard let value = arguments[name]?.unsigned else {
            throw .protocolViolation(fact: "an argument is missing or has another type")
        }
        return value
    }

    /// True when the argument is there and true.
    func flag(_ name: String) -> Bool { arguments[name]?.isTrue ?? false }
}

/// What came of a request.
package enum ControlAnswer {
    package static func line(_ result: Result<JSONValue, ControlError>) -> String {
        let json: JSONValue =
            switch result {
            case .success(let value): ["ok": value]
            case .failure(let error):
                [
                    "error": [
                        "code": .text(error.report.code), "message": .text(error.report.line),
                        "exit": .count(error.report.status.rawValue),
                    ]
                ]
            }
        return json.line + "\n"
    }

    /// Takes the line that a daemon answered.
    package static func parse(_ bytes: [UInt8]) throws(ControlError) -> JSONValue {
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONReader.read(bytes: bytes)
        } catch {
            throw .protocolViolation(fact: "the answer is no JSON")
        }
        if let value = json["ok"] { return value }
        guard let code = json[path: "error.code"]?.string,
            let message = json[path: "error.message"]?.string,
            let exit = json[path: "error.exit"]?.signed.flatMap({ Int32(exactly: $0) })
        else { throw .protocolViolation(fact: "the answer is neither a result nor an error") }
        throw .remote(code: code, message: message, status: ExitStatus(rawValue: exit) ?? .failed)
    }
}

/// Whoever carries out requests: a daemon at the other end of a socket, or this process itself.
package protocol ControlService: Sendable {
    func answer(_ request: ControlRequest) throws(ControlError) -> JSONValue
}
