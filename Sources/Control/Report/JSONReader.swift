/// Why a text is no JSON that is accepted here.
package enum JSONError: Error, Equatable, Sendable {
    /// What stands at `offset` (bytes from the start) cannot stand there.
    case unexpected(offset: Int)
    /// The text ends inside a value.
    case unfinished
    /// Lists and objects lie deeper in each other than `JSONReader.depthMax`.
    case tooDeep(offset: Int)
    /// An object has the same name twice.
    case repeatedName(offset: Int)
    /// A number that no field holds.
    case number(offset: Int)
    /// Not UTF-8.
    case encoding
}

/// Reads one JSON value from a text that may be hostile.
///
/// Strict (RFC 8259, no name twice), and bounded: depth by `depthMax`, everything else by the
/// length of the text, which the caller bounds.
package struct JSONReader {
    package static var depthMax: Int { 32 }

    private let bytes: [UInt8]
    private var offset = 0

    package static func read(_ text: String) throws(JSONError) -> JSONValue {
        try read(bytes: Array(text.utf8))
    }

    /// Reads the one value that `bytes` hold, with spaces around it allowed.
    package static func read(bytes: [UInt8]) throws(JSONError) -> JSONValue {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .encoding }
        var reader = JSONReader(bytes: bytes)
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.offset == bytes.count else { throw .unexpected(offset: reader.offset) }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < Self.depthMax else { throw .tooDeep(offset: offset) }
        skipSpace()
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try list(depth: depth)
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        var fields: [JSONField] = []
        var names: Set<String> = []
        offset += 1
        skipSpace()
        if try peek() == UInt8(ascii: "}") {
            offset += 1
            return .object([])
        }
        while true {
            skipSpace()
            let start = offset
            guard try peek() == UInt8(ascii: "\"") else { throw .unexpected(offset: offset) }
            let name = try string()
            guard names.insert(name).inserted else { throw .repeatedName(offset: start) }
            skipSpace()
            try expect(":")
            fields.append(JSONField(name, try value(depth: depth + 1)))
            skipSpace()
            if try peek() == UInt8(ascii: "}") { break }
            try expect(",")
        }
        offset += 1
        return .object(fields)
    }

    private mutating func list(depth: Int) throws(JSONError) -> JSONValue {
        var items: [JSONValue] = []
        offset += 1
        skipSpace()
        if try peek() == UInt8(ascii: "]") {
            offset += 1
            return .list([])
        }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            if try peek() == UInt8(ascii: "]") { break }
            try expect(",")
        }
        offset += 1
        return .list(items)
    }

    private mutating func string() throws(JSONError) -> String {
        var text: [UInt8] = []
        offset += 1
        while true {
            let byte = try peek()
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text += Array(String(try escaped()).utf8)
            case 0..<0x20: throw .unexpected(offset: offset - 1)
            default: text.append(byte)
            }
        }
    }

    /// What stands behind a backslash.
    private mutating func escaped() throws(JSONError) -> Unicode.Scalar {
        let byte = try peek()
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try scalar()
        default: throw .unexpected(offset: offset - 1)
        }
    }

    private mutating func scalar() throws(JSONError) -> Unicode.Scalar {
        let start = offset
        var code = try hexadecimal()
        if code & 0xFC00 == 0xD800 {
            try expect("\\")
            try expect("u")
            let low = try hexadecimal()
            guard low & 0xFC00 == 0xDC00 else { throw .unexpected(offset: start) }
            code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
        }
        guard let scalar = Unicode.Scalar(code) else { throw .unexpected(offset: start) }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        guard offset + 4 <= bytes.count else { throw .unfinished }
        let digits = String(decoding: bytes[offset..<(offset + 4)], as: UTF8.self)
        guard digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let code = UInt32(digits, radix: 16)
        else { throw .unexpected(offset: offset) }
        offset += 4
        return code
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = offset
        while offset < bytes.count, Self.isNumeric(bytes[offset]) { offset += 1 }
        guard offset > start else { throw .unexpected(offset: start) }
        let digits = String(decoding: bytes[start..<offset], as: UTF8.self)
        guard digits.utf8.count <= 64, Self.isNumber(digits.utf8) else {
            throw .number(offset: start)
        }
        if let whole = Int64(digits) { return .integer(whole) }
        if let whole = UInt64(digits) { return .large(whole) }
        guard let value = Double(digits), value.isFinite else { throw .number(offset: start) }
        return .real(value)
    }

    /// The grammar of RFC 8259: `-`, whole digits without a leading zero, `.` and digits, `e` or
    /// `E` with a sign and digits; all but the whole digits may be missing.
    private static func isNumber(_ text: String.UTF8View) -> Bool {
        var rest = text[...]
        func takeDigits() -> Int {
            let digits = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            rest = rest.dropFirst(digits.count)
            return digits.count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let hasLeadingZero = rest.first == UInt8(ascii: "0")
        let wholeCount = takeDigits()
        guard wholeCount == 1 || (wholeCount > 1 && !hasLeadingZero) else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard takeDigits() > 0 else { return false }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") {
                rest = rest.dropFirst()
            }
            guard takeDigits() > 0 else { return false }
        }
        return rest.isEmpty
    }

    private static func isNumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
            UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private mutating func word(
        _ text: StaticString,
        _ value: JSONValue
    ) throws(JSONError) -> JSONValue {
        let expected = Array(text.description.utf8)
        guard bytes[offset...].starts(with: expected) else { throw .unexpected(offset: offset) }
        offset += expected.count
        return value
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(JSONError) {
        guard try peek() == UInt8(ascii: character) else { throw .unexpected(offset: offset) }
        offset += 1
    }

    private func peek() throws(JSONError) -> UInt8 {
        guard offset < bytes.count else { throw .unfinished }
        return bytes[offset]
    }

    private mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[offset]) { offset += 1 }
    }
}
