internal import Catalogue
internal import Engine
internal import Format
internal import Units

/// The item of `explain/1`: where the blocks of a chunk lie, how warm it is, and what comes of it.
struct ChunkExplanation {
    var volume: String
    var chunk: UInt64
    /// 64 KiB, less in the last chunk of a volume.
    var byteCount: UInt64
    /// Nil for a chunk in a leaf that was never written.
    var view: ChunkView?
    /// By index.
    var devices: [DeviceRow]

    private var blocks: [BlockState] {
        let count = Int((byteCount + 4095) / 4096)
        return Array((view?.blocks ?? []).prefix(count))
    }

    private func count(_ isCounted: (BlockState) -> Bool) -> UInt64 {
        UInt64(blocks.count(where: isCounted)) * UInt64(Geometry.blockByteCount)
    }

    var json: JSONValue {
        let stored = count(\.isStored)
        let dirty = count(\.isDirty)
        let both = count(\.isCleanCopy)
        let zero = count { $0.kind == .zero }
        let poisoned = count(\.isPoisoned)
        let hole = byteCount - min(byteCount, stored + zero + poisoned)
        let outlook = ChunkOutlook(view: view, devices: devices, isPoisoned: poisoned > 0)
        let fields: JSONValue = [
            "volume": .text(volume), "chunk": .count(chunk),
            "offset": .count(chunk * UInt64(Geometry.chunkByteCount)),
            "holeByteCount": .count(hole), "zeroByteCount": .count(zero),
            "dirtyByteCount": .count(dirty), "bothByteCount": .count(both),
            "diskByteCount": .count(stored - dirty - both), "poisonedByteCount": .count(poisoned),
            "moving": .boolean(view?.isMoving ?? false), "extents": .list(extents),
            "heat": .real(Double(view?.score ?? 0)),
            "readsPerHour": .real(Double(view?.readsPerHour ?? 0)),
            "writesPerHour": .real(Double(view?.writesPerHour ?? 0)),
            "secondsSinceTouch": .count(orNull: view?.ticksSinceTouch),
        ]
        return fields.adding(outlook.json)
    }

    /// Runs of blocks that lie one behind the other on a device.
    private var extents: [JSONValue] {
        var items: [JSONValue] = []
        for tier in [DeviceRole.flash, .disk] {
            var last: (first: Location, count: UInt64)?
            for block in blocks where block.isStored {
                let place = tier == .flash ? block.flash : block.disk
                guard place.isPlace else { continue }
                if let run = last, run.first.device == place.device,
                    run.first.block + run.count == place.block
                {
                    last = (run.first, run.count + 1)
                } else {
                    items += last.map { item(tier, $0.first, $0.count) } ?? []
                    last = (place, 1)
                }
            }
            items += last.map { item(tier, $0.first, $0.count) } ?? []
        }
        return items
    }

    private func item(_ tier: DeviceRole, _ place: Location, _ count: UInt64) -> [JSONValue] {
        let index = Int(place.device.rawValue)
        guard index < devices.count, place.byteOffset >= DeviceLayout.headByteCount else {
            return []
        }
        let device = devices[index]
        let (segment, offset) = (place.byteOffset - DeviceLayout.headByteCount)
            .quotientAndRemainder(dividingBy: max(1, device.segmentByteCount))
        return [
            [
                "tier": .text("\(tier)"), "device": .text(PathText.lastPart(device.path)),
                "path": .text(device.path), "modelled": .boolean(device.model != nil),
                "deviceOffset": .count(place.byteOffset), "segment": .count(segment),
                "segmentOffset": .count(offset),
                "byteCount": .count(count * UInt64(Geometry.blockByteCount)),
            ]
        ]
    }

    static func text(_ rate: Float) -> String {
        let tenths = Int((max(0, min(rate, 1_000_000)) * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
