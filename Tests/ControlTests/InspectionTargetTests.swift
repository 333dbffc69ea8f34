import Testing

@testable import Control

@Suite struct InspectionTargetTests {
    /// A form as a person would type it, without and with what stands in its brackets.
    private func typed(_ form: String) -> [[String]] {
        let numbers = form.replacing("TREE", with: "1").replacing("INDEX", with: "2")
            .replacing("BLOCK", with: "3").replacing("N", with: "4")
        let without = numbers.split(separator: "[")[0]
        let with = numbers.replacing("[", with: "").replacing("]", with: "")
        return [String(without), with].map { $0.split(separator: " ").map(String.init) }
    }

    @Test(arguments: InspectionTarget.forms)
    func `what the advice names is understood`(form: String) throws {
        for words in typed(form) { #expect(throws: Never.self) { try InspectionTarget(words) } }
        #expect(ControlError.inspectTarget(text: "x").report.advice.contains(form))
    }

    @Test(arguments: ["pool", "segment x", "record", "record 1:2:3", "leaf", "superblock 1"])
    func `what is none is refused`(text: String) {
        #expect(throws: ControlError.inspectTarget(text: text)) {
            try InspectionTarget(text.split(separator: " ").map(String.init))
        }
    }
}
