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
        #expect(plan.devices[0].segmentByteCount == 4 << 20 && plan.devices[0].segmentCount == 63)
        #expect(plan.devices[1].segmentByteCount == 32 << 20 && plan.devices[1].segmentCount == 127)
        #expect(plan.isModelled && plan.devices[1].model == .hdd7200)
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
