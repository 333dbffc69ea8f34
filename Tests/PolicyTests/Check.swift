internal import Testing

/// `#expect` for conditions that it cannot take apart: those that change a value or look at one
/// that cannot be copied.
func check(_ condition: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(condition, sourceLocation: sourceLocation)
}
