internal import Engine
internal import Units

/// One thing that a seed can do without.  Of a seed that fails, what is left when everything is
/// gone that it fails without is easier to read.
package struct Simplification: Sendable {
    /// As the command line has it.
    package let name: String
    private let apply: @Sendable (inout SeedParameters) -> Void

    private init(_ name: String, _ apply: @escaping @Sendable (inout SeedParameters) -> Void) {
        self.name = name
        self.apply = apply
    }

    package static func named(_ name: String) -> Simplification? { all.first { $0.name == name } }

    /// From what takes away most to what takes away least.
    package static let all: [Simplification] = [
        Simplification("crashes") {
            $0.cutsOpenings = false
            $0.crashOneIn = 0
            $0.crashAfterFlushPermille = 0
            $0.crashAgainPermille = 0
            $0.crashModes = [.dropAll]
        },
        Simplification("faults") { $0.faults = FaultRates() },
        Simplification("disks") { $0.devices.removeAll { $0.role == .disk } },
        Simplification("other-lanes") { $0.laneCount = 1 },
        Simplification("other-volumes") { $0.volumeCount = $0.laneCount },
        Simplification("other-devices") { parameters in
            for role in [DeviceRole.flash, .disk] {
                let first = parameters.devices.first { $0.role == role }
                parameters.devices.removeAll { $0.role == role }
                if let first { parameters.devices.append(first) }
            }
        },
        Simplification("filling") { $0.fillsVolumes = false },
        Simplification("concurrency") { $0.depth = 1 },
        Simplification("scrubs") {
            $0.configuration.scrub = ScrubPace()
            $0.scrubOneIn = 0
        },
        off("lives-of-volumes", \.mix.lifeOfVolumes),
        off("resizes", \.mix.resize),
        off("trims", \.mix.trim),
        off("zeroes", \.mix.zeroes),
        off("flushes", \.mix.flush),
        off("durable-writes", \.durableOneIn),
        off("promotions", \.mix.promote),
        off("extents", \.mix.extents),
        off("large-writes", \.mix.largeWrite),
        off("unaligned-writes", \.mix.unalignedWrite),
        off("odd-writes", \.mix.oddWrite),
        Simplification("reads") { $0.mix.read = 1 },
        Simplification("old-catalogues") { $0.putsBackOldCatalogues = false },
        Simplification("lost-catalogues") { $0.losesCatalogue = false },
        Simplification("mirrors") { parameters in
            for index in parameters.devices.indices {
                parameters.devices[index].mirrorBlockCount = 0
            }
        },
        off("transient-errors", \.faults.transientErrorOneIn),
        off("transient-rot", \.faults.transientRotOneIn),
        off("latent-errors", \.faults.latentErrorOneIn),
        Simplification("lies") { $0.faults.hasLies = false },
        off("passing-errors", \.faults.passingErrorOneIn),
        off("rot", \.faults.rotOneIn),
        off("write-errors", \.faults.writeErrorOneIn),
        off("flush-errors", \.faults.flushErrorOneIn),
        off("absences", \.faults.absenceOneIn),
        off("hangs", \.faults.hangOneIn),
        off("catalogue-errors", \.faults.catalogueErrorOneIn),
        off("lost-writes", \.faults.lostWriteOneIn),
        off("misdirected-writes", \.faults.misdirectedWriteOneIn),
        off("random-crashes", \.crashOneIn),
        off("crashes-after-flushes", \.crashAfterFlushPermille),
        off("crashes-after-crashes", \.crashAgainPermille),
        Simplification("power-cuts") { $0.crashModes.removeAll(where: \.isPowerCut) },
        Simplification("damaging-cuts") {
            let damaging: [CrashMode] = [.garbage, .shorn, .torn, .unreadable, .neighbours]
            $0.crashModes.removeAll { damaging.contains($0) }
        },
        Simplification("cuts-by-zeroes") {
            $0.crashModes.removeAll { [.zeroesMissing, .zeroesOnly].contains($0) }
        },
        Simplification("process-kills") { $0.crashModes.removeAll { $0 == .processKill } },
        Simplification("partial-cuts") {
            $0.crashModes.removeAll { $0.isPowerCut && $0 != .dropAll && $0 != .keepAll }
        },
        Simplification("slow-operations") { parameters in
            parameters.slowOneIn = 0
            for device in parameters.devices.indices {
                parameters.devices[device].character.slowOneIn = 0
            }
        },
        Simplification("thinking") { $0.thinkNanoseconds = 0 },
        Simplification("holding") { $0.holdNanoseconds = 0 },
        Simplification("batches") { $0.batchNanoseconds = 0 },
    ]

    private static func off(
        _ name: String,
        _ field: any WritableKeyPath<SeedParameters, Int> & Sendable
    ) -> Simplification {
        Simplification(name) { $0[keyPath: field] = 0 }
    }

    /// What is left; nil when nothing changes, or nothing would be left.
    func applied(to parameters: SeedParameters) -> SeedParameters? {
        var simpler = parameters
        apply(&simpler)
        let isPossible =
            !simpler.crashModes.isEmpty
            && simpler.devices.contains { $0.role == .flash }
        guard isPossible, "\(simpler)" != "\(parameters)" else { return nil }
        return simpler
    }
}
