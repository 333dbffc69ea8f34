internal import Format
internal import Units

/// What formats say of bytes, in words.
enum InspectionText {
    static func of(_ error: FormatError) -> String {
        switch error {
        case .noMagic(let structure): "no \(structure): its magic number is not there"
        case .unknownVersion(let structure, let found): "\(structure) of unknown version \(found)"
        case .checksum(let structure, let expected, let found):
            "\(structure) damaged: checksum \(hex(found)), computed \(hex(expected))"
        case .misplaced(let structure, let field): "\(structure) of another place: \(field) differs"
        case .field(let structure, let field, let found):
            "\(structure) with an impossible \(field): \(found)"
        case .truncated(let structure, let needed, let found):
            "\(structure) ends after \(found) of \(needed) bytes"
        }
    }

    static func of(_ error: SuperblockError) -> String {
        switch error {
        case .tooFewGood(let goodCount, let copies):
            "\(goodCount) of \(copies.count) superblocks are good, two are needed"
        case .noTwoAgree(let goodCount, _): "of \(goodCount) good superblocks no two agree"
        case .twoIdentities: "its superblocks belong to two pools or devices"
        case .contradiction(let generation, _):
            "its superblocks contradict each other in generation \(generation)"
        }
    }

    static func of(_ copy: SuperblockCopy) -> String {
        switch copy {
        case .good(let superblock): "good, generation \(superblock.generation)"
        case .bad(let error): of(error)
        case .unreadable: "cannot be read"
        }
    }

    static func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }

    /// `name  value`, aligned, two spaces in.
    static func fields(_ fields: [(String, String)]) -> String {
        let width = fields.map(\.0.count).max() ?? 0
        return fields.map { name, value in
            "  " + name + String(repeating: " ", count: width - name.count + 2) + value + "\n"
        }.joined()
    }
}
