import Format
import Testing
import Units

@Suite struct SuperblockTests {
    private func error(_ change: (inout [UInt8]) -> Void) -> FormatError? {
        var bytes = Bytes.block { Sample.superblock.encode(into: &$0) }
        change(&bytes)
        Bytes.fixChecksum(&bytes)
        do throws(FormatError) {
            _ = try Superblock(decoding: bytes.raw)
            return nil
        } catch {
            return error
        }
    }

    private func error(of change: (inout Superblock) -> Void) -> FormatError? {
        var superblock = Sample.superblock
        change(&superblock)
        do throws(FormatError) {
            try superblock.validate()
            return nil
        } catch {
            return error
        }
    }

    private func field(_ name: StaticName, _ found: UInt64) -> FormatError {
        .field(structure: "superblock", field: name, found: found)
    }

    @Test func `a superblock comes back as it was`() throws {
        let bytes = Bytes.block { Sample.superblock.encode(into: &$0) }
        #expect(try Superblock(decoding: bytes.raw) == Sample.superblock)
    }

    @Test func `the longest name and the longest list of devices have room`() throws {
        var superblock = Sample.superblock
        superblock.poolName = String(repeating: "é", count: 64)
        superblock.devices += (4..<34).map { index in
            PoolDevice(
                identifier: DeviceIdentifier(high: 1, low: UInt64(index)),
                role: .flash,
                index: DeviceIndex(UInt8(index)),
                byteCount: .max
            )
        }
        #expect(superblock.devices.count == Superblock.deviceCountMax)
        let bytes = Bytes.block { superblock.encode(into: &$0) }
        #expect(try Superblock(decoding: bytes.raw) == superblock)
    }

    @Test func `each bad byte is an error of its own`() {
        #expect(error { $0[8] = 2 } == .unknownVersion(structure: "superblock", found: 2))
        #expect(error { $0[10] = 0 } == field("role", 0))
        #expect(error { $0[82] = 2 } == field("model", 2))
        #expect(error { $0[85] = 1 } == field("reserved", 1))
        #expect(error { $0[1248] = 1 } == field("reserved", 1))
        #expect(error { $0[83] = 33 } == field("deviceCount", 33))
        #expect(error { $0[83] = 1 } == field("unused device", 1))
        #expect(error { $0[84] = 129 } == field("nameByteCount", 129))
        #expect(error { $0[84] = 3 } == field("name", 3))
        #expect(error { $0[84] = 5 } == field("name", 5))
        #expect(error { $0[96] = 0xFF } == field("name", 4))
        #expect(error { $0[224 + 24] = 3 } == field("device role", 3))
        #expect(error { $0[224 + 31] = 1 } == field("device reserved", 1))
    }

    @Test func `fields that do not fit each other are refused`() {
        #expect(error(of: { _ in }) == nil)
        #expect(error(of: { $0.poolName = "" }) == field("poolName", 0))
        let long = String(repeating: "a", count: 129)
        #expect(error(of: { $0.poolName = long }) == field("poolName", 129))
        #expect(error(of: { $0.poolName = "a\0b" }) == field("poolName", 3))
        let none = Identifier(high: 0, low: 0)
        #expect(error(of: { $0.poolIdentifier = none }) == field("poolIdentifier", 0))
        #expect(error(of: { $0.generation = 0 }) == field("generation", 0))
        #expect(error(of: { $0.laneCount = 0 }) == field("laneCount", 0))
        #expect(error(of: { $0.segmentByteCount = 4097 }) == field("segmentByteCount", 4097))
        #expect(error(of: { $0.segmentByteCount = 0 }) == field("segmentByteCount", 0))
        #expect(error(of: { $0.segmentByteCount = 12288 }) == field("segmentByteCount", 12288))
        #expect(error(of: { $0.segmentCount = 256 }) == field("segmentCount", 256))
        #expect(error(of: { $0.segmentCount = 0 }) == field("segmentCount", 0))
        #expect(error(of: { $0.deviceByteCount = 1 << 20 }) == field("segmentCount", 255))
        #expect(
            error(of: { $0.deviceByteCount = 1 << 52 }) == field("deviceByteCount", 1 << 52)
        )
        #expect(error(of: { $0.devices = [] }) == field("devices", 0))
        #expect(error(of: { $0.devices.reverse() }) == field("device order", 0))
        #expect(error(of: { $0.devices.removeLast() }) == field("own device", 3))
        #expect(error(of: { $0.role = .flash }) == field("own device", 3))
        #expect(
            error(of: { $0.devices[0].identifier = $0.deviceIdentifier })
                == field("device identifier", 2)
        )
    }

    @Test func `what can not be read is not written`() async {
        await #expect(processExitsWith: .failure) {
            var superblock = Sample.superblock
            superblock.poolName = ""
            _ = Bytes.block { superblock.encode(into: &$0) }
        }
    }

    @Test func `its text names what identifies it`() {
        let text = Sample.superblock.describe()
        #expect(text.contains("generation 6"))
        #expect(text.contains("\(Sample.pool) \"tank\""))
        #expect(text.contains("index 3, disk (modelled: hdd7200)"))
        #expect(text.contains("8 GiB = 8,589,934,592 bytes"))
        #expect(text.contains("255 of 32 MiB"))
        #expect(text.contains("device 0: \(Sample.flash), flash, 1 GiB"))
    }
}
