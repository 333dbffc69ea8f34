/// Why bytes from a device or the catalogue were refused.  One case for each failure.
package enum FormatError: Error, Equatable, Sendable {
    /// The magic number of `structure` is not there: this was never such a structure.
    case noMagic(structure: StaticName)
    /// The structure was written by a version that this program does not read.
    case unknownVersion(structure: StaticName, found: UInt16)
    /// The bytes do not have their checksum.
    case checksum(structure: StaticName, expected: UInt32, found: UInt32)
    /// The structure is whole but belongs elsewhere: another pool, device, segment or place.
    case misplaced(structure: StaticName, field: StaticName)
    /// A field holds a value that no writer writes.
    case field(structure: StaticName, field: StaticName, found: UInt64)
    /// The bytes end before the structure does.
    case truncated(structure: StaticName, needed: Int, found: Int)
}

/// A name fixed at compile time, comparable and free of allocation.
package struct StaticName: Equatable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible
{
    package let text: StaticString
    package init(stringLiteral text: StaticString) { self.text = text }
    package static func == (left: Self, right: Self) -> Bool {
        left.description == right.description
    }
    package var description: String { text.description }
}
