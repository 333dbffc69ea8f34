package import Units

/// What `--flash` and `--disk` say: `PATH[:SIZE][,model=hdd7200]`.
package struct DeviceSpecification: Hashable, Sendable {
    package var path: String
    package var role: DeviceRole
    /// Bytes of a file to be made; nil takes an existing file or device whole.
    package var byteCount: UInt64?
    /// The drive that the device is delayed to behave like.
    package var model: String?

    package init(path: String, role: DeviceRole, byteCount: UInt64?, model: String?) {
        self.path = path
        self.role = role
        self.byteCount = byteCount
        self.model = model
    }

    /// What stands behind the last colon is a size when it begins with a digit and holds no `/`.
    /// A path that ends so itself is written with a colon and its size, or by another name.
    package init(_ text: String, role: DeviceRole) throws(ControlError) {
        self.role = role
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let place = parts.removeFirst()
        (path, byteCount) = try Self.place(place)
        for option in parts {
            guard option.hasPrefix("model="), model == nil else {
                throw .deviceOption(device: text, option: option)
            }
            model = String(option.dropFirst("model=".count))
        }
        guard !path.isEmpty else { throw .devicePath(text: text) }
    }

    private static func place(_ text: String) throws(ControlError) -> (String, UInt64?) {
        guard let colon = text.lastIndex(of: ":") else { return (text, nil) }
        let tail = String(text[text.index(after: colon)...])
        guard !tail.contains("/"), let first = tail.first, first.isASCII, first.isNumber else {
            return (text, nil)
        }
        return (String(text[..<colon]), try ByteCount(argument: tail).rawValue)
    }
}
