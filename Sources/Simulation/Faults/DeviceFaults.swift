internal import Engine
internal import Format
internal import IO
internal import Units

/// What will go wrong with one operation.
enum PlannedFault: Equatable {
    case none
    case transientError
    case transientRot
    /// The first blocks of the write are done.
    case writeError(doneCount: Int)
    case lostWrite
    /// The write hits so many blocks further on.
    case misdirectedWrite(by: Int)
    /// What had completed is lost when the flush is taken, or when it ends.
    case flushError(losesAtOnce: Bool)
    /// Nothing of it is done: the block is refused for a while, or the device is away.
    case refusal
    case absence
}

/// What is wrong with one device: what happens next, and what has happened and lasts.
///
/// The lasting part is what the atlas goes by: a block that is marked here may rightly be an error.
final class DeviceFaults {
    let rates: FaultRates
    let index: DeviceIndex
    private let journal: Journal
    private let geometry: DeviceGeometry
    var random: SimulationRandom
    /// New faults come: not when the pool is made, and not when everything must come to an end.
    var isArmed = false
    /// Cannot be read until they are written.
    private var latent: Set<Int> = []
    /// Hold what nobody wrote there last, until they are written.
    private var wrong: Set<Int> = []
    /// Lost by a flush that failed: what is there now is older than what the engine knows of, until
    /// it starts anew and knows no better.
    private var lost: Set<Int> = []
    /// Flushes of a flash device that failed since the engine was started.
    private(set) var failedFlushCount = 0
    /// Writes that were refused, lost or misdirected since then.
    private(set) var failedWriteCount = 0
    /// What had completed was lost by a flush that failed, since then.
    private(set) var hasLost = false
    /// Its flushes are lies.
    var lies = false
    /// Damaged blocks that the engine has read once more, and so knows to be bad.
    private(set) var knownBad: Set<Int> = []
    /// Something was marked since somebody looked last.
    var isNewlyMarked = false
    /// Blocks that cannot be read until then, in nanoseconds of the process; they lose nothing.
    private var refused: [Int: UInt64] = [:]
    /// The device is away, or hangs, until then, in nanoseconds of the process.
    private var awayUntil: UInt64 = 0
    private var hangsUntil: UInt64 = 0
    /// Until when it last answered nothing for so long that nobody need wait for it.
    private var silentUntil: UInt64 = 0

    init(
        rates: FaultRates,
        geometry: DeviceGeometry,
        seed: UInt64,
        journal: Journal
    ) {
        self.rates = rates
        self.geometry = geometry
        self.journal = journal
        index = geometry.index
        random = SimulationRandom(
            seed: seed,
            stream: .faults,
            index: UInt64(geometry.index.rawValue)
        )
    }

    var isOfFlash: Bool { geometry.role == .flash }

    // MARK: What lasts

    /// Whether the block may be other than what the engine believes is there.
    func isDamaged(_ block: Int) -> Bool {
        latent.contains(block) || wrong.contains(block) || lost.contains(block)
    }

    var isClean: Bool { latent.isEmpty && wrong.isEmpty && lost.isEmpty }
    var damagedCount: Int { latent.count + wrong.count }

    func isLatent(_ block: Int) -> Bool { latent.contains(block) }
    func markLatent(_ block: Int) { mark(block, in: &latent) }
    func markWrong(_ block: Int) { mark(block, in: &wrong) }
    func noteLost(_ block: Int) {
        guard isOfFlash else { return }
        hasLost = true
        mark(block, in: &lost)
    }

    /// Whether a block is damaged that `isMeant`.
    func hasDamage(where isMeant: (Int) -> Bool) -> Bool {
        latent.contains(where: isMeant) || wrong.contains(where: isMeant)
    }

    private func mark(_ block: Int, in marks: inout Set<Int>) {
        marks.insert(block)
        isNewlyMarked = true
    }

    /// A write of this block was taken.
    func clear(_ block: Int) {
        if !refused.isEmpty { refused[block] = nil }
        guard !isClean else { return }
        knownBad.remove(block)
        latent.remove(block)
        wrong.remove(block)
        lost.remove(block)
    }

    /// The engine starts anew.
    func restart() {
        lost = []
        knownBad = []
        hasLost = false
        failedFlushCount = 0
        failedWriteCount = 0
        awayUntil = 0
        hangsUntil = 0
        silentUntil = 0
        refused = [:]
    }

    // MARK: Absences

    func refuse(_ block: Int, until end: UInt64) { refused[block] = end }

    /// How operations end while it is away: it is gone, or all of its blocks are bad.
    private(set) var absenceResult = OperationResult.mediaError

    /// Whether the device refuses to read the block for a while.
    func isRefused(_ block: Int, now: UInt64) -> Bool {
        awayUntil > now || refused[block].map { $0 > now } ?? false
    }

    func leave(until end: UInt64) {
        awayUntil = end
        absenceResult = random.pick([.mediaError, .deviceLost])
    }
    func hang(from now: UInt64, until end: UInt64) {
        hangsUntil = max(hangsUntil, end)
        if end - now >= LaneConfiguration().silenceMax { silentUntil = max(silentUntil, end) }
    }

    /// The device is there again.  One that hangs answers when it does: what it owes is on its way.
    func comeBack(now: UInt64) {
        awayUntil = min(awayUntil, now)
        refused = [:]
    }

    /// Whether it was away at any moment from `since` on.
    func wasAway(since: UInt64) -> Bool { awayUntil > 0 && awayUntil >= since }

    /// Whether it hung at any moment from `since` on, for longer than anybody waits.
    func wasSilent(since: UInt64) -> Bool { silentUntil > 0 && silentUntil >= since }

    /// Nanoseconds from now on in which nothing is answered.
    func silence(now: UInt64, _ site: FaultSite?) -> UInt64 {
        guard let site, hangsUntil > now else { return 0 }
        journal.fired(.hang, site)
        return hangsUntil - now
    }

    func noteLie(_ site: FaultSite?) {
        if lies, let site { journal.fired(.lyingFlush, site) }
    }

    func noteFailedFlush() {
        if isOfFlash { failedFlushCount += 1 }
    }
    func noteFailedWrite() { failedWriteCount += 1 }

    // MARK: What happens

    private func fires(_ oneIn: Int) -> Bool { isArmed && oneIn > 0 && random.isOne(in: oneIn) }

    func plan(
        _ kind: Operation.Kind,
        _ site: FaultSite?,
        blocks: Range<Int>,
        isRepeated: Bool,
        now: UInt64
    ) -> PlannedFault {
        guard let site else { return .none }
        if awayUntil > now {
            journal.fired(.absence, site)
            return .absence
        }
        if kind == .read, !refused.isEmpty, blocks.contains(where: { isRefused($0, now: now) }) {
            journal.fired(.passingError, site)
            return .refusal
        }
        guard isArmed else { return .none }
        let fault: PlannedFault
        switch kind {
        case .read: fault = isRepeated ? .none : planRead()
        case .write: fault = planWrite(site, blocks, isRepeated: isRepeated)
        case .flush:
            fault =
                fires(rates.flushErrorOneIn)
                ? .flushError(losesAtOnce: random.isOne(in: 2)) : .none
        case .discard: fault = .none
        }
        count(fault, site)
        return fault
    }

    private func planRead() -> PlannedFault {
        if fires(rates.transientErrorOneIn) { return .transientError }
        return fires(rates.transientRotOneIn) ? .transientRot : .none
    }

    private func planWrite(
        _ site: FaultSite,
        _ blocks: Range<Int>,
        isRepeated: Bool
    ) -> PlannedFault {
        // What was refused once is refused again now and then.
        if fires(isRepeated ? min(rates.writeErrorOneIn, 4) : rates.writeErrorOneIn) {
            return .writeError(doneCount: random.isOne(in: 2) ? 0 : random.below(blocks.count))
        }
        guard site != .witnessWrite else { return .none }
        guard
            rates.reachesHostRecords || geometry.role == .disk || site == .matureWrite
                || site == .mirrorWrite
        else { return .none }
        if fires(rates.lostWriteOneIn) { return .lostWrite }
        guard rates.reachesHostRecords || geometry.role == .disk, site != .mirrorWrite,
            fires(rates.misdirectedWriteOneIn), let distance = drawDistance(blocks)
        else { return .none }
        return .misdirectedWrite(by: distance)
    }

    /// How far a write goes astray: near, by whole segments, or anywhere; nil when that leaves the
    /// segments.
    private func drawDistance(_ blocks: Range<Int>) -> Int? {
        let size = geometry.segmentBlockCount
        let distance: Int
        switch random.below(3) {
        case 0: distance = random.pick([-8, -1, 1, 8])
        case 1: distance = random.pick([-1, 1]) * size
        default:
            distance = random.below(2 * size * geometry.segmentCount) - size * geometry.segmentCount
        }
        let first = Int(DeviceGeometry.firstSegmentBlock)
        let end = first + size * geometry.segmentCount
        let target = (blocks.lowerBound + distance)..<(blocks.upperBound + distance)
        guard distance != 0, target.lowerBound >= first, target.upperBound <= end else {
            return nil
        }
        return distance
    }

    private func count(_ fault: PlannedFault, _ site: FaultSite) {
        switch fault {
        case .none: break
        case .transientError: journal.fired(.transientError, site)
        case .transientRot: journal.fired(.transientRot, site)
        case .writeError(let done): journal.fired(done == 0 ? .writeError : .partialWrite, site)
        case .lostWrite: journal.fired(.lostWrite, site)
        case .misdirectedWrite: journal.fired(.misdirectedWrite, site)
        case .flushError: journal.fired(.flushError, site)
        case .refusal, .absence: break
        }
    }

    /// What becomes of a copy of a superblock that is written anew: rare, and so made likely.
    func planMend() -> PlannedFault {
        var fault = PlannedFault.none
        if fires(min(rates.writeErrorOneIn, 4)) {
            fault = .writeError(doneCount: 0)
        } else if fires(min(rates.lostWriteOneIn, 4)) {
            fault = .lostWrite
        }
        count(fault, .superblockWrite)
        return fault
    }

    /// How a read ends, whose bytes are in the operation's region.
    func endRead(_ held: SimulatedDevice.InFlight, blocks: Range<Int>) -> OperationResult {
        let (fault, site, region) = (held.fault, held.site, held.operation.region)
        if held.isRepeated, fault != .absence, fault != .refusal, let site, site.comparesData,
            !isClean
        {
            for block in blocks where isLatent(block) || wrong.contains(block) {
                knownBad.insert(block)
            }
        }
        if !isClean, let site, blocks.contains(where: { wrong.contains($0) }) {
            journal.fired(.rot, site)
        }
        if !latent.isEmpty, blocks.contains(where: { latent.contains($0) }) {
            if let site { journal.fired(.latentError, site) }
            region.fill(with: 0xEE)
            return .mediaError
        }
        if fault == .transientError || fault == .refusal || fault == .absence {
            region.fill(with: 0xEE)
            return fault == .absence ? absenceResult : .mediaError
        }
        if fault == .transientRot {
            Self.damage(region.block(random.below(blocks.count)), random: &random)
        }
        return .done
    }

    /// Changes one byte of a block, or now and then a sector or all of it.
    static func damage(_ block: BufferRegion, random: inout SimulationRandom) {
        switch random.below(8) {
        case 0: block.fillRandomly(seed: random.next())
        case 1:
            let sector = random.below(8) * 512
            block[sector..<(sector + 512)].fillRandomly(seed: random.next())
        default:
            let place = random.below(block.byteCount)
            let byte = block.bytes.byte(at: place) ^ UInt8(random.number(in: 1...255))
            block[place..<(place + 1)].fill(with: byte)
        }
    }

    // MARK: Recovery

    /// The device goes away when recovery reads there.
    private var leavesAt: FaultSite?
    /// It is away until recovery has waited so often.
    private var pausesAway = 0
    /// It was away when recovery waited last.
    private(set) var wasAwayInOpening = false

    /// A pool is being opened: the device may go away meanwhile.
    func beginOpening() {
        guard fires(min(rates.absenceOneIn, 8)) else { return }
        leavesAt = random.pick([.recoveryWitnessRead, .recoveryHeaderRead, .recoveryRecordRead])
    }

    func endOpening() {
        leavesAt = nil
        pausesAway = 0
        wasAwayInOpening = false
    }

    /// Recovery lets time go by.
    func pauseOpening() {
        wasAwayInOpening = pausesAway > 0
        pausesAway = max(0, pausesAway - 1)
    }

    /// Whether whoever opens the pool cannot write a witness.
    func refusesWitness() -> Bool {
        guard fires(min(rates.writeErrorOneIn, 4)) else { return false }
        journal.fired(.writeError, .witnessWrite)
        return true
    }

    private func isAway(at site: FaultSite) -> Bool {
        if pausesAway == 0, site == leavesAt, random.isOne(in: 3) {
            leavesAt = nil
            pausesAway = random.pick([1, 1, 1, 1, 2, 2, 3, 100])
        }
        guard pausesAway > 0 else { return false }
        journal.fired(.absence, site)
        return true
    }

    /// Blocks that recovery was refused once, and gets when it asks again.
    private var spared = 0..<0

    /// Whether a read of recovery is refused, outside of virtual time.
    func refusesRecovery(_ blocks: Range<Int>) -> Bool {
        let site = recoverySite(of: blocks)
        if isAway(at: site) { return true }
        if !latent.isEmpty, blocks.contains(where: { latent.contains($0) }) {
            journal.fired(.latentError, site)
            return true
        }
        if !spared.overlaps(blocks), fires(rates.transientErrorOneIn) {
            journal.fired(.transientError, site)
            spared = blocks
            return true
        }
        if site != .recoveryRecordRead, wrong.contains(blocks.lowerBound) {
            journal.fired(.rot, site)
        }
        return false
    }

    private func recoverySite(of blocks: Range<Int>) -> FaultSite {
        let first = blocks.lowerBound - Int(DeviceGeometry.firstSegmentBlock)
        if DeviceLayout.isWitness(block: UInt64(blocks.lowerBound)) { return .recoveryWitnessRead }
        let mirror = Int(geometry.firstMirrorBlock)
        if first < 0 || blocks.lowerBound >= mirror + geometry.mirrorBlockCount {
            return .superblockRead
        }
        if blocks.lowerBound >= mirror { return .mirrorRead }
        let isHeader = blocks.count == 1 && first % geometry.segmentBlockCount == 0
        return isHeader ? .recoveryHeaderRead : .recoveryRecordRead
    }
}
