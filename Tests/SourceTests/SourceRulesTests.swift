import Testing

/// The rules of style that swift-format cannot see, on every source file of the project.
/// Each finding is printed as `path:line: error: text`.
@Suite struct SourceRulesTests {
    private func expectNone(_ rule: (SourceText) -> [Violation]) {
        let violations = SourceTree.files.flatMap(rule)
        for violation in violations { print(violation) }
        if violations.isEmpty { return }
        Issue.record("\(violations.count) places break the rule, printed above")
    }

    @Test func `the sources are found`() {
        #expect(SourceTree.files.count > 20)
        #expect(SourceTree.files.contains { $0.path == "Package.swift" })
    }

    @Test func `no line is too wide`() { expectNone(SizeRules.lines(of:)) }

    @Test func `no file is too long`() { expectNone(SizeRules.file(_:)) }

    @Test func `no function is too long`() { expectNone(SizeRules.functions(of:)) }

    @Test func `no unwanted word is used`() { expectNone(WordRules.check(_:)) }

    @Test func `every module imports only what stands before it`() {
        expectNone(ModuleRules.check(_:))
    }
}
