/// A JSON value with the order of its fields kept and integers exact to 64 bits.
///
/// The one model behind every view: what the command line prints as `--json`, what crosses the
/// control socket, and what tables are made from.
package enum JSONValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    /// Above `Int64.max`; smaller numbers are `integer`, so that equal numbers are equal values.
    case large(UInt64)
    case real(Double)
    case text(String)
    case list([JSONValue])
    case object([JSONField])
}

/// One name and value of an object.
package struct JSONField: Hashable, Sendable {
    package var name: String
    package var value: JSONValue
    package init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

extension JSONValue {
    /// A count or a number of bytes.
    package static func count(_ value: some BinaryInteger) -> JSONValue {
        if let small = Int64(exactly: value) { return .integer(small) }
        return .large(UInt64(clamping: value))
    }

    /// Text, or null for nil.
    package static func text(orNull value: String?) -> JSONValue {
        value.map { .text($0) } ?? .null
    }

    /// A count, or null for nil.
    package static func count(orNull value: (some BinaryInteger)?) -> JSONValue {
        value.map { .count($0) } ?? .null
    }

    /// The field `name` of an object; nil when there is none, or this is no object.
    package subscript(name: String) -> JSONValue? {
        guard case .object(let fields) = self else { return nil }
        return fields.first { $0.name == name }?.value
    }

    /// The value at the end of the names `path`, separated by dots.
    package subscript(path path: String) -> JSONValue? {
        var value: JSONValue? = self
        for name in path.split(separator: ".") { value = value?[String(name)] }
        return value
    }

    /// The object with more fields behind its own; a value that is no object stays as it is.
    func adding(_ fields: [JSONField]) -> JSONValue {
        guard case .object(let own) = self else { return self }
        return .object(own + fields)
    }

    package var string: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    package var isTrue: Bool { self == .boolean(true) }

    package var items: [JSONValue]? {
        guard case .list(let items) = self else { return nil }
        return items
    }

    /// The number when it is an integer that is not negative.
    package var unsigned: UInt64? {
        switch self {
        case .integer(let value): UInt64(exactly: value)
        case .large(let value): value
        default: nil
        }
    }

    /// The number when it is an integer of 64 bits with a sign.
    package var signed: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    /// Any number, rounded to the nearest that the type can hold.
    package var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .large(let value): Double(value)
        case .real(let value): value
        default: nil
        }
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
    ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral
{
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { JSONField($0.0, $0.1) })
    }
    package init(arrayLiteral elements: JSONValue...) { self = .list(elements) }
    package init(stringLiteral value: String) { self = .text(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
}

extension JSONValue {
    /// On one line without spaces; never contains a line feed.
    package var line: String {
        var text = ""
        write(to: &text, indent: nil)
        return text
    }

    /// Indented by two spaces a level, for people.
    package var indented: String {
        var text = ""
        write(to: &text, indent: 0)
        return text
    }

    private func write(to text: inout String, indent: Int?) {
        switch self {
        case .null: text += "null"
        case .boolean(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .large(let value): text += String(value)
        // JSON has no word for what is no number.
        case .real(let value): text += value.isFinite ? "\(value)" : "null"
        case .text(let value): Self.write(value, to: &text)
        case .list(let items):
            Self.write(items, between: "[", "]", to: &text, indent: indent) { item, text, level in
                item.write(to: &text, indent: level)
            }
        case .object(let fields):
            Self.write(fields, between: "{", "}", to: &text, indent: indent) { field, text, level in
                Self.write(field.name, to: &text)
                text += level == nil ? ":" : ": "
                field.value.write(to: &text, indent: level)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element],
        between open: String,
        _ close: String,
        to text: inout String,
        indent: Int?,
        each: (Element, inout String, Int?) -> Void
    ) {
        text += open
        let level = indent.map { $0 + 1 }
        for (index, element) in elements.enumerated() {
            if index > 0 { text += "," }
            if let level { text += "\n" + String(repeating: "  ", count: level) }
            each(element, &text, level)
        }
        if let indent, !elements.isEmpty {
            text += "\n" + String(repeating: "  ", count: indent)
        }
        text += close
    }

    private static func write(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\r": text += "\\r"
            case let control where control.value < 0x20 || control.value == 0x7F:
                let digits = String(control.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
