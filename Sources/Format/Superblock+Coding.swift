internal import Units

extension Superblock {
    /// Writes the superblock over all of `block`, which is one block long.
    ///
    /// That the fields fit each other is an invariant: whoever fills them from outside asks
    /// `validate` first.
    package func encode(into block: inout MutableRawSpan) {
        invariant(block.byteCount == Self.byteCount, "a superblock fills one block")
        invariant(isValid, "a superblock is written only when it can be read")
        block.zero()
        block.store(role.rawValue, in: Layout.role)
        block.store(deviceIndex.rawValue, in: Layout.deviceIndex)
        block.store(poolIdentifier, in: Layout.poolIdentifier)
        block.store(deviceIdentifier, in: Layout.deviceIdentifier)
        block.store(deviceByteCount, in: Layout.deviceByteCount)
        block.store(segmentByteCount, in: Layout.segmentByteCount)
        block.store(segmentCount, in: Layout.segmentCount)
        block.store(generation, in: Layout.generation)
        block.store(createdSeconds, in: Layout.createdSeconds)
        block.store(laneCount, in: Layout.laneCount)
        block.store(model.rawValue, in: Layout.model)
        block.store(UInt8(devices.count), in: Layout.deviceCount)
        block.store(UInt8(poolName.utf8.count), in: Layout.nameByteCount)
        NameText.store(poolName, into: &block, at: Layout.name.offset)
        for (place, device) in devices.enumerated() {
            device.store(into: &block, at: Self.entryOffset(place))
        }
        Preamble.seal(&block, magic: Self.magic, version: Self.version)
    }

    /// Reads the superblock at the start of `block`; believes nothing before the checksum.
    package init(decoding block: RawSpan) throws(FormatError) {
        guard block.byteCount >= Self.byteCount else {
            throw .truncated(
                structure: "superblock",
                needed: Self.byteCount,
                found: block.byteCount
            )
        }
        let block = block.extracting(0..<Self.byteCount)
        try Preamble.check(
            block,
            structure: "superblock",
            magic: Self.magic,
            version: Self.version
        )
        guard let role = DeviceRole(rawValue: block.load(Layout.role)) else {
            throw Self.invalid("role", block.load(Layout.role))
        }
        guard let model = DeviceModel(rawValue: block.load(Layout.model)) else {
            throw Self.invalid("model", block.load(Layout.model))
        }
        guard block.isZero(in: Layout.reservedHead.range),
            block.isZero(in: Layout.reservedTail.range)
        else { throw Self.invalid("reserved", 1) }
        self.init(
            poolIdentifier: block.load(Layout.poolIdentifier),
            poolName: try Self.name(in: block),
            deviceIdentifier: block.load(Layout.deviceIdentifier),
            deviceIndex: DeviceIndex(block.load(Layout.deviceIndex)),
            role: role,
            deviceByteCount: block.load(Layout.deviceByteCount),
            segmentByteCount: block.load(Layout.segmentByteCount),
            segmentCount: block.load(Layout.segmentCount),
            laneCount: block.load(Layout.laneCount),
            generation: block.load(Layout.generation),
            createdSeconds: block.load(Layout.createdSeconds),
            model: model,
            devices: try Self.devices(in: block)
        )
        try validate()
    }

    private static func name(in block: RawSpan) throws(FormatError) -> String {
        let byteCount = Int(block.load(Layout.nameByteCount))
        guard byteCount <= Layout.name.byteCount else { throw invalid("nameByteCount", byteCount) }
        let end = Layout.name.offset + byteCount
        guard block.isZero(in: end..<Layout.name.range.upperBound),
            let name = NameText.load(byteCount, from: block, at: Layout.name.offset)
        else { throw invalid("name", byteCount) }
        return name
    }

    private static func devices(in block: RawSpan) throws(FormatError) -> [PoolDevice] {
        let count = Int(block.load(Layout.deviceCount))
        guard count <= deviceCountMax else { throw invalid("deviceCount", count) }
        guard block.isZero(in: entryOffset(count)..<Layout.devices.range.upperBound) else {
            throw invalid("unused device", 1)
        }
        var devices: [PoolDevice] = []
        for place in 0..<count {
            devices.append(try PoolDevice(decoding: block, at: entryOffset(place)))
        }
        return devices
    }

    private static func entryOffset(_ place: Int) -> Int {
        Layout.devices.offset + EntryLayout.entryByteCount * place
    }

    static func invalid(_ field: StaticName, _ found: some BinaryInteger) -> FormatError {
        .field(structure: "superblock", field: field, found: UInt64(truncatingIfNeeded: found))
    }
}

extension Superblock {
    private var isValid: Bool {
        do {
            try validate()
            return true
        } catch {
            return false
        }
    }

    /// Refuses fields that do not fit each other, or that no superblock may have.
    package func validate() throws(FormatError) {
        guard NameText.isStorable(poolName) else {
            throw Self.invalid("poolName", poolName.utf8.count)
        }
        guard poolIdentifier != Identifier(high: 0, low: 0) else {
            throw Self.invalid("poolIdentifier", 0)
        }
        guard generation > 0 else { throw Self.invalid("generation", generation) }
        guard laneCount > 0 else { throw Self.invalid("laneCount", laneCount) }
        try validateSegments()
        try validateDevices()
    }

    private func validateSegments() throws(FormatError) {
        let block = UInt32(Geometry.blockByteCount)
        guard segmentByteCount % block == 0,
            segmentByteCount / block >= DeviceLayout.segmentBlockCountMin
        else {
            throw Self.invalid("segmentByteCount", segmentByteCount)
        }
        let room = DeviceLayout.segmentCount(
            deviceByteCount: deviceByteCount,
            segmentByteCount: segmentByteCount
        )
        guard segmentCount > 0, segmentCount <= room else {
            throw Self.invalid("segmentCount", segmentCount)
        }
        // A location has 40 bits for the block of its device.
        guard deviceByteCount / UInt64(Geometry.blockByteCount) < 1 << 40 else {
            throw Self.invalid("deviceByteCount", deviceByteCount)
        }
    }

    private func validateDevices() throws(FormatError) {
        guard !devices.isEmpty, devices.count <= Self.deviceCountMax else {
            throw Self.invalid("devices", devices.count)
        }
        for (device, next) in zip(devices, devices.dropFirst()) where device.index >= next.index {
            throw Self.invalid("device order", next.index.rawValue)
        }
        let own = PoolDevice(
            identifier: deviceIdentifier,
            role: role,
            index: deviceIndex,
            byteCount: deviceByteCount
        )
        let identifiers = Set(devices.map(\.identifier))
        guard identifiers.count == devices.count, !identifiers.contains(Identifier(high: 0, low: 0))
        else { throw Self.invalid("device identifier", devices.count) }
        guard devices.contains(own) else { throw Self.invalid("own device", deviceIndex.rawValue) }
    }
}

extension PoolDevice {
    fileprivate typealias Layout = Superblock.EntryLayout

    fileprivate func store(into block: inout MutableRawSpan, at offset: Int) {
        identifier.store(into: &block, at: offset + Layout.identifier.offset)
        byteCount.store(into: &block, at: offset + Layout.byteCount.offset)
        role.rawValue.store(into: &block, at: offset + Layout.role.offset)
        index.rawValue.store(into: &block, at: offset + Layout.index.offset)
    }

    fileprivate init(decoding block: RawSpan, at offset: Int) throws(FormatError) {
        let entry = block.extracting(offset..<(offset + Layout.entryByteCount))
        guard let role = DeviceRole(rawValue: entry.load(Layout.role)) else {
            throw Superblock.invalid("device role", entry.load(Layout.role))
        }
        guard entry.isZero(in: Layout.reserved.range) else {
            throw Superblock.invalid("device reserved", 1)
        }
        self.init(
            identifier: entry.load(Layout.identifier),
            role: role,
            index: DeviceIndex(entry.load(Layout.index)),
            byteCount: entry.load(Layout.byteCount)
        )
    }
}
