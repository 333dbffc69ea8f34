package import Units

// The superblock: what a device says of itself and of its pool; one block, in four copies.
// Little-endian.  Any change is a new version.
//
//     offset  size  field
//          0     8  magic             "ISOTHERM"
//          8     2  version           1
//         10     1  role              DeviceRole of this device
//         11     1  deviceIndex       of this device
//         12     4  checksum          CRC-32C of the block, this field as zero
//         16    16  poolIdentifier
//         32    16  deviceIdentifier  of this device
//         48     8  deviceByteCount   size of this device when it joined; it may have grown since
//         56     4  segmentByteCount  a multiple of 4096, at least 16384
//         60     4  segmentCount
//         64     8  generation        grows by one with every change; from one
//         72     8  createdSeconds    since 1970, signed, for people
//         80     2  laneCount         of the pool; at least one
//         82     1  model             DeviceModel: what this device pretends to be
//         83     1  deviceCount       entries of the device table, 1...32
//         84     1  nameByteCount     1...128
//         85    11  reserved          zero
//         96   128  name              of the pool, UTF-8, then zeros
//        224  1024  devices           32 entries of 32 bytes, by index; unused ones zero
//       1248  2848  reserved          zero
//
// An entry of the device table:
//
//          0    16  identifier
//         16     8  byteCount
//         24     1  role
//         25     1  index             each greater than the one before
//         26     6  reserved          zero
//
// The device is in its own table.  Any two copies that agree open it; `SuperblockChoice` says which
// do, and in which order copies are written.

/// What a device says of itself and of its pool.
package struct Superblock: Equatable, Sendable {
    package var poolIdentifier: PoolIdentifier
    package var poolName: String
    package var deviceIdentifier: DeviceIdentifier
    package var deviceIndex: DeviceIndex
    package var role: DeviceRole
    package var deviceByteCount: UInt64
    package var segmentByteCount: UInt32
    package var segmentCount: UInt32
    package var laneCount: UInt16
    package var generation: UInt64
    /// Seconds since 1970, for people; nothing is decided by it.
    package var createdSeconds: Int64
    package var model: DeviceModel
    /// All devices of the pool, this one too, by index.
    package var devices: [PoolDevice]

    package init(
        poolIdentifier: PoolIdentifier,
        poolName: String,
        deviceIdentifier: DeviceIdentifier,
        deviceIndex: DeviceIndex,
        role: DeviceRole,
        deviceByteCount: UInt64,
        segmentByteCount: UInt32,
        segmentCount: UInt32,
        laneCount: UInt16,
        generation: UInt64,
        createdSeconds: Int64,
        model: DeviceModel,
        devices: [PoolDevice]
    ) {
        self.poolIdentifier = poolIdentifier
        self.poolName = poolName
        self.deviceIdentifier = deviceIdentifier
        self.deviceIndex = deviceIndex
        self.role = role
        self.deviceByteCount = deviceByteCount
        self.segmentByteCount = segmentByteCount
        self.segmentCount = segmentCount
        self.laneCount = laneCount
        self.generation = generation
        self.createdSeconds = createdSeconds
        self.model = model
        self.devices = devices
    }

    package static var magic: UInt64 { 0x4D52_4548_544F_5349 }
    package static var version: UInt16 { 1 }
    package static var byteCount: Int { Geometry.blockByteCount }
    package static var deviceCountMax: Int { 32 }

    /// Where the four copies lie on a device, in bytes; none on a device below 2 MiB.
    package static func offsets(deviceByteCount: UInt64) -> [UInt64] {
        DeviceLayout.superblockOffsets(deviceByteCount: deviceByteCount)
    }
}

/// A device as the pool's list has it.
package struct PoolDevice: Hashable, Sendable {
    package var identifier: DeviceIdentifier
    package var role: DeviceRole
    package var index: DeviceIndex
    package var byteCount: UInt64
    package init(
        identifier: DeviceIdentifier,
        role: DeviceRole,
        index: DeviceIndex,
        byteCount: UInt64
    ) {
        self.identifier = identifier
        self.role = role
        self.index = index
        self.byteCount = byteCount
    }
}

/// The device that a device pretends to be, chosen when the pool is created.
package enum DeviceModel: UInt8, Sendable, CaseIterable {
    /// None: it is as fast as it is.
    case none = 0
    /// A hard disk of 7,200 turns a minute.
    case hdd7200 = 1
}

extension Superblock {
    package enum Layout {
        package static var magic: Field<UInt64> { Preamble.Layout.magic }
        package static var version: Field<UInt16> { Preamble.Layout.version }
        package static var role: Field<UInt8> { Field(at: 10) }
        package static var deviceIndex: Field<UInt8> { Field(at: 11) }
        package static var checksum: Field<UInt32> { Preamble.Layout.checksum }
        package static var poolIdentifier: Field<Identifier> { Field(at: 16) }
        package static var deviceIdentifier: Field<Identifier> { Field(at: 32) }
        package static var deviceByteCount: Field<UInt64> { Field(at: 48) }
        package static var segmentByteCount: Field<UInt32> { Field(at: 56) }
        package static var segmentCount: Field<UInt32> { Field(at: 60) }
        package static var generation: Field<UInt64> { Field(at: 64) }
        package static var createdSeconds: Field<Int64> { Field(at: 72) }
        package static var laneCount: Field<UInt16> { Field(at: 80) }
        package static var model: Field<UInt8> { Field(at: 82) }
        package static var deviceCount: Field<UInt8> { Field(at: 83) }
        package static var nameByteCount: Field<UInt8> { Field(at: 84) }
        package static var reservedHead: Stretch { Stretch(at: 85, byteCount: 11) }
        package static var name: Stretch { Stretch(at: 96, byteCount: 128) }
        package static var devices: Stretch { Stretch(at: 224, byteCount: 1024) }
        package static var reservedTail: Stretch { Stretch(at: 1248, byteCount: 2848) }

        package static var rows: [LayoutRow] {
            [
                magic.row("magic"), version.row("version"), role.row("role"),
                deviceIndex.row("deviceIndex"), checksum.row("checksum"),
                poolIdentifier.row("poolIdentifier"), deviceIdentifier.row("deviceIdentifier"),
                deviceByteCount.row("deviceByteCount"),
                segmentByteCount.row("segmentByteCount"), segmentCount.row("segmentCount"),
                generation.row("generation"), createdSeconds.row("createdSeconds"),
                laneCount.row("laneCount"), model.row("model"), deviceCount.row("deviceCount"),
                nameByteCount.row("nameByteCount"), reservedHead.row("reserved"),
                name.row("name"), devices.row("devices"), reservedTail.row("reserved"),
            ]
        }
    }

    /// An entry of the device table; offsets count from the entry's start.
    package enum EntryLayout {
        package static var identifier: Field<Identifier> { Field(at: 0) }
        package static var byteCount: Field<UInt64> { Field(at: 16) }
        package static var role: Field<UInt8> { Field(at: 24) }
        package static var index: Field<UInt8> { Field(at: 25) }
        package static var reserved: Stretch { Stretch(at: 26, byteCount: 6) }

        package static var entryByteCount: Int { 32 }
        package static var rows: [LayoutRow] {
            [
                identifier.row("identifier"), byteCount.row("byteCount"), role.row("role"),
                index.row("index"), reserved.row("reserved"),
            ]
        }
    }
}
