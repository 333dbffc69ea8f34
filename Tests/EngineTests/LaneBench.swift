import Catalogue
import Format
import IO
import Testing
import Units

@testable import Engine

/// One pool on devices in memory, driven by hand: every operation completes when `settle` is
/// called.
final class LaneBench: OpeningPlace {
    let flash: DeviceGeometry
    let disk: DeviceGeometry
    var images: [[UInt8]]
    var contents = CatalogueContents(
        incarnation: 0,
        volumes: [],
        trees: [],
        segments: [],
        positions: [],
        leafKeys: []
    )
    var leaves: [LeafKey: StoredLeaf] = [:]
    var configuration = LaneConfiguration()
    var pool: Pool
    var lanes: [Lane] = []
    var now = Instant(nanoseconds: 1_000_000_000)
    var identifier = PoolIdentifier(high: 7, low: 9)
    let deviceIdentifiers = [
        DeviceIdentifier(high: 1, low: 1), DeviceIdentifier(high: 2, low: 2),
    ]
    var report = RecoveryReport()
    private var nextContext: UInt64 = 1
    /// Blocks of the devices that recovery cannot read, by device.
    var unreadable: [Set<UInt64>] = [[], []]
    /// Blocks that recovery is refused so many times yet.
    var refusals: [Location: Int] = [:]
    /// Blocks that an opening cannot write.
    var refusesInOpening: (Location) -> Bool = { _ in false }
    /// The catalogue takes no commit.
    var failsCommits = false

    let laneCount: Int

    init(
        flashSegments: Int = 32,
        diskSegments: Int = 64,
        mirrorBlocks: Int = 512,
        laneCount: Int = 1
    ) throws {
        self.laneCount = laneCount
        flash = DeviceGeometry(
            index: DeviceIndex(0),
            role: .flash,
            segmentBlockCount: 512,
            segmentCount: flashSegments,
            mirrorBlockCount: mirrorBlocks
        )
        disk = DeviceGeometry(
            index: DeviceIndex(1),
            role: .disk,
            segmentBlockCount: 512,
            segmentCount: diskSegments
        )
        images = [flash, disk].map {
            [UInt8](
                repeating: 0xEE,
                count: (Int($0.firstMirrorBlock) + $0.mirrorBlockCount) * 4096
            )
        }
        configuration.leafCount = 64
        configuration.isPopulated = false
        configuration.buffers = [
            BufferClass(blockCount: 2, count: 64), BufferClass(blockCount: 20, count: 32),
            BufferClass(blockCount: 258, count: 8),
        ]
        pool = Pool(
            identifier: identifier,
            laneCount: laneCount,
            incarnation: 0,
            devices: [flash, disk],
            deviceIdentifiers: deviceIdentifiers
        )
        try open()
    }

    /// Opens the pool from what is on the devices and in the catalogue: also after a "crash".
    func open() throws {
        contents.leafKeys = leaves.keys.sorted()
        let opening = PoolOpening(
            identifier: identifier,
            laneCount: laneCount,
            devices: [flash, disk],
            deviceIdentifiers: deviceIdentifiers,
            contents: contents,
            configuration: configuration,
            randomSeed: 42,
            wallSeconds: 1_800_000_000
        )
        do throws(OpeningError<Never>) {
            (pool, lanes, report) = try opening.open(on: self, now: now)
        } catch {
            if case .recovery(let error) = error { throw error }
        }
    }

    func write(_ device: DeviceIndex, block: UInt64, from region: BufferRegion) -> Bool {
        if refusesInOpening(Location(device: device, block: block)) { return false }
        transfer(.write, device, Int(block) * 4096, region)
        return true
    }

    func flush(_ device: DeviceIndex) {}

    func begin(incarnation: UInt32, logEnds: [LogEnd]) {
        contents.incarnation = incarnation
        contents.logEnds = logEnds
    }

    func noteWitnessed(_ incarnation: UInt32) { contents.witnessedIncarnation = incarnation }

    /// The one that is driven; others rest.
    var lane: Lane { lanes[0] }

    // MARK: Devices

    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        let blocks = block..<(block + UInt64(region.byteCount / 4096))
        guard !unreadable[Int(device.rawValue)].contains(where: blocks.contains) else {
            return false
        }
        for one in blocks {
            let place = Location(device: device, block: one)
            guard let count = refusals[place], count > 0 else { continue }
            refusals[place] = count - 1
            return false
        }
        transfer(.read, device, Int(block) * 4096, region)
        return true
    }

    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf {
        leaves[key] ?? StoredLeaf(key: key, bytes: [], heat: [])
    }

    private func transfer(
        _ kind: Operation.Kind,
        _ device: DeviceIndex,
        _ offset: Int,
        _ region: BufferRegion
    ) {
        let range = offset..<(offset + region.byteCount)
        unsafe images[Int(device.rawValue)].withUnsafeMutableBytes { image in
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: image[range])
            let memory = unsafe UnsafeMutableRawBufferPointer(
                start: region.baseAddress,
                count: region.byteCount
            )
            if kind == .read {
                unsafe memory.copyMemory(from: UnsafeRawBufferPointer(part))
            } else {
                unsafe part.copyMemory(from: UnsafeRawBufferPointer(memory))
            }
        }
    }

    /// Changes a byte of a block on its device.
    func damage(_ location: Location) {
        images[Int(location.device.rawValue)][Int(location.block) * 4096 + 1000] ^= 0xFF
    }

    // MARK: Driving

    /// Works until nothing is left to do at this moment; `isComplete` tells which operations end,
    /// and `outcome` how.
    func settle(
        completing isComplete: (Operation) -> Bool = { _ in true },
        outcome: (Operation) -> OperationResult = { _ in .done }
    ) -> [Finished] {
        var finished: [Finished] = []
        for _ in 0..<10_000 {
            lane.turn(now: now)
            var isQuiet = true
            while let operation = lane.nextOperation() {
                guard isComplete(operation) else { continue }
                isQuiet = false
                carry(out: [operation], outcome: outcome)
            }
            while let request = lane.nextCatalogueRequest() {
                isQuiet = false
                lane.answer(serve(request))
            }
            while let done = lane.nextFinished() {
                isQuiet = false
                finished.append(done)
            }
            if isQuiet && !lane.hasProgressed { return finished }
        }
        Issue.record("the lane does not come to rest")
        return finished
    }

    /// The operations that the lane wants now, left in flight.
    func takeOperations() -> [Operation] {
        var taken: [Operation] = []
        while let operation = lane.nextOperation() { taken.append(operation) }
        return taken
    }

    /// Does operations and tells the lane how they ended.
    func carry(
        out operations: [Operation],
        outcome: (Operation) -> OperationResult = { _ in .done }
    ) {
        for operation in operations {
            let result = outcome(operation)
            if result == .done && (operation.kind == .read || operation.kind == .write) {
                transfer(
                    operation.kind,
                    operation.device,
                    Int(operation.offset),
                    operation.region
                )
            }
            lane.complete(Completion(token: operation.token, result: result))
        }
    }

    /// Answers what the lane has asked of the catalogue.
    func answerCatalogue() {
        while let request = lane.nextCatalogueRequest() { lane.answer(serve(request)) }
    }

    private func serve(_ request: CatalogueRequest) -> CatalogueAnswer {
        switch request {
        case .load(let key):
            return .loaded(leaves[key] ?? StoredLeaf(key: key, bytes: [], heat: []))
        case .commit(let image):
            if failsCommits { return .failed("no space") }
            commit(image)
            return .committed
        }
    }

    private func commit(_ image: CheckpointImage) {
        for (key, bytes) in image.leaves {
            leaves[key] = bytes.isEmpty ? nil : StoredLeaf(key: key, bytes: bytes, heat: [])
        }
        for row in image.segments {
            contents.segments.removeAll { $0.address == row.address }
            contents.segments.append(row)
        }
        contents.segments.removeAll { image.freedSegments.contains($0.address) }
        for row in image.volumes {
            contents.volumes.removeAll { $0.identifier == row.identifier }
            contents.volumes.append(row)
        }
        contents.volumes.removeAll { image.forgottenVolumes.contains($0.identifier) }
        contents.positions = [image.position]
        for row in image.scrubs {
            contents.scrubs.removeAll { $0.key == row.key }
            contents.scrubs.append(row)
        }
    }

    // MARK: Requests, each worked to its end

    func context() -> UInt64 {
        nextContext += 1
        return nextContext
    }

    func createVolume(_ number: UInt64 = 1, byteCount: UInt64 = 64 << 20) -> VolumeSlot {
        let identifier = VolumeIdentifier(high: 100, low: number)
        lane.createVolume(
            VolumeRow(
                identifier: identifier,
                name: "volume\(number)",
                byteCount: byteCount,
                lane: lane.index,
                tree: TreeIdentifier(number),
                state: .live,
                createdSeconds: 0
            ),
            context: context()
        )
        for done in settle() { lane.release(done.token) }
        guard let slot = lane.slot(of: identifier) else {
            Issue.record("the volume is there once it was created")
            return VolumeSlot(0)
        }
        return slot
    }

    func write(
        _ volume: VolumeSlot,
        at offset: UInt64,
        _ bytes: [UInt8],
        isDurable: Bool = false,
        outcome: (Operation) -> OperationResult = { _ in .done }
    ) -> RequestStatus {
        begin(volume, at: offset, bytes, isDurable: isDurable)
        return end(outcome: outcome)
    }

    /// Hands a write to the lane, which copies the bytes.
    func begin(
        _ volume: VolumeSlot,
        at offset: UInt64,
        _ bytes: [UInt8],
        isDurable: Bool = false
    ) {
        let arena = Arena(byteCount: bytes.count, isPopulated: false)
        unsafe bytes.withUnsafeBytes { source in
            unsafe arena.region.baseAddress.copyMemory(
                from: source.baseAddress ?? UnsafeRawPointer(arena.region.baseAddress),
                byteCount: source.count
            )
        }
        lane.write(
            volume,
            offset: offset,
            payload: arena.region[0..<bytes.count],
            isDurable: isDurable,
            context: context()
        )
    }

    /// Waits for the one request that is in the lane.
    func end(outcome: (Operation) -> OperationResult = { _ in .done }) -> RequestStatus {
        let finished = settle(outcome: outcome)
        for done in finished { lane.release(done.token) }
        return finished.last?.status ?? .invalid
    }

    /// Writes 64 MiB to a new volume of 96, more than the flash of a small bench holds; quarters of
    /// a mebibyte, each of its own pattern.
    func fillBeyondFlash(
        every nanoseconds: UInt64 = 400_000_000,
        outcome: (Operation) -> OperationResult = { _ in .done }
    ) -> VolumeSlot {
        let volume = createVolume(byteCount: 96 << 20)
        for index in 0..<256 {
            now = now.advanced(byNanoseconds: nanoseconds)
            let bytes = pattern(index, count: 1 << 18)
            #expect(write(volume, at: UInt64(index) << 18, bytes, outcome: outcome) == .done)
        }
        return volume
    }

    /// Whether these quarters of a mebibyte read as `fillBeyondFlash` wrote them.
    func isFilled(_ volume: VolumeSlot, _ quarters: Range<Int> = 0..<256) -> Bool {
        quarters.allSatisfy {
            read(volume, at: UInt64($0) << 18, count: 1 << 18) == pattern($0, count: 1 << 18)
        }
    }

    /// The state of a block of the first volume; nil when its leaf is not in memory.
    func state(of block: UInt64) -> BlockState? {
        let leaf = block / UInt64(Geometry.blocksPerLeaf)
        guard let slot = lane.leaves.find(volume: 0, index: leaf) else { return nil }
        return lane.leaves.state(slot, Int(block) % Geometry.blocksPerLeaf)
    }

    func flush(_ volume: VolumeSlot) -> RequestStatus {
        lane.flush(volume, context: context())
        return end()
    }

    func read(
        _ volume: VolumeSlot,
        at offset: UInt64,
        count: Int,
        outcome: (Operation) -> OperationResult = { _ in .done }
    ) -> [UInt8]? {
        lane.read(volume, offset: offset, byteCount: count, context: context())
        let finished = settle(outcome: outcome)
        guard let done = finished.last, done.status == .done else {
            for done in finished { lane.release(done.token) }
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: count)
        if !done.isHole {
            unsafe bytes.withUnsafeMutableBytes { target in
                unsafe target.copyMemory(
                    from: UnsafeRawBufferPointer(start: done.data.baseAddress, count: count)
                )
            }
        }
        for done in finished { lane.release(done.token) }
        return bytes
    }
}

/// Bytes that differ from block to block and from seed to seed.
func pattern(_ seed: Int, count: Int) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: count) { bytes, initializedCount in
        for index in 0..<count {
            unsafe bytes[index] =
                UInt8(truncatingIfNeeded: (index &* 31) ^ (index >> 8) ^ (seed &* 131))
        }
        initializedCount = count
    }
}
