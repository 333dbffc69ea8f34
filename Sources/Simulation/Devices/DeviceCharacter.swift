/// How fast a device is, and what it does with a discard.  Drawn once for each seed.
package struct DeviceCharacter: Sendable {
    package enum Discard: Sendable, CaseIterable { case keepsOld, zeroes, scrambles }

    /// Nanoseconds that an operation typically takes, and more for each block.
    package var readNanoseconds: UInt64 = 80_000
    package var writeNanoseconds: UInt64 = 30_000
    package var flushNanoseconds: UInt64 = 200_000
    package var blockNanoseconds: UInt64 = 1_000
    /// One operation of so many is slow; zero for none.
    package var slowOneIn = 0
    package var discard = Discard.keepsOld

    package init() {}
}
