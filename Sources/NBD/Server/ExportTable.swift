internal import IO

/// The exports of a server, changed by the control side and asked by handshakes.
package final class ExportTable: ExportDirectory, Sendable {
    private struct Content {
        /// In order of their names.
        var exports: [ExportDescription] = []
        var defaultName: String?
        var isStopping = false
    }
    private let content = Guarded(Content())

    package init() {}

    /// Adds an export, or replaces the one of this name.
    package func insert(_ export: ExportDescription) {
        content.withLock { content in
            content.exports.removeAll { $0.name == export.name }
            let place = content.exports.firstIndex { $0.name > export.name }
            content.exports.insert(export, at: place ?? content.exports.count)
        }
    }

    /// No further connection gets this export.
    package func remove(named name: String) {
        content.withLock { content in content.exports.removeAll { $0.name == name } }
    }

    /// The export that the empty name stands for; nil for none.
    package func setDefault(named name: String?) {
        content.withLock { $0.defaultName = name }
    }

    /// From now on every option is refused.
    package func stop() { content.withLock { $0.isStopping = true } }

    package var isStopping: Bool { content.withLock { $0.isStopping } }

    package func allExports() -> [ExportDescription] { content.withLock { $0.exports } }

    package func export(named name: String) -> ExportDescription? {
        content.withLock { content in
            guard let name = name.isEmpty ? content.defaultName : name else { return nil }
            return content.exports.first { $0.name == name }
        }
    }
}
