internal import Catalogue
internal import Format

/// A pool, and whoever can answer for it: the daemon that serves it, or this process.
struct PoolAccess {
    let name: ObjectName
    let directory: PoolDirectory

    init(_ name: ObjectName, _ place: PlaceOptions) throws(ControlError) {
        self.name = name
        directory = try PoolPlaces.locate(name, directory: place.dir, home: Console.current.home)
    }

    private init(_ directory: PoolDirectory) throws(ControlError) {
        name = try .pool(directory.name)
        self.directory = directory
    }

    /// The pool `name`, or all that the index has.
    static func all(
        named name: ObjectName?,
        _ place: PlaceOptions
    ) throws(ControlError) -> [PoolAccess] {
        if let name { return [try PoolAccess(name, place)] }
        let directories = try ControlError.converting { () throws(CatalogueError) in
            try PoolDirectory.list(home: Console.current.home)
        }
        var result: [PoolAccess] = []
        for directory in directories { result.append(try PoolAccess(directory)) }
        return result
    }

    var client: ControlClient { ControlClient(path: directory.controlSocketPath) }

    static func document(_ json: JSONValue) throws(ControlError) -> Document {
        guard let document = Document(json) else {
            throw .protocolViolation(fact: "the answer is no document of this version")
        }
        return document
    }

    /// Lets `body` ask the daemon; where there is none, opens the pool in this process and closes
    /// it, checkpointed, behind it.
    func use<Value>(
        _ body: (any ControlService) throws(ControlError) -> Value
    ) throws(ControlError) -> Value {
        if client.isReachable { return try body(client) }
        let service = try PoolService.open(directory, options: PoolService.Options())
        let result: Value
        do throws(ControlError) {
            result = try body(service)
        } catch {
            try service.stop()
            throw error
        }
        try service.stop()
        return result
    }

    func perform(_ request: ControlRequest) throws(ControlError) -> JSONValue {
        try use { service throws(ControlError) in try service.answer(request) }
    }

    /// The document that answers `request`: from the daemon; else from the catalogue, as of the
    /// last checkpoint, if that has it; else from the pool, opened in this process.
    func read(_ request: ControlRequest, isEssential: Bool) throws(ControlError) -> Document {
        do throws(ControlError) {
            if client.isReachable { return try Self.document(client.answer(request)) }
            if CatalogueView.answers(request) {
                let view = try CatalogueView(directory)
                defer { view.close() }
                return try Self.document(view.answer(request))
            }
            return try Self.document(perform(request))
        } catch {
            if isEssential { throw error }
            Console.current.message(error.report.line)
            return Document(schema: "", seconds: WallClock.seconds, isModelled: false, items: [])
        }
    }

    /// The pool's line in `pool list`.  A pool that cannot be read has one too, and a message with
    /// the reason.
    func summary() -> Document {
        var item: [JSONField] = [JSONField("name", .text(name.text))]
        var isModelled = false
        do throws(ControlError) {
            let document = try read(ControlRequest("pool.status"), isEssential: true)
            isModelled = document.isModelled
            let status = document.items.first ?? [:]
            for field in ["state", "identifier", "volumeCount", "laneCount", "modelled"] {
                item.append(JSONField(field, status[field] ?? .null))
            }
            for (field, path) in [
                ("flashByteCount", "flash.byteCount"), ("diskByteCount", "disk.byteCount"),
                ("ownedByteCount", "ownedByteCount"), ("promisedByteCount", "promisedByteCount"),
            ] {
                item.append(JSONField(field, status[path: "space." + path] ?? .null))
            }
        } catch {
            Console.current.message(error.report.line)
            let isHeld = error.report.code == "pool_served"
            let state = isHeld ? PoolFigures.State.online : .unavailable
            item.append(JSONField("state", .text(state.rawValue)))
        }
        item.append(JSONField("directory", .text(directory.path)))
        return Document(
            schema: "pool.list",
            seconds: WallClock.seconds,
            isModelled: isModelled,
            items: [.object(item)]
        )
    }
}
