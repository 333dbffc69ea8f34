/// What BLOCK_STATUS can tell about a stretch of a volume.  The raw value is the identifier that a
/// selected context has on the wire.
package enum MetaContext: UInt32, Sendable, CaseIterable {
    /// Bit 0: no space is held; bit 1: reads as zeros.
    case allocation = 1
    /// On which tier the data lies, and in which state.
    case tier = 2
    /// How much it is used, in coarse steps.
    case heat = 3

    package var name: String {
        switch self {
        case .allocation: "base:allocation"
        case .tier: "x-isotherm:tier"
        case .heat: "x-isotherm:heat"
        }
    }

    /// Its place in a set.
    package var member: MetaContextSet { MetaContextSet(rawValue: 1 << UInt8(rawValue)) }
}

/// Contexts that a client selected or asked about.
package struct MetaContextSet: OptionSet, Sendable, BitwiseCopyable {
    package var rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static var all: Self { MetaContext.allCases.reduce(into: []) { $0.insert($1.member) } }

    /// How many chunks answer one BLOCK_STATUS.
    package var count: Int { rawValue.nonzeroBitCount }

    /// The contexts that `query` names.  A namespace with nothing behind the colon stands for all
    /// of its contexts where `allowsWildcards` (LIST), and for none elsewhere (SET).
    init(query: ArraySlice<UInt8>, allowsWildcards: Bool) {
        self = []
        for context in MetaContext.allCases {
            let name = context.name.utf8
            let isNamespace =
                allowsWildcards && query.last == UInt8(ascii: ":") && name.starts(with: query)
            if isNamespace || name.elementsEqual(query) { insert(context.member) }
        }
    }
}
