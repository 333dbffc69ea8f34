internal import Format
internal import Units

/// The name of a pool or of a volume inside its pool: first a letter or digit, then also `. _ -`.
package struct ObjectName: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// Characters of a volume's name.  CSI tests use all of them.
    package static var volumeLengthMax: Int { 128 }
    /// Characters of a pool's name: with its volume's it fits every export name and path.
    package static var poolLengthMax: Int { 64 }

    /// Nil when the text is no such name.
    package init?(_ text: String, lengthMax: Int) {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= lengthMax, Self.isAlphanumeric(first),
            bytes.allSatisfy({ Self.isAlphanumeric($0) || [0x2E, 0x5F, 0x2D].contains($0) })
        else { return nil }
        self.text = text
    }

    package static func pool(_ text: String) throws(ControlError) -> ObjectName {
        guard let name = ObjectName(text, lengthMax: poolLengthMax) else {
            throw .name(kind: "pool", text: text, lengthMax: poolLengthMax)
        }
        return name
    }

    package static func volume(_ text: String) throws(ControlError) -> ObjectName {
        guard let name = ObjectName(text, lengthMax: volumeLengthMax) else {
            throw .name(kind: "volume", text: text, lengthMax: volumeLengthMax)
        }
        return name
    }

    package var description: String { text }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }
}

/// `pool/volume`.
package struct VolumePath: Hashable, Sendable, CustomStringConvertible {
    package var pool: ObjectName
    package var volume: ObjectName

    package init(_ text: String) throws(ControlError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw .volumePath(text: text) }
        pool = try .pool(String(parts[0]))
        volume = try .volume(String(parts[1]))
    }

    package var description: String { "\(pool)/\(volume)" }
}

/// A place inside a volume: `tank/db01@+12.5GiB` or `tank/db01:chunk204800`.
package struct VolumeAddress: Hashable, Sendable {
    package var path: VolumePath
    /// Bytes from the volume's start.
    package var offset: UInt64

    private static var chunkMark: String { ":chunk" }

    package init(_ text: String) throws(ControlError) {
        if let mark = text.firstRange(of: "@+") {
            path = try VolumePath(String(text[..<mark.lowerBound]))
            offset = try ByteCount(argument: String(text[mark.upperBound...])).rawValue
        } else if let mark = text.firstRange(of: Self.chunkMark) {
            path = try VolumePath(String(text[..<mark.lowerBound]))
            let digits = text[mark.upperBound...]
            guard let chunk = UInt64(digits), chunk < 1 << 34, digits.first != "+" else {
                throw .address(text: text)
            }
            offset = chunk << 16
        } else {
            throw .address(text: text)
        }
    }
}
