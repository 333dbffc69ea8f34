package import Units

/// Remembers which chunks were recently demoted, without remembering the chunks.
///
/// A read from disk of a chunk that is in here came back soon after it was given up: it is promoted
/// at once.  What was never on flash is not in here, so a scan promotes nothing.
///
/// Entries are 16-bit fingerprints with the time of their insertion, counted in insertions, in
/// buckets of eight.  An entry is forgotten after `capacity` further insertions, as in a queue.
/// Two things differ from an exact queue, and neither can do more than misplace a promotion:
///
/// - *False positives.*  A lookup compares at most eight fingerprints, on average four:
///   4 x 2^-16 = 0.006 % of the chunks that are not in the list are found in it.
/// - *Early loss.*  A bucket that is full gives up its oldest entry.  Buckets hold four live
///   entries on average; about one entry in a hundred is lost before its time (measured: see the
///   tests).
///
/// Lookup, insertion and removal touch one bucket, 32 bytes, and allocate nothing.  Owned by one
/// lane.
package struct GhostList: ~Copyable {
    /// Insertions after which an entry is forgotten.
    package let capacity: Int

    /// Slot: bits 0..<16 age stamp, 16..<32 fingerprint; all zeros is empty.
    private let slots: Slab<UInt32>
    private let bucketCount: Int
    /// Insertions in one unit of the age stamp.
    private let insertionsPerStamp: Int
    private let stampsPerLife: UInt32
    private var insertionsOfStamp = 0
    /// The stamp of new entries, 1...0xFFFF, and then again from 1.
    private var stamp: UInt32 = 1
    private var sweptBucket = 0

    private static var slotsPerBucket: Int { 8 }
    private static var stampCount: UInt32 { 0xFFFF }

    /// A list for `capacity` chunks, at least 1; takes about 8 bytes for each.
    package init(capacity: Int) {
        invariant(capacity >= 1 && capacity <= 1 << 30, "a ghost list has a sensible capacity")
        self.capacity = capacity
        bucketCount = max(1, (capacity + 3) / 4)
        slots = Slab(count: bucketCount * Self.slotsPerBucket, repeating: 0)
        // At least 64 stamps in a life, so that an entry's age is known to 2 %.
        insertionsPerStamp = max(1, capacity / 256)
        stampsPerLife = UInt32((capacity + insertionsPerStamp - 1) / insertionsPerStamp)
    }

    deinit { slots.deallocate() }

    /// The key of a chunk: `chunk` counts chunks from the start of `tree`.
    @inlinable
    package static func key(tree: TreeIdentifier, chunk: UInt64) -> UInt64 {
        // The finaliser of a 64-bit hash, twice, so that neither part cancels the other.
        func mixed(_ value: UInt64) -> UInt64 {
            var x = value
            x = (x ^ x >> 30) &* 0xBF58_476D_1CE4_E5B9
            x = (x ^ x >> 27) &* 0x94D0_49BB_1331_11EB
            return x ^ x >> 31
        }
        return mixed(chunk &+ mixed(tree.rawValue &+ 0x9E37_79B9_7F4A_7C15))
    }

    /// Remembers `key` as given up now; an older entry of the same key is renewed.
    package mutating func insert(_ key: UInt64) {
        advance()
        let first = firstSlot(of: key)
        var chosen = first
        var chosenAge: UInt32 = 0
        for index in first..<(first + Self.slotsPerBucket) {
            let slot = slots[index]
            if slot >> 16 == fingerprint(of: key) {
                chosen = index
                break
            }
            let slotAge = age(of: slot)
            if slotAge > chosenAge {
                chosen = index
                chosenAge = slotAge
            }
        }
        slots[chosen] = fingerprint(of: key) << 16 | stamp
    }

    /// Whether `key` was among the last `capacity` insertions, but for the two errors above.
    package func contains(_ key: UInt64) -> Bool {
        let first = firstSlot(of: key)
        let wanted = fingerprint(of: key)
        for index in first..<(first + Self.slotsPerBucket) where slots[index] >> 16 == wanted {
            return age(of: slots[index]) < stampsPerLife
        }
        return false
    }

    /// Forgets `key`, for a chunk that was promoted or destroyed.
    package mutating func remove(_ key: UInt64) {
        let first = firstSlot(of: key)
        let wanted = fingerprint(of: key)
        for index in first..<(first + Self.slotsPerBucket) where slots[index] >> 16 == wanted {
            slots[index] = 0
        }
    }

    /// Counts one insertion, and empties the dead slots of one bucket in turn.
    ///
    /// Every bucket is swept once in `capacity / 4` insertions; stamps come again after more than
    /// 200 lives, so no dead entry lives until its stamp means something else.
    private mutating func advance() {
        insertionsOfStamp += 1
        if insertionsOfStamp > insertionsPerStamp {
            insertionsOfStamp = 1
            stamp = stamp == Self.stampCount ? 1 : stamp + 1
        }
        let first = sweptBucket * Self.slotsPerBucket
        for index in first..<(first + Self.slotsPerBucket)
        where slots[index] != 0 && age(of: slots[index]) >= stampsPerLife {
            slots[index] = 0
        }
        sweptBucket = sweptBucket + 1 == bucketCount ? 0 : sweptBucket + 1
    }

    /// Stamps since the slot was filled; the greatest of all for an empty one.
    private func age(of slot: UInt32) -> UInt32 {
        guard slot != 0 else { return .max }
        let filled = slot & 0xFFFF
        return stamp >= filled ? stamp - filled : stamp + Self.stampCount - filled
    }

    private func firstSlot(of key: UInt64) -> Int {
        Int(UInt64(bucketCount).multipliedFullWidth(by: key).high) * Self.slotsPerBucket
    }

    /// 1...0xFFFF, from bits that do not choose the bucket.
    private func fingerprint(of key: UInt64) -> UInt32 {
        max(1, UInt32(truncatingIfNeeded: key & 0xFFFF))
    }
}
