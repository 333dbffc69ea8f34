/// Why an option was refused.  The client stays connected, save after `.tooManyBytes`.
enum OptionRefusal: Error, Equatable {
    case unknownOption(UInt32)
    case unexpectedData(OptionCode, byteCount: Int)
    /// The option ends before what it announces.
    case missingBytes(OptionCode)
    /// The option goes on behind its last field.
    case surplusBytes(OptionCode, byteCount: Int)
    case stringTooLong(byteCount: UInt32)
    /// Not UTF-8, or with a zero byte.
    case stringNotText
    case noSuchExport(name: [UInt8])
    case optionTooLong(byteCount: UInt32)
    /// The handshake's budget of bytes is spent; the connection is closed behind this answer.
    case tooManyBytes
    case tooManyQueries(UInt32)
    case structuredRepliesNeeded
    case withoutTLS
    case withoutExtendedHeaders
    case shuttingDown

    /// The type of the reply.
    var type: OptionErrorType {
        switch self {
        case .unknownOption, .withoutTLS, .withoutExtendedHeaders: .unsupported
        case .unexpectedData, .missingBytes, .surplusBytes, .stringTooLong, .stringNotText,
            .structuredRepliesNeeded:
            .invalid
        case .noSuchExport: .unknownExport
        case .optionTooLong, .tooManyBytes, .tooManyQueries: .tooBig
        case .shuttingDown: .shuttingDown
        }
    }

    /// The sentence that goes with it; at most 256 bytes.
    var text: String {
        switch self {
        case .unknownOption(let code): "option \(code) is not known here"
        case .unexpectedData(let option, let byteCount):
            "\(option.wireName) takes no data, but \(byteCount) bytes came with it"
        case .missingBytes(let option):
            "\(option.wireName) ends before the fields that it announces"
        case .surplusBytes(let option, let byteCount):
            "\(option.wireName) has \(byteCount) bytes behind its last field"
        case .stringTooLong(let byteCount):
            "a string of \(byteCount) bytes is longer than \(WireLimit.stringByteCountMax)"
        case .stringNotText: "a string is not UTF-8, or has a zero byte"
        case .noSuchExport(let name):
            name.isEmpty
                ? "there is no default export: name one"
                : "there is no export \(ClientText.quoted(name)) for this client"
        case .optionTooLong(let byteCount):
            "an option of \(byteCount) bytes is longer than "
                + "\(HandshakeLimits.standard.optionByteCountMax)"
        case .tooManyBytes: "the options of this handshake are too long in all"
        case .tooManyQueries(let count):
            "\(count) queries are more than \(WireLimit.metaContextQueryCountMax)"
        case .structuredRepliesNeeded: "contexts need structured replies: negotiate them first"
        case .withoutTLS: "this server has no TLS"
        case .withoutExtendedHeaders: "this server has no extended headers"
        case .shuttingDown: "the server is shutting down"
        }
    }
}

/// Strings that come from clients, made fit for texts and logs.
enum ClientText {
    /// At most 40 bytes of `bytes` in quotes, everything but plain ASCII as `\xNN`: never more than
    /// 4 * 40 + 5 characters.
    static func quoted(_ bytes: [UInt8]) -> String {
        var text = "\""
        for byte in bytes.prefix(40) {
            let isPlain = byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"")
            if isPlain && byte != UInt8(ascii: "\\") {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += (byte < 16 ? "\\x0" : "\\x") + String(byte, radix: 16)
            }
        }
        return text + (bytes.count > 40 ? "...\"" : "\"")
    }
}
