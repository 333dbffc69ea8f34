internal import Units

// A column of a leaf: one number for each block that has one, in the blocks' order, written as
// groups that follow each other until the column has as many values as the leaf's runs ask for.
//
//     offset  size  field
//          0     2  tag     bits 0..<12 count, 1...512; bits 12..<16 mode
//          2     -  individual (mode 1): count values of 8 bytes
//                   same (mode 2): one value of 8 bytes that all have
//                   ascending (mode 3): the first value, 8 bytes; each next is greater by one
//
// A tag of zero is damage.  A group may span runs: a column knows nothing of them.

/// How the values of a group hang together.
enum LeafGroupMode: UInt16 {
    case individual = 1
    case same = 2
    case ascending = 3

    /// The tag of a group of `count` values.
    func tag(_ count: Int) -> UInt16 { rawValue << 12 | UInt16(truncatingIfNeeded: count) }
    static var countMask: UInt16 { 0xFFF }
}

/// Which number of a block's state a column holds.  A type for each, so that loops over them are
/// compiled apart.
protocol LeafColumn {
    static var name: StaticName { get }
    /// The bits in which an ascending group counts; it never carries out of them.
    static var countingMask: UInt64 { get }
    /// Whether groups of equal values may occur.  Two blocks never share a place.
    static var allowsSame: Bool { get }
    static func isIn(_ run: LeafFormat.Run) -> Bool
    /// Whether a block has a number here; `nowhere` is the code of `Location.nowhere`.
    static func isIn(_ state: borrowing BlockState, nowhere: UInt64) -> Bool
    static func isValid(_ value: UInt64) -> Bool
    static func value(of state: borrowing BlockState) -> UInt64
    static func set(_ value: UInt64, in state: inout BlockState)
}

/// Where the blocks lie on flash.
enum LeafFlashColumn: LeafColumn {
    static var name: StaticName { "leaf flash" }
    static var countingMask: UInt64 { 1 << 40 - 1 }
    static var allowsSame: Bool { false }
    static func isIn(_ run: LeafFormat.Run) -> Bool { run.isOnFlash }
    static func isIn(_ state: borrowing BlockState, nowhere: UInt64) -> Bool {
        state.flash.rawValue != nowhere
    }
    static func isValid(_ value: UInt64) -> Bool { Location(rawValue: value)?.isPlace ?? false }
    static func value(of state: borrowing BlockState) -> UInt64 { state.flash.rawValue }
    static func set(_ value: UInt64, in state: inout BlockState) { state.flash.rawValue = value }
}

/// Where the blocks lie on disk.
enum LeafDiskColumn: LeafColumn {
    static var name: StaticName { "leaf disk" }
    static var countingMask: UInt64 { LeafFlashColumn.countingMask }
    static var allowsSame: Bool { false }
    static func isIn(_ run: LeafFormat.Run) -> Bool { run.isOnDisk }
    static func isIn(_ state: borrowing BlockState, nowhere: UInt64) -> Bool {
        state.disk.rawValue != nowhere
    }
    static func isValid(_ value: UInt64) -> Bool { LeafFlashColumn.isValid(value) }
    static func value(of state: borrowing BlockState) -> UInt64 { state.disk.rawValue }
    static func set(_ value: UInt64, in state: inout BlockState) { state.disk.rawValue = value }
}

/// The sequence numbers of the writes that made the blocks.
enum LeafSequenceColumn: LeafColumn {
    static var name: StaticName { "leaf sequence" }
    static var countingMask: UInt64 { .max }
    static var allowsSame: Bool { true }
    static func isIn(_ run: LeafFormat.Run) -> Bool { true }
    static func isIn(_ state: borrowing BlockState, nowhere: UInt64) -> Bool { !state.isAbsent }
    static func isValid(_ value: UInt64) -> Bool { true }
    static func value(of state: borrowing BlockState) -> UInt64 { state.sequence.rawValue }
    static func set(_ value: UInt64, in state: inout BlockState) { state.sequence.rawValue = value }
}

/// Writes a column, value by value, in one pass.
struct LeafColumnWriter<Column: LeafColumn> {
    /// The end of what was written.
    private(set) var offset: Int
    private var tagOffset = 0
    private var mode = LeafGroupMode.individual
    private var count = 0
    private var last: UInt64 = 0

    init(at offset: Int) { self.offset = offset }

    /// Adds the values of all states that have one.
    mutating func append(_ states: Span<BlockState>, to bytes: inout MutableRawSpan) {
        let nowhere = Location.nowhere.rawValue
        var index = 0
        while index < states.count {
            if Column.isIn(states[index], nowhere: nowhere) {
                append(Column.value(of: states[index]), to: &bytes)
                index = extend(over: states, from: index + 1)
            } else {
                index += 1
            }
        }
    }

    /// Goes on as long as the values of the states continue a group that is not individual; returns
    /// the first state that does not.
    @inline(__always)
    private mutating func extend(over states: Span<BlockState>, from first: Int) -> Int {
        guard mode != .individual else { return first }
        let step: UInt64 = mode == .ascending ? 1 : 0
        // No code of nowhere follows a place, so that a place that is missing ends the group; a
        // sequence number that is missing is zero and has to be asked for.
        var index = first
        var value = last
        while index < states.count, Column.value(of: states[index]) == value &+ step,
            !states[index].isAbsent, (value &+ step) & Column.countingMask != 0 || step == 0
        {
            value &+= step
            index += 1
        }
        count += index - first
        last = value
        return index
    }

    @inline(__always)
    private mutating func append(_ value: UInt64, to bytes: inout MutableRawSpan) {
        let ascends = value == last &+ 1 && value & Column.countingMask != 0
        let repeats = Column.allowsSame && value == last
        if mode == .ascending && ascends || mode == .same && repeats {
            count += 1
        } else if mode == .individual, count > 0 {
            if ascends || repeats {
                pair(ascends ? .ascending : .same, in: &bytes)
            } else {
                extend(with: value, in: &bytes)
            }
        } else {
            begin(with: value, in: &bytes)
        }
        last = value
    }

    /// Makes the last value of an individual group, and the one that follows it, a group of two.
    private mutating func pair(_ mode: LeafGroupMode, in bytes: inout MutableRawSpan) {
        if count > 1 {
            count -= 1
            finish(in: &bytes)
            tagOffset = offset - 8
            last.store(into: &bytes, at: tagOffset + 2)
            offset = tagOffset + 10
        }
        self.mode = mode
        count = 2
    }

    @inline(__always)
    private mutating func extend(with value: UInt64, in bytes: inout MutableRawSpan) {
        invariant(Column.isValid(value), "a column holds valid values")
        value.store(into: &bytes, at: offset)
        offset += 8
        count += 1
    }

    @inline(__always)
    private mutating func begin(with value: UInt64, in bytes: inout MutableRawSpan) {
        finish(in: &bytes)
        tagOffset = offset
        mode = .individual
        count = 0
        offset += 2
        extend(with: value, in: &bytes)
    }

    /// Writes the tag of the last group.
    @inline(__always)
    func finish(in bytes: inout MutableRawSpan) {
        if count > 0 { mode.tag(count).store(into: &bytes, at: tagOffset) }
    }
}

/// Reads a column, run by run.
struct LeafColumnReader<Column: LeafColumn> {
    /// The end of what was read.
    private(set) var offset: Int
    private var mode = LeafGroupMode.individual
    /// Values of the open group that are still to come.
    private var left = 0
    private var next: UInt64 = 0

    init(at offset: Int) { self.offset = offset }

    /// Whether the values read so far end a group, as they must at the end of the column.
    var isAtGroupEnd: Bool { left == 0 }

    /// Sets the column's number in the states of one run.
    @inline(__always)
    mutating func load(
        _ range: Range<Int>,
        from bytes: RawSpan,
        into states: inout MutableSpan<BlockState>
    ) throws(FormatError) {
        var block = range.lowerBound
        while block < range.upperBound {
            if left == 0 { try open(bytes) }
            let end = min(range.upperBound, block + left)
            left -= end - block
            switch mode {
            case .individual:
                while block < end {
                    let value = bytes.word64(at: offset)
                    guard Column.isValid(value) else { throw Self.invalid("value", value) }
                    Column.set(value, in: &states[block])
                    offset += 8
                    block += 1
                }
            case .same:
                while block < end {
                    Column.set(next, in: &states[block])
                    block += 1
                }
            case .ascending:
                while block < end {
                    Column.set(next, in: &states[block])
                    next &+= 1
                    block += 1
                }
            }
        }
    }

    /// Opens the group at `offset`; all of its bytes are there.
    private mutating func open(_ bytes: RawSpan) throws(FormatError) {
        try require(2, of: bytes)
        let tag = bytes.word16(at: offset)
        let count = Int(tag & LeafGroupMode.countMask)
        guard count > 0, count <= LeafFormat.blockCount else {
            throw Self.invalid("count", UInt64(tag))
        }
        guard let mode = LeafGroupMode(rawValue: tag >> 12), mode != .same || Column.allowsSame
        else { throw Self.invalid("mode", UInt64(tag)) }
        try require(2 + 8 * (mode == .individual ? count : 1), of: bytes)
        offset += 2
        self.mode = mode
        left = count
        guard mode != .individual else { return }
        next = bytes.word64(at: offset)
        offset += 8
        guard Column.isValid(next) else { throw Self.invalid("value", next) }
        let room = Column.countingMask - next & Column.countingMask
        guard mode == .same || UInt64(count - 1) <= room else {
            throw Self.invalid("first value", next)
        }
    }

    private func require(_ byteCount: Int, of bytes: RawSpan) throws(FormatError) {
        guard offset + byteCount <= bytes.byteCount else {
            let needed = offset + byteCount
            throw .truncated(structure: Column.name, needed: needed, found: bytes.byteCount)
        }
    }

    private static func invalid(_ field: StaticName, _ found: UInt64) -> FormatError {
        .field(structure: Column.name, field: field, found: found)
    }
}
