import Format
import Testing
import Units

@testable import Control

@Suite struct PoolPlanTests {
    private func plan(
        _ flash: String,
        _ disk: String,
        lanes: Int? = nil,
        existing: [String: UInt64] = [:]
    ) throws -> PoolPlan {
        try PoolPlan(
            name: .pool("tank"),
            devices: [
                DeviceSpecification(disk, role: .disk), DeviceSpecification(flash, role: .flash),
            ],
            laneCount: lanes,
            processorCount: 8,
            probe: { existing[$0] }
        )
    }

    @Test func `the demonstration pool has room for one lane`() throws {
        let plan = try plan("/f:256MiB", "/d:4GiB,model=hdd7200", lanes: 1)
        #expect(plan.devices.map(\.role) == [.flash, .disk])
        #expect(plan.devices[0].segmentByteCount == 4 << 20 && plan.devices[0].segmentCount == 59)
        #expect(plan.devices[1].segmentByteCount == 32 << 20 && plan.devices[1].segmentCount == 127)
        #expect(plan.isModelled && plan.devices[1].model == .hdd7200)
        // (256 MiB + 4 GiB) / 256 are 17 MiB: the 2 MiB left over, and four segments of 4 MiB.
        #expect(plan.devices.map(\.mirrorByteCount) == [18 << 20, 0])
        #expect(plan.text.contains("59 segments of 4 MiB, mirror of the catalogue 18 MiB\n"))
        #expect(plan.text.split(separator: "\n").count { $0.contains("mirror") } == 1)
        #expect(
            plan.json["devices"]?.items?.map { $0["mirrorByteCount"]?.unsigned } == [18 << 20, 0]
        )
    }

    @Test func `the smallest flash gives what its lane can spare`() throws {
        let small = try plan("/f:64MiB", "/d:1GiB").devices[0]
        #expect(small.segmentCount == 28 && small.mirrorByteCount == 6 << 20)
        // 16 segments and nothing else: none goes.
        let least = try plan("/f:34MiB", "/d:1GiB").devices[0]
        #expect(least.segmentCount == 16 && least.mirrorByteCount == 0)
        let more = try plan("/f:36MiB", "/d:1GiB").devices[0]
        #expect(more.segmentCount == 16 && more.mirrorByteCount == 2 << 20)
    }

    /// Over sizes of one and of two flash devices: what every plan has to keep.
    @Test func `the mirror has its share and lanes keep their segments`() throws {
        let sizes: [UInt64] = [34, 64, 100, 128, 130, 256, 1000, 4096, 400 << 10].map { $0 << 20 }
        for first in sizes {
            for second in sizes {
                for lanes in [nil, 1] as [Int?] {
                    let plan = try PoolPlan(
                        name: .pool("tank"),
                        devices: [
                            DeviceSpecification("/a", role: .flash),
                            DeviceSpecification("/b", role: .flash),
                            DeviceSpecification("/d", role: .disk),
                        ],
                        laneCount: lanes,
                        processorCount: 8,
                        probe: { ["/a": first, "/b": second, "/d": 1 << 40][$0] }
                    )
                    let flash = plan.devices.filter { $0.role == .flash }
                    let mirror = flash.reduce(0) { $0 + $1.mirrorByteCount }
                    let segments = flash.reduce(0) { $0 + Int($1.segmentCount) }
                    #expect(segments >= plan.laneCount * 16)
                    #expect(mirror <= (first + second) / 8)
                    let wanted = min((first + second + 1 << 40) / 256, (first + second) / 8)
                    let isSpare = segments > plan.laneCount * 16 + 1
                    // Less by up to a segment of each device, as the last one would be too much.
                    let rest = flash.reduce(0) { $0 + UInt64($1.segmentByteCount) }
                    if isSpare { #expect(mirror + rest >= wanted, "\(first) \(second)") }
                    // Each as its size.
                    for device in flash where isSpare {
                        let part =
                            Double(wanted) * Double(device.byteCount) / Double(first + second)
                        let difference = abs(Double(device.mirrorByteCount) - part)
                        #expect(difference <= Double(device.segmentByteCount))
                    }
                }
            }
        }
    }

    @Test func `lanes are fewer where their mirrors have no room, unless asked for`() throws {
        // 64 segments: four lanes would leave none for the mirror.
        let chosen = try plan("/f:130MiB", "/d:1GiB")
        #expect(chosen.laneCount == 3 && chosen.devices[0].mirrorByteCount == 12 << 20)
        let asked = try plan("/f:130MiB", "/d:1GiB", lanes: 4)
        #expect(asked.laneCount == 4 && asked.devices[0].mirrorByteCount == 0)
    }

    @Test func `lanes are as many as processors and the flash allow`() throws {
        #expect(try plan("/f:64MiB", "/d:1GiB").laneCount == 1)
        #expect(try plan("/f:400GiB", "/d:8TiB").laneCount == 8)
        #expect(throws: ControlError.laneCount(count: 4, countMax: 1)) {
            try plan("/f:64MiB", "/d:1GiB", lanes: 4)
        }
        #expect(throws: ControlError.self) { try plan("/f:1GiB", "/d:1GiB", lanes: 0) }
    }

    @Test func `an existing device is used whole, down to a block`() throws {
        let plan = try plan("/f", "/d", existing: ["/f": 1 << 30 + 513, "/d": 1 << 34])
        #expect(plan.devices[0].byteCount == 1 << 30 && !plan.devices[0].isNew)
    }

    @Test func `impossible wishes are refused`() {
        #expect(throws: ControlError.deviceMissing(path: "/f")) { try plan("/f", "/d:1GiB") }
        #expect(throws: ControlError.deviceExists(path: "/f", byteCount: 7)) {
            try plan("/f:1GiB", "/d:1GiB", existing: ["/f": 7])
        }
        #expect(throws: ControlError.self) { try plan("/f:1MiB", "/d:1GiB") }
        #expect(throws: ControlError.deviceNamedTwice(path: "/f")) {
            try plan("/f:1GiB", "/f:1GiB")
        }
        #expect(throws: ControlError.self) { try plan("/f:1GiB", "/d:1GiB,model=tape") }
    }

    @Test func `seldom wanted sizes are warned of`() throws {
        #expect(try plan("/f:2GiB", "/d:1GiB").warnings.count == 1)
        #expect(try plan("/f:64MiB", "/d:1TiB").warnings.count == 1)
        #expect(try plan("/f:100GiB", "/d:1TiB").warnings.isEmpty)
    }
}
