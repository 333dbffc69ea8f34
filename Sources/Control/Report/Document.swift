/// What a reading command answers: a schema that names the meaning of the fields, and the figures.
///
///     {"schema":"isotherm.volume.list/1","time":"2026-11-21T01:12:07Z","modelled":false,
///      "items":[]}
///
/// A table, `--json` and the control socket show the same document.
package struct Document: Hashable, Sendable {
    /// For example `volume.list`.
    package var schema: String
    /// Seconds since 1970 at which the figures were read.
    package var seconds: Int64
    /// Whether a device that the figures depend on is delayed to behave like another.
    package var isModelled: Bool
    package var items: [JSONValue]

    package init(schema: String, seconds: Int64, isModelled: Bool, items: [JSONValue]) {
        self.schema = schema
        self.seconds = seconds
        self.isModelled = isModelled
        self.items = items
    }

    private static var prefix: String { "isotherm." }
    private static var suffix: String { "/1" }

    package var json: JSONValue {
        [
            "schema": .text(Self.prefix + schema + Self.suffix),
            "time": .text(TimeText.utc(seconds: seconds)),
            "modelled": .boolean(isModelled),
            "items": .list(items),
        ]
    }

    /// Takes a document that came over the control socket; nil when it is none of this version.
    package init?(_ json: JSONValue) {
        guard let name = json["schema"]?.string, name.hasPrefix(Self.prefix),
            name.hasSuffix(Self.suffix), let time = json["time"]?.string,
            let seconds = TimeText.seconds(utc: time), let items = json["items"]?.items
        else { return nil }
        schema = String(name.dropFirst(Self.prefix.count).dropLast(Self.suffix.count))
        self.seconds = seconds
        isModelled = json["modelled"]?.isTrue ?? false
        self.items = items
    }
}

extension Document {
    /// The items of several pools in one document.
    package static func joined(_ documents: [Document], schema: String) -> Document {
        Document(
            schema: schema,
            seconds: documents.map(\.seconds).max() ?? WallClock.seconds,
            isModelled: documents.contains(where: \.isModelled),
            items: documents.flatMap(\.items)
        )
    }
}
