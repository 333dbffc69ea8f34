import Testing

/// Each rule finds what it is there for, and lets pass what only looks like it.
@Suite struct RuleTests {
    private func source(_ text: String, path: String = "Sources/Engine/Example.swift") -> SourceText
    {
        SourceText(path: path, text: text)
    }

    @Test func `comments and strings are no code`() {
        let text = source(
            "let a = \"try! // no\" // comment\nlet b = \"\\(f(\"x\")) q\"; try! g()\n"
        )
        #expect(!text.code[0].contains("try!"))
        #expect(text.comments[0] == "// comment")
        #expect(text.code[1].contains("f(") && text.code[1].contains("try!"))
        #expect(!text.code[1].contains("q"))
    }

    @Test func `strings of several lines, raw strings and nested comments end where they end`() {
        let text = source("a = \"\"\"\n \" try!\n\"\"\" + b\nc = #\"\\\"# + d\n/* /* */ e */ f\n")
        #expect(!text.code[1].contains("try!"))
        #expect(text.code[2].contains("+ b"))
        #expect(text.code[3].contains("+ d"))
        #expect(text.code[4].trimming() == "f")
    }

    @Test(arguments: [
        "func f() throws { try! g() }", "let a = b as! C", "precondition(a)", "let a = try? f()",
        "final class LockManager {}", "var stringUtils = 1", "// FIXME", "// TODO: later",
        "struct A: @unchecked Sendable {}", "fatalError(\"not implemented\")",
    ])
    func `an unwanted word is found`(line: String) {
        #expect(WordRules.check(source(line)).count == 1)
    }

    @Test(arguments: [
        "// The signal handler runs here.", "let a = \"manager\"", "let managed = handle",
        "// TODO: one lane only, until volumes can move.", "let a = try? f()  // Gone is closed.",
        "__sigaction_handler = 1", "invariant(a, \"b\")",
    ])
    func `what only looks like it passes`(line: String) {
        #expect(WordRules.check(source(line)).isEmpty)
    }

    @Test func `a long function is found with all its lines`() {
        let body = Array(repeating: "    if a { b() }", count: 69)
        let short = (["func f() {"] + body.dropLast(1) + ["}"]).joined(separator: "\n")
        let long = (["func f(", "    a: () -> Void = {}", ") {"] + body + ["}"])
            .joined(separator: "\n")
        #expect(SizeRules.functions(of: source(short)).isEmpty)
        #expect(SizeRules.functions(of: source(long)).map(\.lineIndex) == [0])
        let cText = (["static int f(int a)", "{"] + body + ["}"]).joined(separator: "\n")
        #expect(SizeRules.functions(of: source(cText, path: "Sources/CLinux/a.c")).count == 1)
    }

    @Test func `a type may be longer than a function`() {
        let members = Array(repeating: "    func f() { self.init() }", count: 200)
        let text = (["struct A {"] + members + ["}"]).joined(separator: "\n")
        #expect(SizeRules.functions(of: source(text)).isEmpty)
    }

    @Test func `wide lines and long files are found`() {
        let wide = source("// " + String(repeating: "x", count: 98))
        #expect(SizeRules.lines(of: wide).count == 1)
        #expect(SizeRules.file(source(String(repeating: "\n", count: 500))).isEmpty)
        #expect(SizeRules.file(source(String(repeating: "\n", count: 501))).count == 1)
    }

    @Test(arguments: [
        ("Engine", "NBD"), ("Units", "Format"), ("Policy", "Engine"), ("NBD", "Simulation"),
        ("Format", "Glibc"), ("Engine", "Foundation"), ("Engine", "Engine"),
    ])
    func `an import against the order is refused`(pair: (String, String)) {
        #expect(ModuleRules.refusal(of: pair.1, in: pair.0) != nil)
    }

    @Test(arguments: [
        ("Engine", "Units"), ("Control", "NBD"), ("Simulation", "Engine"), ("IO", "Glibc"),
        ("simulate", "Simulation"), ("Control", "Foundation"), ("Engine", "Synchronization"),
    ])
    func `an import along the order passes`(pair: (String, String)) {
        #expect(ModuleRules.refusal(of: pair.1, in: pair.0) == nil)
    }

    @Test func `an import is seen behind its access level`() {
        let text = source("package import NBD\ninternal import Units\n")
        #expect(ModuleRules.check(text).map(\.lineIndex) == [0])
    }
}
