/// Names as structures hold them: UTF-8, at most 128 bytes, without a zero byte, never empty.
package enum NameText {
    package static var byteCountMax: Int { 128 }

    /// Whether `name` can be stored.
    package static func isStorable(_ name: String) -> Bool {
        let bytes = name.utf8
        return !bytes.isEmpty && bytes.count <= byteCountMax && !bytes.contains(0)
    }

    /// Writes the bytes of a name that `isStorable` at `offset`.
    static func store(_ name: String, into bytes: inout MutableRawSpan, at offset: Int) {
        for (index, byte) in name.utf8.enumerated() { byte.store(into: &bytes, at: offset + index) }
    }

    /// Reads a name of `byteCount` bytes; nil when no writer would have written it.
    static func load(_ byteCount: Int, from bytes: RawSpan, at offset: Int) -> String? {
        let codes = (0..<byteCount).map { bytes.byte(at: offset + $0) }
        guard let name = String(validating: codes, as: UTF8.self), isStorable(name) else {
            return nil
        }
        return name
    }
}
