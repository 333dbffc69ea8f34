internal import IO
internal import Units

/// What one request did to one block.
struct Patch: Equatable {
    enum Kind: UInt8 {
        /// Stamped bytes.
        case data
        /// Zeros that own space.
        case zero
        /// Zeros that own none: a trim, or zeros that need not keep space.
        case hole
        /// Zeros of a request that failed half-way: they were read, which leaves it open whether it
        /// is this request that shows or zeros below it.
        case unclearZero
    }
    /// The request's place in the volume's write order.
    var order: UInt64
    /// Bytes of the block that changed.
    var from: UInt16
    var to: UInt16
    var kind: Kind
    /// The request failed half-way, or was cut by a crash: it did this, or it did not.
    var isDoubtful = false

    var isWhole: Bool { from == 0 && to == 4096 }
    var range: Range<Int> { Int(from)..<Int(to) }
}

/// What a block held before the oldest patch that is still of interest.
enum BlockBase: Equatable {
    var isZeros: Bool {
        switch self {
        case .hole, .zero, .unclearZero: true
        case .written, .mixed, .lost: false
        }
    }

    /// Never written or trimmed.
    case hole
    /// Zeros that own space.
    case zero
    /// Zeros of which a crash has left it open whether they own space.
    case unclearZero
    /// As one request wrote it, whole.
    case written(UInt64)
    /// Made of parts of several.
    case mixed([UInt8])
    /// A version that cannot be read after a crash: no bytes are those of it.
    case lost
}

/// What a client may be told about the space of a block.
enum SpaceClaim: Equatable {
    case hole, zero, data
    /// Parts were zeroed: reading decides.
    case unknown
}

/// The versions of one block of a volume, oldest first.
struct BlockHistory {
    var base = BlockBase.hole
    var patches: [Patch] = []
    /// In the volume's list of blocks with patches.
    var isListed = false
    /// After a crash: zeros of which it is open whether they own space.
    var isUnclear = false
    /// The newest request whose effect a read has shown, and the volume's tick at that moment.
    var shownOrder: UInt64 = 0
    var shownAt: UInt64 = 0

    /// Patches in doubt among the first `end`.
    func doubtfulCount(before end: Int) -> Int {
        patches[..<end].count { $0.isDoubtful }
    }

    /// Whether patch `index` is in, when bit k of `choice` decides the k-th patch in doubt.
    private func isIn(_ index: Int, choice: Int) -> Bool {
        guard patches[index].isDoubtful else { return true }
        let rank = patches[..<index].count { $0.isDoubtful }
        return choice >> rank & 1 == 1
    }

    /// The index of the newest whole patch before `end`; nil when the base shows through.
    private func foundation(before end: Int, choice: Int) -> Int? {
        (0..<end).last { patches[$0].isWhole && isIn($0, choice: choice) }
    }

    /// Writes the content after the first `end` patches to `target`, a block.
    func materialise(
        before end: Int,
        choice: Int,
        volume: UInt64,
        block: UInt64,
        seed: UInt64,
        into target: BufferRegion,
        scratch: BufferRegion
    ) {
        let start = foundation(before: end, choice: choice)
        if start == nil {
            switch base {
            case .hole, .zero, .unclearZero: target.zero()
            case .written(let order):
                SectorStamp.fill(
                    target,
                    range: 0..<4096,
                    volume: volume,
                    block: block,
                    order: order,
                    seed: seed,
                    scratch: scratch
                )
            case .mixed(let bytes): target.copy(from: bytes)
            case .lost: target.fill(with: 0xEE)
            }
        }
        for index in (start ?? 0)..<end where isIn(index, choice: choice) {
            let patch = patches[index]
            if patch.kind == .data {
                SectorStamp.fill(
                    target,
                    range: patch.range,
                    volume: volume,
                    block: block,
                    order: patch.order,
                    seed: seed,
                    scratch: scratch
                )
            } else {
                target[patch.range].zero()
            }
        }
    }

    /// Whether what is lost shows after the first `end` patches.
    func showsLost(before end: Int, choice: Int) -> Bool {
        base == .lost && foundation(before: end, choice: choice) == nil
    }

    /// What extents may say after the first `end` patches.
    func claim(before end: Int) -> SpaceClaim {
        guard doubtfulCount(before: end) == 0 else { return .unknown }
        let start = foundation(before: end, choice: 0)
        guard (start ?? -1) + 1 == end else { return .unknown }
        guard let start else {
            switch base {
            case .hole: return .hole
            case .zero: return .zero
            case .written: return .data
            case .mixed, .unclearZero, .lost: return .unknown
            }
        }
        switch patches[start].kind {
        case .data: return .data
        case .zero: return .zero
        case .hole: return .hole
        case .unclearZero: return .unknown
        }
    }

    /// The zeros that were read may be those of a request, of one below it, or a hole.
    mutating func forgetWhichZeros() {
        if patches.isEmpty { base = .unclearZero }
        for index in patches.indices where patches[index].kind != .data {
            patches[index].kind = .unclearZero
        }
    }

    /// Makes the content after the first `end` patches the base.  None of them is in doubt.
    mutating func fold(
        before end: Int,
        volume: UInt64,
        block: UInt64,
        seed: UInt64,
        scratch: [BufferRegion]
    ) {
        guard end > 0 else { return }
        let last = patches[end - 1]
        if last.isWhole {
            switch last.kind {
            case .data: base = .written(last.order)
            case .zero: base = .zero
            case .hole: base = .hole
            case .unclearZero: base = .unclearZero
            }
        } else {
            materialise(
                before: end,
                choice: 0,
                volume: volume,
                block: block,
                seed: seed,
                into: scratch[0],
                scratch: scratch[1]
            )
            base = .mixed(scratch[0].byteArray)
        }
        patches.removeFirst(end)
    }
}
