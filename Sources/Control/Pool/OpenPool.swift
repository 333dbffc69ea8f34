internal import Catalogue
internal import Engine
internal import Format
internal import IO
internal import NBD
internal import Units

/// A pool that this process has open: devices, catalogue, and a thread for each lane.
///
/// Opened in this order:
///
///     0. A look at the kernel: what the lanes need must be there before anything changes.
///     1. The catalogue, with the directory's lock: no other process opens the pool from here on.
///     2. The devices, each locked, each checked to be the one that the catalogue names.
///     3. Recovery, and all that belongs to it: Sources/Engine/Recovery/PoolOpening+Steps.swift.
///     4. The lanes' threads, then clients.
///
/// Stopped in the opposite order; each step is safe to be cut off by a crash.
final class OpenPool: Sendable {
    let row: PoolRow
    let devices: [DeviceRow]
    let engine: Pool
    let state: ServerState
    let catalogue: CatalogueService
    let report: RecoveryReport
    /// Devices with copies of the superblock that did not agree, and what became of them.
    let superblockMends: [SuperblockMend]
    let incarnation: UInt32
    /// Volumes as recovery found them.
    let volumes: [(slot: VolumeSlot, row: VolumeRow)]
    private let lanes: [Lane]
    private let drivers: [LaneDriver]
    private let threads: [JoinableThread]

    struct Options: Sendable {
        var limits = ServerLimits()
        /// Sockets that clients connect to; the first lane accepts.
        var listeners: [ListeningSocket] = []
        /// Memory is faulted in at the start, for a pool that is going to serve.
        var isPopulated = false
        /// Takes the lanes' events without making them wait.
        var report: @Sendable ([EventRow]) -> Void = { _ in }
    }

    init(_ opened: Catalogue, options: Options) throws(ControlError) {
        try Self.ring { () throws(RingError) in try Ring.checkKernel() }
        row = opened.pool
        devices = opened.devices.sorted { $0.index < $1.index }
        let (files, mends) = try PoolDevices.open(devices, of: row)
        superblockMends = mends
        let recovered = try Self.recover(opened, files, isPopulated: options.isPopulated)
        engine = recovered.pool
        lanes = recovered.lanes
        report = recovered.report
        incarnation = recovered.pool.incarnation
        volumes = recovered.lanes.flatMap(\.volumeList)
        let state = try Self.makeState(laneCount: lanes.count, options)
        self.state = state
        let service = CatalogueService(opened) { lane, answer in
            let isTaken = state.send(.catalogueAnswer(answer), to: lane)
            invariant(isTaken, "a lane's mailbox has room for every answer of the catalogue")
        }
        catalogue = service
        let models = Self.models(devices)
        var drivers: [LaneDriver] = []
        var loops: [LaneLoop] = []
        var threads: [JoinableThread] = []
        do throws(ControlError) {
            // Everything that may be refused comes before the first lane runs.
            for lane in lanes {
                let listeners = lane.index == LaneIndex(0) ? options.listeners : []
                let (driver, loop) = try Self.loop(
                    of: lane,
                    files,
                    models,
                    state,
                    service,
                    listeners
                )
                drivers.append(driver)
                loops.append(loop)
            }
            for (index, loop) in loops.enumerated() {
                threads.append(try JoinableThread(name: "lane-\(index)") { loop.run() })
            }
        } catch {
            // The lanes that run wait, when they stop, for those that never will.
            for lane in lanes[threads.count...] { lane.noteNeverRun() }
            for index in threads.indices { state.send(.stop, to: LaneIndex(UInt16(index))) }
            for thread in threads { thread.join() }
            // The first error is the one to report.
            try? service.close()
            throw error
        }
        self.drivers = drivers
        self.threads = threads
    }

    /// What a device has done for one lane.  To be called on that lane's thread alone.
    func statistics(of device: DeviceIndex, on lane: LaneIndex) -> DeviceStatistics {
        drivers[Int(lane.rawValue)].driver.statistics(of: device)
    }

    /// Answers what clients have asked, ends them, commits a last checkpoint of every lane, closes
    /// the catalogue.  Returns whether every lane could save all it knows.
    func stop() throws(ControlError) -> Bool {
        state.exports.stop()
        for lane in lanes {
            while !state.send(.stop, to: lane.index) { Clock.pause(milliseconds: 1) }
        }
        for thread in threads { thread.join() }
        // The threads have ended: their lanes can be looked at.
        let isSaved = lanes.allSatisfy { !$0.isReadOnly }
        try ControlError.converting { () throws(CatalogueError) in try catalogue.close() }
        return isSaved
    }

    // MARK: Opening

    private static func recover(
        _ catalogue: Catalogue,
        _ files: [DeviceFile],
        isPopulated: Bool
    ) throws(ControlError) -> (pool: Pool, lanes: [Lane], report: RecoveryReport) {
        let contents = try ControlError.converting { () throws(CatalogueError) in
            // It may be that no number is left.
            _ = try catalogue.nextIncarnation()
            return try catalogue.contents()
        }
        let place = DevicePlace(files, catalogue)
        do throws(OpeningError<ControlError>) {
            return try opening(catalogue, contents, isPopulated: isPopulated)
                .open(on: place, now: Clock.now())
        } catch {
            throw place.error(for: error)
        }
    }

    static func converting<Value>(
        _ catalogue: Catalogue,
        _ body: () throws(RecoveryError) -> Value
    ) throws(ControlError) -> Value {
        do throws(RecoveryError) {
            return try body()
        } catch {
            throw ControlError(error, of: catalogue.pool.name, catalogue.devices)
        }
    }

    /// What the pool is opened from, under a number that nothing was written under.
    static func opening(
        _ catalogue: Catalogue,
        _ contents: CatalogueContents,
        isPopulated: Bool
    ) -> PoolOpening {
        var random = RandomSource()
        var configuration = LaneConfiguration()
        configuration.isPopulated = isPopulated
        let devices = catalogue.devices.sorted { $0.index < $1.index }
        return PoolOpening(
            identifier: catalogue.pool.identifier,
            laneCount: Int(catalogue.pool.laneCount),
            devices: geometries(of: devices),
            deviceIdentifiers: devices.map(\.identifier),
            contents: contents,
            configuration: configuration,
            randomSeed: random.next(),
            wallSeconds: WallClock.seconds
        )
    }

    /// How devices are divided.
    static func geometries(of devices: [DeviceRow]) -> [DeviceGeometry] {
        devices.map { device in
            DeviceGeometry(
                index: device.index,
                role: device.role,
                segmentBlockCount: Int(device.segmentByteCount) / Geometry.blockByteCount,
                segmentCount: Int(device.segmentCount),
                mirrorBlockCount: DeviceLayout.mirrorBlockCount(
                    deviceByteCount: device.byteCount,
                    segmentByteCount: UInt32(clamping: device.segmentByteCount),
                    segmentCount: device.segmentCount
                )
            )
        }
    }

    private static func makeState(
        laneCount: Int,
        _ options: Options
    ) throws(ControlError) -> ServerState {
        var mailboxes: [Mailbox<LaneMessage>] = []
        for _ in 0..<laneCount {
            do throws(MailboxError) {
                mailboxes.append(try Mailbox(capacity: ServerState.mailboxCapacity))
            } catch {
                throw .system(what: "mailbox", reason: "\(error)")
            }
        }
        return ServerState(
            mailboxes: mailboxes,
            limits: options.limits,
            report: options.report
        )
    }

    /// A model for each device that has one, shared by all lanes.
    private static func models(_ devices: [DeviceRow]) -> [ModelledDisk?] {
        devices.map { device in
            device.model.map { _ in
                ModelledDisk(profile: .hdd7200(byteCount: device.byteCount))
            }
        }
    }

    private static func ring<Value>(
        _ make: () throws(RingError) -> Value
    ) throws(ControlError) -> Value {
        do throws(RingError) {
            return try make()
        } catch {
            throw .system(what: "kernel", reason: "\(error)")
        }
    }

    private static func loop(
        of lane: Lane,
        _ files: [DeviceFile],
        _ models: [ModelledDisk?],
        _ state: ServerState,
        _ catalogue: CatalogueService,
        _ listeners: [ListeningSocket]
    ) throws(ControlError) -> (LaneDriver, LaneLoop) {
        let ring = try Self.ring { () throws(RingError) in
            try Ring(submissionEntries: 1024, completionEntries: 8192)
        }
        let driver = RingDriver(ring: ring)
        for (index, file) in files.enumerated() {
            driver.attach(file, as: DeviceIndex(UInt8(index)), model: models[index])
        }
        let index = lane.index
        let loop = LaneLoop(
            lane: lane,
            ring: ring,
            driver: driver,
            shared: state,
            listeners: listeners,
            askCatalogue: { request in catalogue.submit(request, from: index) }
        )
        return (LaneDriver(driver: driver), loop)
    }
}

/// A lane's driver, to be read by what the lane's own thread runs for the control side.
struct LaneDriver: @unchecked Sendable {
    // Sendable because it is only looked at on the lane's thread, which owns the driver.
    let driver: RingDriver
}

/// A thread that can be kept in a list and joined once.
final class JoinableThread: Sendable {
    private struct Place: ~Copyable {
        var thread: WorkThread?
    }
    private let place: Guarded<Place>

    init(name: String, body: @escaping @Sendable () -> Void) throws(ControlError) {
        do throws(WorkThreadError) {
            place = Guarded(Place(thread: try WorkThread(name: name, body: body)))
        } catch {
            throw .system(what: "thread", reason: "\(error)")
        }
    }

    func join() {
        guard let thread = place.withLock({ $0.thread.take() }) else { return }
        thread.join()
    }
}
