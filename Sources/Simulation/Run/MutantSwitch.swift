/// The known bugs that a build with mutants can turn on, one at a time.
package enum MutantSwitch {
    package static var names: [String] { [] }

    /// Turns on the mutant of this name for the whole process; false when there is none.
    package static func turnOn(_ name: String) -> Bool { false }
}
