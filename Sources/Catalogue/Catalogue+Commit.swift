internal import Format
internal import GRDB
internal import Units

extension Catalogue {
    /// Pages of the log from which on it is moved into the database: 4,096 of 4 KiB are 16 MiB.
    package static var logFrameCountMax: Int { 4096 }
    /// Leaves between two pauses of a commit.
    private static var leavesPerPause: Int { 32 }

    /// Carries out all of `image` in one transaction, which is durable when this returns, and keeps
    /// the log short.  An error means that nothing of the image is in force.
    ///
    /// Segments and leaves are given back before others are written, so that an image may do both
    /// with the same one.  Removing a leaf removes its heat; a forgotten volume takes its trees
    /// and their heat along, but no leaf: the engine has removed each, with what it referred to.
    package func commit(_ image: CheckpointImage) throws(CatalogueError) {
        try commit(image) { _ in }
        if isCheckpointDue { try moveLog() }
    }

    /// `commit` without the care for the log.  `pause` is called now and then inside the
    /// transaction with the connection, for reads that cannot wait.
    func commit(
        _ image: CheckpointImage,
        pause: (Database) throws -> Void
    ) throws(CatalogueError) {
        let path = path
        try connection.change { database in
            let tally = try LeafTally.read(in: database, path: path)
            var writer = ImageWriter(database: database, tally: tally)
            try writer.writeSegments(of: image)
            try writer.writeVolumes(of: image)
            try writer.write(image.position)
            for (place, leaf) in image.leaves.enumerated() {
                try writer.writeLeaf(leaf.key, leaf.bytes)
                if place % Catalogue.leavesPerPause == Catalogue.leavesPerPause - 1 {
                    try pause(database)
                }
            }
            for (place, heat) in image.heat.enumerated() {
                try writer.writeHeat(heat.key, heat.bytes)
                if place % Catalogue.leavesPerPause == Catalogue.leavesPerPause - 1 {
                    try pause(database)
                }
            }
            try writer.forgetVolumes(of: image)
            try EventTable.append(image.events, to: database)
            try writer.writeScrubs(of: image)
            if writer.tally != tally { try writer.tally.write(to: database) }
        }
    }

    /// Whether the log is so long that it should be moved into the database.
    var isCheckpointDue: Bool { connection.logFrameCount >= Catalogue.logFrameCountMax }

    /// Moves the log into the database; the next commit then starts it anew.
    func moveLog() throws(CatalogueError) {
        try connection.checkpoint(truncating: false)
    }
}

/// Writes the parts of an image with statements that are prepared once for the connection's life.
private struct ImageWriter {
    let database: Database
    var tally: LeafTally

    func writeSegments(of image: CheckpointImage) throws {
        for address in image.freedSegments {
            try run(
                "DELETE FROM segments WHERE device = ? AND segment = ?",
                [Int64(address.device.rawValue), Int64(address.index.rawValue)]
            )
        }
        for row in image.segments {
            try database.put(
                "segments",
                [
                    Int64(row.address.device.rawValue), Int64(row.address.index.rawValue),
                    Int64(row.lane.rawValue), Int64(row.stream.rawValue), stored(row.sequence),
                    stored(row.nonce), Int64(row.liveBlockCount),
                    Int64(row.writtenBlockCount),
                ]
            )
        }
    }

    func writeVolumes(of image: CheckpointImage) throws {
        for row in image.volumes {
            try database.put(
                "volumes",
                [
                    row.identifier.description, row.name, stored(row.byteCount),
                    Int64(row.lane.rawValue), stored(row.tree.rawValue),
                    Int64(row.state.rawValue), row.createdSeconds, stored(row.ownedBlockCount),
                ]
            )
        }
        for row in image.trees {
            try database.put(
                "trees",
                [
                    stored(row.identifier.rawValue), row.parent.map { stored($0.rawValue) },
                    row.volume.description,
                ]
            )
        }
    }

    func write(_ position: LanePosition) throws {
        try database.put(
            "positions",
            [
                Int64(position.lane.rawValue), position.segment.map { Int64($0.device.rawValue) },
                position.segment.map { Int64($0.index.rawValue) }, stored(position.segmentSequence),
                Int64(position.blockOffset), stored(position.nextRecord.rawValue),
                Int64(position.previousChecksum), position.mirror.begin.map { stored($0) },
                stored(position.mirror.end), Int64(position.mirror.checksum),
            ]
        )
        try database.put(
            "settings",
            [AgeSetting.key(of: position.lane), AgeSetting.text(of: position)]
        )
    }

    mutating func writeLeaf(_ key: LeafKey, _ bytes: [UInt8]) throws {
        let isThere = try database.has(
            "SELECT 1 FROM leaves WHERE tree = ? AND leaf = ?",
            numbers(of: key)
        )
        guard bytes.isEmpty else {
            if !isThere { tally.add(key) }
            return try database.run(
                """
                INSERT INTO leaves (tree, leaf, bytes) VALUES (?, ?, ?)
                ON CONFLICT (tree, leaf) DO UPDATE SET bytes = excluded.bytes
                """,
                numbers(of: key),
                bytes
            )
        }
        if isThere { tally.remove(key) }
        try database.run("DELETE FROM leaves WHERE tree = ? AND leaf = ?", numbers(of: key))
        try writeHeat(key, [])
    }

    func writeHeat(_ key: LeafKey, _ bytes: [UInt8]) throws {
        guard bytes.isEmpty else {
            return try database.run(
                "INSERT OR REPLACE INTO heat VALUES (?, ?, ?)",
                numbers(of: key),
                bytes
            )
        }
        try database.run("DELETE FROM heat WHERE tree = ? AND leaf = ?", numbers(of: key))
    }

    private func numbers(of key: LeafKey) -> [Int64] {
        [stored(key.tree.rawValue), stored(key.index)]
    }

    func writeScrubs(of image: CheckpointImage) throws {
        for row in image.scrubs {
            try database.put("settings", [row.key, row.text])
        }
    }

    func forgetVolumes(of image: CheckpointImage) throws {
        for volume in image.forgottenVolumes {
            try run(
                "DELETE FROM heat WHERE tree IN (SELECT tree FROM trees WHERE volume = ?)",
                [volume.description]
            )
            try run("DELETE FROM trees WHERE volume = ?", [volume.description])
            try run("DELETE FROM volumes WHERE identifier = ?", [volume.description])
        }
    }

    private func run(_ sql: String, _ arguments: StatementArguments) throws {
        let statement = try database.cachedStatement(sql: sql)
        statement.setUncheckedArguments(arguments)
        try statement.execute()
    }
}
