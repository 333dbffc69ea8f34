internal import Catalogue
internal import Engine
internal import IO
internal import Units

// What the administrator does: volumes come, go, and change their size while others are used.
extension SimulatedWorld {
    /// Asks for a new volume.
    func createVolume() {
        let lane = volumes.count { $0.life != .gone } % parameters.laneCount
        guard lanes[lane].admits(.createVolume, byteCount: 0) else { return }
        treeCount += 1
        let pattern = AddressPattern(
            kind: workload.isOne(in: 3)
                ? workload.pick(AddressPattern.Kind.allCases)
                : parameters.pattern,
            islandCount: parameters.islandCount,
            blocksPerIsland: parameters.blocksPerIsland,
            random: &workload
        )
        let row = VolumeRow(
            identifier: VolumeIdentifier(from: &identities),
            name: "volume\(treeCount)",
            byteCount: pattern.byteCount,
            lane: LaneIndex(UInt16(lane)),
            tree: TreeIdentifier(treeCount),
            state: .live,
            createdSeconds: 0
        )
        let model = ReferenceVolume(
            number: treeCount,
            identifier: row.identifier,
            name: row.name,
            byteCount: row.byteCount,
            seed: parameters.seed,
            atomicByteCount: parameters.atomicByteCount,
            scratch: [memory.blocks.region.block(2), memory.blocks.region.block(3)],
            journal: journal
        )
        volumes.append(SimulatedVolume(model: model, row: row, pattern: pattern))
        let context = note(.create, volumes.count - 1, 0..<0)
        if isLoaded && outstanding.count > 1 { journal.met(.volumeCreatedBesideLoad) }
        lanes[lane].createVolume(row, context: context)
    }

    func planResize(_ volume: Int) {
        isStirred = true
        let least = volumes[volume].pattern.byteCount
        let size = volumes[volume].model.byteCount
        if size > least, workload.isOne(in: 2) {
            let blocks = (size - least) / 4096
            volumes[volume].plan = .shrink(to: least + workload.below(blocks) * 4096)
        } else {
            volumes[volume].plan = .grow(to: size + UInt64(workload.number(in: 1...700)) * 4096)
        }
    }

    func planLife(_ volume: Int) {
        isStirred = true
        let living = volumes.count { $0.life == .live || $0.life == .creating }
        if living < parameters.volumeCount + 1, workload.isOne(in: 2) {
            createVolume()
        } else if living > 1, workload.isOne(in: 2) {
            volumes[volume].plan = .destroy
        }
    }

    /// Goes on with plans whose volume has nothing in flight.
    func progressPlans() {
        for index in volumes.indices {
            progressLatePayload(index)
            guard let plan = volumes[index].plan, volumes[index].life == .live,
                !volumes[index].isVerifying, !volumes[index].isPlanUnderWay
            else { continue }
            // What is in flight when a volume gets smaller comes before that.
            if case .shrink = plan {} else if volumes[index].outstandingCount > 0 { continue }
            let lane = lanes[volumes[index].lane]
            guard lane.admits(.resizeVolume, byteCount: 0) else { continue }
            volumes[index].isPlanUnderWay = true
            switch plan {
            case .grow(let size): resize(index, to: size, lane)
            case .shrink(let size): shrink(index, to: size, lane)
            case .destroy:
                volumes[index].life = .destroying
                let context = note(.destroy, index, 0..<0)
                lane.destroyVolume(volumes[index].slot, context: context)
            }
        }
    }

    private func resize(_ index: Int, to size: UInt64, _ lane: Lane) {
        let order = volumes[index].model.beginResize(to: size)
        let context = note(.resize(order: order), index, 0..<size)
        lane.resizeVolume(volumes[index].slot, byteCount: size, context: context)
    }

    /// A step of a plan was answered.
    func endPlanStep(_ index: Int) {
        guard volumes[index].isPlanUnderWay else { return }
        volumes[index].isPlanUnderWay = false
        volumes[index].plan = nil
    }
}
