import Catalogue
import Engine
import Foundation
import IO
import NBD
import Synchronization
import Units

/// A server on real rings, sockets and files: two lanes with a volume each, in a folder of its own.
/// The catalogue is a dictionary that answers at once.
final class TestServer: Sendable {
    let state: ServerState
    let address: SocketAddress
    private let folder: URL
    private let ended: [DispatchSemaphore]

    static let volumeByteCount: UInt64 = 64 << 20

    init(limits given: ServerLimits = ServerLimits()) throws {
        var limits = given
        // Clients here keep their sockets open while the server stops.
        limits.lingerNanoseconds = 50_000_000
        limits.sweepNanoseconds = 20_000_000
        let folder = FileManager.default.temporaryDirectory.appending(path: "nbd-\(UUID())")
        self.folder = folder
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let mailboxes = try (0..<2).map { _ in
            try Mailbox<LaneMessage>(capacity: ServerState.mailboxCapacity)
        }
        state = ServerState(mailboxes: mailboxes, limits: limits)
        address = .unix(path: folder.appending(path: "nbd.sock").path)
        let listener = try ListeningSocket(at: address)
        let devices = try (0..<2).map { index in
            let path = folder.appending(path: "device\(index)").path
            try DeviceFile.create(path: path, byteCount: 256 << 20, isSparse: true)
            return try DeviceFile(path: path)
        }
        let lanes = try TestServer.openLanes()
        ended = lanes.map { _ in DispatchSemaphore(value: 0) }
        for (index, lane) in lanes.enumerated() {
            try start(lane, devices, listeners: index == 0 ? [listener] : [], ended[index])
            createVolume(on: lane.index)
        }
    }

    /// Ends the lanes in good order and removes the folder; false when that takes too long.
    func stop() -> Bool {
        state.exports.stop()
        for index in 0..<ended.count {
            state.send(.stop, to: LaneIndex(UInt16(index)))
        }
        let isInTime = ended.allSatisfy { $0.wait(timeout: .now() + 20) == .success }
        try? FileManager.default.removeItem(at: folder)
        return isInTime
    }

    /// What the loops of the lanes have counted.
    func statistics(of lane: Int) -> ConnectionStatistics {
        let found = Mutex<ConnectionStatistics?>(nil)
        let isTold = DispatchSemaphore(value: 0)
        state.send(
            .inspect { _, statistics in
                found.withLock { $0 = statistics }
                isTold.signal()
            },
            to: LaneIndex(UInt16(lane))
        )
        isTold.wait()
        return found.withLock { $0 } ?? ConnectionStatistics()
    }

    private static func openLanes() throws -> [Lane] {
        var random = SeededGenerator(state: .random(in: 0...UInt64.max))
        func geometry(_ index: UInt8, _ role: DeviceRole, segmentByteCount: Int) -> DeviceGeometry {
            DeviceGeometry(
                index: DeviceIndex(index),
                role: role,
                segmentBlockCount: segmentByteCount / Geometry.blockByteCount,
                segmentCount: (254 << 20) / segmentByteCount
            )
        }
        var configuration = LaneConfiguration()
        configuration.isPopulated = false
        let opening = PoolOpening(
            identifier: Identifier(from: &random),
            laneCount: 2,
            devices: [
                geometry(0, .flash, segmentByteCount: 4 << 20),
                geometry(1, .disk, segmentByteCount: 8 << 20),
            ],
            deviceIdentifiers: [Identifier(from: &random), Identifier(from: &random)],
            contents: CatalogueContents(
                incarnation: 1,
                volumes: [],
                trees: [],
                segments: [],
                positions: [],
                leafKeys: []
            ),
            configuration: configuration,
            randomSeed: 1,
            wallSeconds: 0
        )
        return try opening.open(from: EmptySource(), now: Clock.now()).lanes
    }

    private func start(
        _ lane: Lane,
        _ devices: [DeviceFile],
        listeners: [ListeningSocket],
        _ hasEnded: DispatchSemaphore
    ) throws {
        let ring = try Ring(submissionEntries: 256, completionEntries: 2048)
        let driver = RingDriver(ring: ring)
        for (index, device) in devices.enumerated() {
            driver.attach(device, as: DeviceIndex(UInt8(index)))
        }
        let catalogue = MemoryCatalogue()
        let state = state
        let index = lane.index
        let loop = LaneLoop(
            lane: lane,
            ring: ring,
            driver: driver,
            shared: state,
            listeners: listeners,
            askCatalogue: { request in
                state.send(.catalogueAnswer(catalogue.answer(request)), to: index)
            }
        )
        Thread {
            loop.run()
            hasEnded.signal()
        }.start()
    }

    private func createVolume(on lane: LaneIndex) {
        var random = SeededGenerator(state: .random(in: 0...UInt64.max))
        let name = "volume\(lane.rawValue)"
        let row = VolumeRow(
            identifier: Identifier(from: &random),
            name: name,
            byteCount: TestServer.volumeByteCount,
            lane: lane,
            tree: TreeIdentifier(UInt64(lane.rawValue) + 1),
            state: .live,
            createdSeconds: 0
        )
        let isMade = DispatchSemaphore(value: 0)
        state.send(
            .control(
                begin: { $0.createVolume(row, context: $1) },
                whenFinished: { _ in isMade.signal() }
            ),
            to: lane
        )
        isMade.wait()
        state.exports.insert(
            ExportDescription(
                name: "tank/\(name)",
                description: "",
                lane: lane,
                volumeSlot: 0,
                byteCount: TestServer.volumeByteCount,
                isReadOnly: false
            )
        )
    }
}

/// Devices that were never written.
private struct EmptySource: RecoverySource {
    func read(_ device: DeviceIndex, block: UInt64, into region: BufferRegion) -> Bool {
        region.zero()
        return true
    }
    func load(_ key: LeafKey) throws(RecoveryError) -> StoredLeaf {
        StoredLeaf(key: key, bytes: [], heat: [])
    }
}

private final class MemoryCatalogue: Sendable {
    private struct Leaf {
        var bytes: [UInt8] = []
        var heat: [UInt8] = []
    }
    private let leaves = Mutex<[LeafKey: Leaf]>([:])

    func answer(_ request: CatalogueRequest) -> CatalogueAnswer {
        leaves.withLock { leaves in
            switch request {
            case .load(let key):
                let leaf = leaves[key] ?? Leaf()
                return .loaded(StoredLeaf(key: key, bytes: leaf.bytes, heat: leaf.heat))
            case .commit(let image):
                for (key, bytes) in image.leaves { leaves[key, default: Leaf()].bytes = bytes }
                for (key, heat) in image.heat { leaves[key, default: Leaf()].heat = heat }
                return .committed
            }
        }
    }
}

/// A client on a blocking socket.
struct TestClient: ~Copyable {
    private let socket: StreamSocket

    /// Connects, and negotiates in one packet with `behind`, the first requests.
    static func connect(
        to server: TestServer,
        volume: Int,
        isStructured: Bool = true,
        behind: ClientBytes = ClientBytes()
    ) throws -> TestClient {
        let client = TestClient(socket: try StreamSocket(to: server.address))
        try client.socket.limitWait(milliseconds: 10_000)
        let opening = isStructured ? ClientBytes.flags() + .option(8) : .flags()
        try client.send(opening + .go("tank/volume\(volume)") + behind)
        // Greeting; one reply to option 8; GO: export, name, block sizes, acknowledged.
        let replyByteCounts = (isStructured ? [20] : []) + [20 + 12, 20 + 2 + 12, 20 + 14, 20]
        _ = try client.receive(18 + replyByteCounts.reduce(0, +))
        return client
    }

    borrowing func send(_ bytes: ClientBytes) throws { try socket.send(bytes.bytes) }

    /// Exactly `count` bytes; fewer when the server ends the stream.
    borrowing func receive(_ count: Int) throws -> [UInt8] {
        var received: [UInt8] = []
        while received.count < count {
            let part = try socket.receive(byteCountMax: count - received.count)
            if part.isEmpty { break }
            received += part
        }
        return received
    }

    borrowing func endSending() { ConnectionSocket.endSending(socket.descriptor) }

    /// A simple reply; nil when the stream ends.
    borrowing func reply() throws -> Reply? {
        let bytes = try receive(16)
        return bytes.count == 16 ? Reply(error: bytes[7], cookie: bytes[15]) : nil
    }

    struct Reply: Equatable {
        var error: UInt8
        var cookie: UInt8
    }

    /// The data of a structured READ, with its cookie; nil when there is none.
    borrowing func data(_ count: Int) throws -> [UInt8]? {
        let header = try receive(28)
        guard header.count == 28, header[7] == 1 else { return nil }
        return try receive(count)
    }
}
