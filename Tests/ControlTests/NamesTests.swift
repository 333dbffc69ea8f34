import Testing
import Units

@testable import Control

@Suite struct NamesTests {
    @Test(arguments: ["a", "0", "db01", "a.b_c-D", String(repeating: "x", count: 128)])
    func `a volume's name is taken`(text: String) throws {
        #expect(try ObjectName.volume(text).text == text)
    }

    @Test(arguments: [
        "", ".a", "-a", "_a", "a/b", "a b", "a\n", "ä", "a\u{0}", "../x",
        String(repeating: "x", count: 129),
    ])
    func `what is no name is refused`(text: String) {
        #expect(throws: ControlError.self) { try ObjectName.volume(text) }
    }

    @Test func `a volume is named with its pool`() throws {
        let path = try VolumePath("tank/db01")
        #expect(path.pool.text == "tank" && path.volume.text == "db01")
        for text in ["tank", "tank/", "/db01", "a/b/c", ""] {
            #expect(throws: ControlError.self) { try VolumePath(text) }
        }
    }

    @Test(arguments: [
        ("tank/db01@+12.5GiB", 13_421_772_800), ("tank/db01@+0", 0), ("tank/db01@+4096", 4096),
        ("tank/db01:chunk204800", 13_421_772_800), ("tank/db01:chunk0", 0),
    ])
    func `a place in a volume is read`(pair: (String, UInt64)) throws {
        let address = try VolumeAddress(pair.0)
        #expect(address.offset == pair.1)
        #expect(address.path.description == "tank/db01")
    }

    @Test(arguments: [
        "tank/db01", "tank/db01@12", "tank/db01@+", "tank/db01@+x", "tank/db01:chunk",
        "tank/db01:chunk-1", "tank/db01:chunk99999999999999999999", "@+1", "tank/db01:chunk+5",
    ])
    func `what is no place is refused`(text: String) {
        #expect(throws: ControlError.self) { try VolumeAddress(text) }
    }

    @Test func `a device is given with size and model`() throws {
        let plain = try DeviceSpecification("/dev/nvme0n1p2", role: .flash)
        #expect(
            plain
                == DeviceSpecification(
                    path: "/dev/nvme0n1p2",
                    role: .flash,
                    byteCount: nil,
                    model: nil
                )
        )
        let full = try DeviceSpecification("./a b:4GiB,model=hdd7200", role: .disk)
        #expect(full.path == "./a b" && full.byteCount == 4 << 30 && full.model == "hdd7200")
        let colons = try DeviceSpecification("/dev/disk/by-path/pci-0:1f/x", role: .disk)
        #expect(colons.path == "/dev/disk/by-path/pci-0:1f/x" && colons.byteCount == nil)
        for text in ["", ":4GiB", "a:4XiB", "a,size=3", "a,model=x,model=y", "a:1.5"] {
            #expect(throws: ControlError.self) { try DeviceSpecification(text, role: .disk) }
        }
    }

    @Test func `an address to listen on has host and port`() throws {
        #expect(
            try ListenAddress("127.0.0.1:10810") == ListenAddress(host: "127.0.0.1", port: 10810)
        )
        #expect(try ListenAddress("[::1]:99").description == "[::1]:99")
        #expect(try ListenAddress("localhost").port == 10809)
        for text in [
            "host\u{6DD}:1", "", ":1", "a:", "a:65536", "::1", "[::1", "a b:1", "a:+1", "a:-1",
        ] {
            #expect(throws: ControlError.self) { try ListenAddress(text) }
        }
    }

    @Test func `attach strings can be pasted`() throws {
        #expect(
            AttachString.tcp(try ListenAddress("0.0.0.0:10809"), export: "tank/db01")
                == "nbd://127.0.0.1:10809/tank/db01"
        )
        #expect(
            AttachString.tcp(try ListenAddress("[::1]:1"), export: "t/v") == "nbd://[::1]:1/t/v"
        )
        #expect(
            AttachString.unix(socket: "/run/a b&c/nbd.sock", export: "tank/db01")
                == "nbd+unix:///tank/db01?socket=/run/a%20b%26c/nbd.sock"
        )
    }

    @Test func `sizes of volumes are multiples of sectors`() throws {
        try VolumeSize.validate(4096)
        try VolumeSize.validate(1 << 50)
        for byteCount: UInt64 in [0, 512, 4097, 1 << 50 + 512] {
            #expect(throws: ControlError.self) { try VolumeSize.validate(byteCount) }
        }
    }

    @Test func `a figure beside a larger one has its unit`() {
        #expect(ByteCountText.number(376 << 30, like: 400 << 30) == "376")
        #expect(ByteCountText.number(512 << 30, like: 2 << 40) == "0.5")
        #expect(ByteCountText.number(0, like: 2 << 40) == "0")
        #expect(ByteCountText.number(5, like: 7) == "5")
        #expect(ByteCountText.number(.max, like: 0) == "18446744073709551615")
        #expect(ByteCountText.grouped(204_800) == "204,800")
        #expect(ByteCountText.grouped(.max) == "18,446,744,073,709,551,615")
    }
}
