internal import Engine

/// The known bugs that a build with mutants can turn on, one at a time.
package enum MutantSwitch {
    #if MUTANTS
        package static var names: [String] { Mutant.allCases.map(\.rawValue) }
    #else
        package static var names: [String] { [] }
    #endif

    /// Turns on the mutant of this name for the whole process; false when there is none.
    package static func turnOn(_ name: String) -> Bool {
        #if MUTANTS
            guard let mutant = Mutant(rawValue: name) else { return false }
            unsafe Mutant.active = mutant
            return true
        #else
            return false
        #endif
    }
}
