/// Limits on how much a reader meets at once.
enum SizeRules {
    static var lineWidthMax: Int { 100 }
    static var fileLineCountMax: Int { 500 }
    static var functionLineCountMax: Int { 70 }

    static func lines(of file: SourceText) -> [Violation] {
        file.lines.indices.compactMap { index in
            let width = file.lines[index].count
            guard width > lineWidthMax else { return nil }
            return Violation(
                path: file.path,
                lineIndex: index,
                text: "the line has \(width) columns; at most \(lineWidthMax)"
            )
        }
    }

    static func file(_ file: SourceText) -> [Violation] {
        // The text ends with a newline, behind which `split` sees one more line.
        let count = file.lines.count - (file.lines.last == "" ? 1 : 0)
        guard count > fileLineCountMax else { return [] }
        return [
            Violation(
                path: file.path,
                lineIndex: fileLineCountMax,
                text: "the file has \(count) lines; at most \(fileLineCountMax): split the concept"
            )
        ]
    }

    static func functions(of file: SourceText) -> [Violation] {
        var finder = FunctionFinder(isSwift: file.path.hasSuffix(".swift"))
        for (index, line) in file.code.enumerated() { finder.read(line, at: index) }
        return finder.functions.compactMap { function in
            let count = function.upperBound - function.lowerBound + 1
            guard count > functionLineCountMax else { return nil }
            return Violation(
                path: file.path,
                lineIndex: function.lowerBound,
                text: "the function has \(count) lines; at most \(functionLineCountMax)"
            )
        }
    }
}

/// Finds the lines of every function, initializer, subscript and computed property.
///
/// A function lasts from the line with its keyword to its closing brace.  A function inside
/// another counts for itself and as part of the outer one.
struct FunctionFinder {
    private let isSwift: Bool
    private var braceDepth = 0
    private var parenthesisDepth = 0
    /// The line of a declaration whose body has not begun.
    private var pending: Int?
    private var open: [(depth: Int, start: Int)] = []
    private(set) var functions: [ClosedRange<Int>] = []

    init(isSwift: Bool) { self.isSwift = isSwift }

    private static var keywords: Set<String> { ["func", "init", "deinit", "subscript", "var"] }

    mutating func read(_ line: String, at index: Int) {
        var word = ""
        var beforeWord: Character = " "
        var previous: Character = " "
        for character in line + " " {
            if character.isLetter || character.isNumber || character == "_" {
                if word.isEmpty { beforeWord = previous }
                word.append(character)
            } else {
                noteWord(word, after: beforeWord, at: index)
                word = ""
                noteMark(character, at: index)
            }
            previous = character
        }
    }

    private mutating func noteWord(_ word: String, after before: Character, at index: Int) {
        guard isSwift, before != ".", Self.keywords.contains(word) else { return }
        // A parameter list can hold closures but no declaration of its own.
        if parenthesisDepth == 0 { pending = index }
    }

    private mutating func noteMark(_ mark: Character, at index: Int) {
        switch mark {
        case "(": parenthesisDepth += 1
        case ")":
            parenthesisDepth -= 1
            if !isSwift && braceDepth == 0 && parenthesisDepth == 0 { pending = index }
        case ";" where !isSwift: pending = nil
        case "{" where parenthesisDepth == 0:
            if let start = pending { open.append((braceDepth, start)) }
            pending = nil
            braceDepth += 1
        case "}" where parenthesisDepth == 0:
            braceDepth -= 1
            pending = nil
            if let last = open.last, last.depth == braceDepth {
                functions.append(last.start...index)
                open.removeLast()
            }
        default: break
        }
    }
}
