import Foundation
import IO
import Testing
import Units

@Suite struct DeviceFileTests {
    @Test func `what was written is read`() throws {
        let file = try TestFile(byteCount: 1 << 20)
        let device = try file.open()
        #expect(device.byteCount == 1 << 20)
        let space = memory(byteCount: 128 << 10)
        let written = space[0..<(64 << 10)]
        let found = space[(64 << 10)..<(128 << 10)]
        written.fill(seed: 1)
        try device.write(from: written, at: (1 << 20) - (64 << 10))
        try device.flush()
        try device.read(into: found, at: (1 << 20) - (64 << 10))
        #expect(found.equals(written))
        try device.read(into: found.block(0), at: 0)
        written.zero()
        #expect(found.block(0).equals(written.block(0)))
    }

    @Test func `a second engine is refused until the first closes`() throws {
        let file = try TestFile(byteCount: 1 << 20)
        do {
            let first = try file.open()
            #expect(throws: DeviceError.inUse(path: file.path)) { try file.open() }
            // Opening and closing the path elsewhere in the process does not drop the lock.
            unsafe close(Glibc.open(file.path, O_RDWR))
            #expect(throws: DeviceError.inUse(path: file.path)) { try file.open() }
            #expect(first.access == .exclusive)
        }
        _ = try file.open()
    }

    @Test func `a registered file stays locked until it is unregistered`() throws {
        let file = try TestFile(byteCount: 1 << 20)
        let ring = try Ring(submissionEntries: 4, completionEntries: 8)
        ring.makeFileTable()
        let slot = withExtendedLifetime(try file.open()) { device in
            ring.register(descriptor: device.descriptor)
        }
        try #require(slot.isRegistered)
        #expect(throws: DeviceError.inUse(path: file.path)) { try file.open() }
        ring.unregister(slot)
        // The kernel lets go of the table's reference a little later.
        var isFree = false
        for _ in 0..<100 where !isFree {
            ring.submitAndWait(count: 0)
            isFree = (try? file.open()) != nil
            if !isFree { Clock.pause(milliseconds: 10) }
        }
        #expect(isFree)
    }

    @Test func `an inspection reads a locked device`() throws {
        let file = try TestFile(byteCount: 1 << 20)
        let device = try file.open()
        let look = try DeviceFile(path: file.path, access: .inspection, isDirect: device.isDirect)
        let space = memory(byteCount: 4096)
        try look.read(into: space, at: 4096)
        #expect(look.byteCount == device.byteCount)
    }

    @Test func `the end of the device is an error on both sides of it`() throws {
        let file = try TestFile(byteCount: 64 << 10)
        let device = try file.open()
        let space = memory(byteCount: 8192)
        let end: UInt64 = 64 << 10
        #expect(throws: DeviceError.endOfDevice(path: file.path, offset: end)) {
            try device.read(into: space, at: end - 4096)
        }
        #expect(throws: DeviceError.endOfDevice(path: file.path, offset: end)) {
            try device.write(from: space, at: end - 4096)
        }
        #expect(throws: DeviceError.endOfDevice(path: file.path, offset: end)) {
            try device.write(from: space, at: UInt64.max - 4095)
        }
        var status = stat()
        #expect(unsafe stat(file.path, &status) == 0)
        #expect(status.st_size == 64 << 10)
    }

    @Test func `a new file has its space, a sparse one has not`() throws {
        func blockBytes(_ path: String) -> Int {
            var status = stat()
            return unsafe stat(path, &status) == 0 ? Int(status.st_blocks) * 512 : -1
        }
        let whole = try TestFile(byteCount: 1 << 20)
        let sparse = try TestFile(byteCount: 1 << 20, isSparse: true)
        #expect(blockBytes(whole.path) >= 1 << 20)
        #expect(blockBytes(sparse.path) < 64 << 10)
        #expect(throws: DeviceError.exists(path: whole.path)) {
            try DeviceFile.create(path: whole.path, byteCount: 4096)
        }
    }

    @Test func `a file that does not fit leaves nothing behind`() throws {
        let file = try TestFile(byteCount: 4096)
        let path = file.path + ".large"
        // Larger than any file of ext4 or than the space of the machine.
        #expect(throws: DeviceError.self) {
            try DeviceFile.create(path: path, byteCount: 1 << 46)
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func `errors name the path`() {
        #expect {
            try DeviceFile(path: "/nowhere/device")
        } throws: { error in
            "\(error)" == "cannot open /nowhere/device: No such file or directory (2)"
        }
        #expect(throws: DeviceError.notADevice(path: "/dev/null")) {
            try DeviceFile(path: "/dev/null", isDirect: false)
        }
    }
}
