/// Where a server waits for clients: `HOST:PORT`, `[HOST]:PORT`.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A numeric address or a name; without brackets.
    package var host: String
    /// Zero asks for any free port.
    package var port: UInt16

    package static var standardPort: UInt16 { 10809 }

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package init(_ text: String) throws(ControlError) {
        if text.hasPrefix("["), let close = text.firstIndex(of: "]") {
            host = String(text[text.index(after: text.startIndex)..<close])
            port = try Self.port(String(text[text.index(after: close)...]), in: text)
        } else {
            let colon = text.lastIndex(of: ":") ?? text.endIndex
            host = String(text[..<colon])
            guard !host.contains(":") else { throw .listenAddress(text: text) }
            port = try Self.port(String(text[colon...]), in: text)
        }
        // Names of other scripts have a form of ASCII; some characters swallow the colon behind.
        guard !host.isEmpty, host.utf8.allSatisfy({ 0x21...0x7E ~= $0 }), !host.contains("/") else {
            throw .listenAddress(text: text)
        }
    }

    private static func port(_ text: String, in whole: String) throws(ControlError) -> UInt16 {
        if text.isEmpty { return standardPort }
        guard text.first == ":", let port = UInt16(text.dropFirst()), text.dropFirst().first != "+"
        else { throw .listenAddress(text: whole) }
        return port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only programs on this machine can reach it.
    package var isLoopback: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}

/// The strings that clients paste.
package enum AttachString {
    /// `nbd://host:10809/tank/db01`.
    package static func tcp(_ address: ListenAddress, export: String) -> String {
        let host = address.host == "0.0.0.0" ? "127.0.0.1" : address.host
        let place = ListenAddress(host: host == "::" ? "::1" : host, port: address.port)
        return "nbd://\(place)/\(escaped(export, keeping: "/"))"
    }

    /// `nbd+unix:///tank/db01?socket=/run/isotherm/nbd.sock`.
    package static func unix(socket: String, export: String) -> String {
        "nbd+unix:///\(escaped(export, keeping: "/"))?socket=\(escaped(socket, keeping: "/"))"
    }

    private static func escaped(_ text: String, keeping kept: String) -> String {
        let plain = Set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~\(kept)".utf8
        )
        return text.utf8.reduce(into: "") { result, byte in
            if plain.contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
    }
}
