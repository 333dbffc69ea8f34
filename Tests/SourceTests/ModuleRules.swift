/// Which module may import which.
enum ModuleRules {
    /// Each module imports only what stands before it.
    static let order = [
        "CLinux", "CSQLite", "Units", "Format", "IO", "Policy", "Catalogue", "Engine", "NBD",
        "Control", "isotherm",
    ]
    /// Beside the order: the simulation drives the engine, and no module of the product knows it.
    static let beside = ["Simulation", "simulate"]

    /// Who sees the operating system.  `Units` ends the process when an invariant fails.
    private static let system: Set<String> = ["Glibc", "Musl", "Foundation", "Dispatch"]
    private static let seesSystem: Set<String> = [
        "Units", "IO", "Catalogue", "Control", "isotherm", "Simulation", "simulate",
    ]
    /// Who may use Foundation: nothing on the path of a read or write.
    private static let seesFoundation: Set<String> = [
        "Control", "isotherm", "Simulation", "simulate",
    ]

    static func check(_ file: SourceText) -> [Violation] {
        guard let module = module(of: file.path), file.path.hasSuffix(".swift") else { return [] }
        return file.code.indices.compactMap { index in
            guard let imported = imported(by: file.code[index]) else { return nil }
            guard let reason = refusal(of: imported, in: module) else { return nil }
            return Violation(path: file.path, lineIndex: index, text: reason)
        }
    }

    /// The folder under Sources that the file lies in.
    private static func module(of path: String) -> String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    private static func imported(by line: String) -> String? {
        let words = line.words
        guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count else {
            return nil
        }
        guard words[..<keyword].allSatisfy({ prefixes.contains($0) }) else { return nil }
        return String(words[keyword + 1])
    }

    private static let prefixes: Set<Substring> = [
        "package", "internal", "public", "private", "fileprivate", "testable", "preconcurrency",
        "_exported", "_implementationOnly",
    ]

    /// Why `module` must not import `imported`; nil when it may.
    static func refusal(of imported: String, in module: String) -> String? {
        if system.contains(imported) {
            guard seesSystem.contains(module) else {
                return "\(module) does not see the operating system"
            }
            let isFoundation = imported == "Foundation" || imported == "Dispatch"
            guard !isFoundation || seesFoundation.contains(module) else {
                return "\(module) does without \(imported)"
            }
            return nil
        }
        if beside.contains(imported) {
            return module == "simulate" ? nil : "only simulate imports \(imported)"
        }
        guard let place = order.firstIndex(of: imported) else { return nil }
        if beside.contains(module) { return nil }
        guard let own = order.firstIndex(of: module) else {
            return "the module \(module) has no place in the order"
        }
        return place < own ? nil : "\(module) stands before \(imported) and must not import it"
    }
}
