/// A number of bytes, as people write and read it.
///
/// In: `4096`, `4KiB` and `4K` (both 4,096), `4KB` (4,000); K, M, G, T, P in either case; fractions
/// whose result is whole, `1.5GiB`; one space before the unit.  Out: `100 GiB`, with the i.
package struct ByteCount: Hashable, Sendable, Comparable, BitwiseCopyable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: ByteCount, right: ByteCount) -> Bool {
        left.rawValue < right.rawValue
    }

    /// Letters of the binary and decimal units, each 1,024 or 1,000 times the one before.
    private static var letters: [Character] { ["K", "M", "G", "T", "P"] }
}

/// Why a text is no number of bytes.
package enum ByteCountError: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    /// The text does not begin with digits, or a point has no digits on both sides.
    case noNumber(text: String)
    case unknownUnit(text: String, unit: String)
    /// A fraction that does not come to whole bytes.
    case notWhole(text: String)
    /// More than 2^64 - 1 bytes.
    case tooLarge(text: String)

    /// What is accepted, to be shown beside every refusal.
    package static var accepted: String {
        "a size is a number and a unit: 4096 (bytes), 4KiB or 4K (1,024 each), 4KB (1,000 each), "
            + "likewise M, G, T, P; 1.5GiB if it comes to whole bytes"
    }

    package var description: String {
        let reason =
            switch self {
            case .empty: "the size is empty"
            case .noNumber(let text): "'\(text)' does not begin with a number"
            case .unknownUnit(let text, let unit): "'\(text)' has the unknown unit '\(unit)'"
            case .notWhole(let text): "'\(text)' is not a whole number of bytes"
            case .tooLarge(let text): "'\(text)' is more than 2^64 - 1 bytes"
            }
        return reason + "; " + Self.accepted
    }
}

extension ByteCount {
    /// Reads `text` as a person wrote it.
    package init(parsing text: String) throws(ByteCountError) {
        guard !text.isEmpty else { throw .empty }
        let bytes = Array(text.utf8)
        let whole = bytes.prefix { Self.isDigit($0) }
        var rest = bytes.dropFirst(whole.count)
        var fraction = ArraySlice<UInt8>()
        let hasPoint = rest.first == UInt8(ascii: ".")
        if hasPoint {
            fraction = rest.dropFirst().prefix { Self.isDigit($0) }
            rest = rest.dropFirst(1 + fraction.count)
        }
        guard !whole.isEmpty, !hasPoint || !fraction.isEmpty else { throw .noNumber(text: text) }
        if rest.first == UInt8(ascii: " "), rest.count > 1 { rest = rest.dropFirst() }
        guard let unit = Self.unit(rest) else {
            throw .unknownUnit(text: text, unit: String(decoding: rest, as: UTF8.self))
        }
        guard let part = Self.bytes(of: fraction, unit: unit) else { throw .notWhole(text: text) }
        guard let count = Self.bytes(of: whole, unit: unit, plus: part) else {
            throw .tooLarge(text: text)
        }
        self.init(count)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    /// Bytes of one of the unit that `text` names; nil when it names none.
    private static func unit(_ text: ArraySlice<UInt8>) -> UInt64? {
        let name = String(decoding: text, as: UTF8.self)
        if name.isEmpty || name == "B" { return 1 }
        let letter = Character(name.prefix(1).uppercased())
        guard let place = letters.firstIndex(of: letter) else { return nil }
        let base: UInt64
        switch name.dropFirst() {
        case "", "iB": base = 1024
        case "B": base = 1000
        default: return nil
        }
        return (0...place).reduce(1) { product, _ in product * base }
    }

    /// Bytes of the digits behind the point; nil when they are not whole.
    ///
    /// From the last digit: if the sum is whole then so is each step, since ten times a whole
    /// number less a whole number is whole.  No step exceeds 10^16, however many digits there are.
    private static func bytes(of fraction: ArraySlice<UInt8>, unit: UInt64) -> UInt64? {
        var sum: UInt64 = 0
        for digit in fraction.reversed() {
            sum += UInt64(digit - UInt8(ascii: "0")) * unit
            guard sum % 10 == 0 else { return nil }
            sum /= 10
        }
        return sum
    }

    /// Bytes of the digits before the point and `part` more; nil when they exceed 64 bits.
    private static func bytes(
        of whole: ArraySlice<UInt8>,
        unit: UInt64,
        plus part: UInt64
    ) -> UInt64? {
        var count: UInt64 = 0
        for digit in whole {
            let (tens, overTens) = count.multipliedReportingOverflow(by: 10)
            let (sum, overSum) = tens.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            if overTens || overSum { return nil }
            count = sum
        }
        let (product, overProduct) = count.multipliedReportingOverflow(by: unit)
        let (total, overTotal) = product.addingReportingOverflow(part)
        return overProduct || overTotal ? nil : total
    }
}

extension ByteCount {
    /// Rounded to a tenth of the largest unit that is not greater: `100 GiB`, `1.5 MiB`, `3 bytes`.
    package var description: String {
        guard rawValue >= 1024 else { return exactText }
        var place = 0
        var unit: UInt64 = 1024
        while place + 1 < Self.letters.count, rawValue / unit >= 1024 {
            unit *= 1024
            place += 1
        }
        var tenths = rawValue / unit * 10 + (rawValue % unit * 10 + unit / 2) / unit
        if tenths >= 10_240, place + 1 < Self.letters.count {
            tenths = 10
            place += 1
        }
        let fraction = tenths % 10 == 0 ? "" : ".\(tenths % 10)"
        return "\(tenths / 10)\(fraction) \(Self.letters[place])iB"
    }

    /// All digits, in groups of three: `4,096 bytes`.
    package var exactText: String {
        let digits = Array(String(rawValue))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text + (rawValue == 1 ? " byte" : " bytes")
    }

    /// What was understood, to be echoed: `100 GiB = 107,374,182,400 bytes`.
    package var echo: String {
        guard rawValue >= 1024 else { return exactText }
        let rounded = description
        // A rounded text that reads back as the same number says the whole truth.
        let isExact = (try? ByteCount(parsing: rounded)) == self
        return (isExact ? rounded : "about " + rounded) + " = " + exactText
    }
}

// Figures of a catalogue are shown before anything is built from it, be it damaged or made by
// somebody else.
extension UInt64 {
    /// The sum, or the largest number where that is too large.
    package func saturated(plus other: UInt64) -> UInt64 {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }

    /// The product, or the largest number where that is too large.
    package func saturated(times other: UInt64) -> UInt64 {
        let (product, isOver) = multipliedReportingOverflow(by: other)
        return isOver ? .max : product
    }
}
