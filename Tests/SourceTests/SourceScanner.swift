/// Tells code, comments and string literals apart, in Swift and in C.
///
/// Knows what the rules need: line comments, nested block comments, string literals of one and of
/// several lines, raw ones, interpolations with strings inside them, names in backticks, and C's
/// character literals.  Regular expression literals are not known.
struct SourceScanner {
    private enum State: Equatable {
        case code
        case lineComment
        case blockComment(depth: Int)
        /// `hashes` is the count of # around it.
        case string(isMultiline: Bool, hashes: Int)
        /// Code inside a string; ends when its parentheses do.
        case interpolation(parentheses: Int)
        case backticks
        case character
    }

    private let bytes: [UInt8]
    private let isSwift: Bool
    private var at = 0
    private var states: [State] = [.code]
    private(set) var code: [UInt8] = []
    private(set) var comments: [UInt8] = []

    init(text: String, isSwift: Bool) {
        bytes = Array(text.utf8)
        self.isSwift = isSwift
    }

    mutating func scan() {
        code.reserveCapacity(bytes.count)
        comments.reserveCapacity(bytes.count)
        while at < bytes.count {
            switch states[states.count - 1] {
            case .code: scanCode()
            case .lineComment: scanLineComment()
            case .blockComment(let depth): scanBlockComment(depth)
            case .string(let isMultiline, let hashes): scanString(isMultiline, hashes)
            case .interpolation(let parentheses): scanInterpolation(parentheses)
            case .backticks: scanUntil(UInt8(ascii: "`"))
            case .character: scanUntil(UInt8(ascii: "'"))
            }
        }
    }

    private enum Kind { case code, comment, blank }

    /// Moves `count` bytes to where their kind belongs; the others get blanks, to keep columns.
    private mutating func take(_ count: Int, as kind: Kind) {
        for byte in bytes[at..<min(at + count, bytes.count)] {
            let isNewline = byte == 10
            code.append(kind == .code || isNewline ? byte : 32)
            comments.append(kind == .comment || isNewline ? byte : 32)
        }
        at += count
    }

    private func next(is text: StaticString, offset: Int = 0) -> Bool {
        let start = at + offset
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        var index = start
        for byte in text.description.utf8 {
            if bytes[index] != byte { return false }
            index += 1
        }
        return true
    }

    private mutating func scanCode() {
        if next(is: "//") {
            states.append(.lineComment)
        } else if next(is: "/*") {
            take(2, as: .comment)
            states.append(.blockComment(depth: 1))
        } else if isSwift && next(is: "`") {
            take(1, as: .code)
            states.append(.backticks)
        } else if !isSwift && next(is: "'") {
            take(1, as: .code)
            states.append(.character)
        } else if !openString() {
            take(1, as: .code)
        }
    }

    /// Enters a string literal if one begins here.
    private mutating func openString() -> Bool {
        var hashes = 0
        while isSwift && at + hashes < bytes.count && bytes[at + hashes] == UInt8(ascii: "#") {
            hashes += 1
        }
        guard next(is: "\"", offset: hashes) else { return false }
        let isMultiline = isSwift && next(is: "\"\"\"", offset: hashes)
        take(hashes + (isMultiline ? 3 : 1), as: .code)
        states.append(.string(isMultiline: isMultiline, hashes: hashes))
        return true
    }

    private mutating func scanLineComment() {
        if bytes[at] == 10 { states.removeLast() }
        take(1, as: .comment)
    }

    private mutating func scanBlockComment(_ depth: Int) {
        if next(is: "*/") {
            take(2, as: .comment)
            states.removeLast()
            if depth > 1 { states.append(.blockComment(depth: depth - 1)) }
        } else if isSwift && next(is: "/*") {
            take(2, as: .comment)
            states[states.count - 1] = .blockComment(depth: depth + 1)
        } else {
            take(1, as: .comment)
        }
    }

    private mutating func scanString(_ isMultiline: Bool, _ hashes: Int) {
        if next(is: "\\") && hasHashes(hashes, offset: 1) {
            let opensInterpolation = isSwift && next(is: "(", offset: 1 + hashes)
            take(2 + hashes, as: .blank)
            if opensInterpolation { states.append(.interpolation(parentheses: 1)) }
        } else if closesString(isMultiline, hashes) {
            take((isMultiline ? 3 : 1) + hashes, as: .code)
            states.removeLast()
        } else if !isMultiline && bytes[at] == 10 {
            states.removeLast()
        } else {
            take(1, as: .blank)
        }
    }

    private func hasHashes(_ count: Int, offset: Int) -> Bool {
        (0..<count).allSatisfy { next(is: "#", offset: offset + $0) }
    }

    private func closesString(_ isMultiline: Bool, _ hashes: Int) -> Bool {
        let quotes = isMultiline ? 3 : 1
        return next(is: isMultiline ? "\"\"\"" : "\"") && hasHashes(hashes, offset: quotes)
    }

    private mutating func scanInterpolation(_ parentheses: Int) {
        if next(is: "(") {
            states[states.count - 1] = .interpolation(parentheses: parentheses + 1)
            take(1, as: .code)
        } else if next(is: ")") {
            states.removeLast()
            if parentheses > 1 { states.append(.interpolation(parentheses: parentheses - 1)) }
            take(1, as: parentheses > 1 ? .code : .blank)
        } else if !openString() {
            take(1, as: .code)
        }
    }

    private mutating func scanUntil(_ end: UInt8) {
        if bytes[at] == UInt8(ascii: "\\") && end != UInt8(ascii: "`") {
            take(2, as: .blank)
        } else if bytes[at] == end || bytes[at] == 10 {
            states.removeLast()
            take(1, as: .code)
        } else {
            take(1, as: .blank)
        }
    }
}
