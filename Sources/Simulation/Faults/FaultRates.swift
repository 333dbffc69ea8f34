/// How often each class of fault fires in one seed; zero for a class that is off.
///
/// Most seeds have no faults at all, and in the others every class is off in half of them: one that
/// always fires hides what others would show.
package struct FaultRates: Sendable {
    /// One operation of so many.
    package var transientErrorOneIn = 0
    package var transientRotOneIn = 0
    package var writeErrorOneIn = 0
    package var flushErrorOneIn = 0
    package var lostWriteOneIn = 0
    package var misdirectedWriteOneIn = 0
    /// One event of so many damages a block.
    package var rotOneIn = 0
    package var latentErrorOneIn = 0
    /// One event of so many has a block refused for a while.
    package var passingErrorOneIn = 0
    /// One event of so many begins it, on one device.
    package var absenceOneIn = 0
    package var hangOneIn = 0
    /// One load or commit of so many.
    package var catalogueErrorOneIn = 0
    /// Flushes of one device are lies.
    package var hasLies = false
    /// Records of hosts may be lost or misdirected as well.  Where nothing says how far the log was
    /// durable, a lost record looks like the log's end: such seeds have no crash but the last
    /// stop, and nothing for which a lane is restarted.
    package var reachesHostRecords = false

    package init() {}

    package var isAnyOn: Bool {
        transientErrorOneIn + transientRotOneIn + writeErrorOneIn + flushErrorOneIn
            + lostWriteOneIn + misdirectedWriteOneIn + rotOneIn + latentErrorOneIn + absenceOneIn
            + hangOneIn + catalogueErrorOneIn + passingErrorOneIn > 0 || hasLies
    }

    /// Blocks of one pool that are damaged at once, at most: a fault is rare, and what is to be
    /// seen is what it costs.
    package static var damagedBlockMax: Int { 6 }

    init(hasCrashes: Bool, random: inout SimulationRandom) {
        func maybe(_ choices: [Int]) -> Int { random.isOne(in: 2) ? 0 : random.pick(choices) }
        transientErrorOneIn = maybe([10, 40, 200])
        transientRotOneIn = maybe([10, 40, 200])
        writeErrorOneIn = maybe([10, 40, 200])
        flushErrorOneIn = random.isOne(in: 3) ? random.pick([20, 60, 200]) : 0
        lostWriteOneIn = maybe([20, 60, 200])
        misdirectedWriteOneIn = maybe([20, 60, 200])
        rotOneIn = maybe([20, 60, 200])
        latentErrorOneIn = maybe([20, 60, 200])
        reachesHostRecords = !hasCrashes && flushErrorOneIn == 0 && writeErrorOneIn == 0
        let absence = random.isOne(in: 3) ? random.pick([200, 600]) : 0
        absenceOneIn = reachesHostRecords ? 0 : absence
        hangOneIn = random.isOne(in: 3) ? random.pick([200, 600]) : 0
        let failure = random.isOne(in: 4) ? random.pick([20, 60, 200]) : 0
        catalogueErrorOneIn = reachesHostRecords ? 0 : failure
        passingErrorOneIn = maybe([20, 60, 200])
        hasLies = hasCrashes && random.isOne(in: 10)
    }
}
