import Format
import Testing
import Units

@Suite struct VolumeControlTests {
    private func error(_ change: (inout [UInt8]) -> Void) -> FormatError? {
        var bytes = Sample.control.encode()
        change(&bytes)
        do throws(FormatError) {
            _ = try VolumeControl(decoding: bytes.raw)
            return nil
        } catch {
            return error
        }
    }

    private func field(_ name: StaticName, _ found: UInt64) -> FormatError {
        .field(structure: "volume", field: name, found: found)
    }

    @Test(arguments: ["a", "db01", "größe-Ω", String(repeating: "é", count: 64)])
    func `a volume comes back as it was`(name: String) throws {
        var control = Sample.control
        control.name = name
        control.createdSeconds = .min
        control.byteCount = Geometry.volumeByteCountMax
        let bytes = control.encode()
        #expect(bytes.count == 32 + name.utf8.count)
        #expect(bytes.count <= VolumeControl.byteCountMax)
        #expect(try VolumeControl(decoding: bytes.raw) == control)
    }

    @Test func `each bad field is an error of its own`() {
        #expect(error { $0[0] = 2 } == .unknownVersion(structure: "volume", found: 2))
        #expect(error { $0[0] = 0 } == .unknownVersion(structure: "volume", found: 0))
        #expect(error { $0[1] = 3 } == field("nameByteCount", 3))
        #expect(error { $0[7] = 1 } == field("reserved", 1))
        #expect(error { $0[23] = 1 } == field("byteCount", 1 << 56 | 200 << 30))
        #expect(error { $0[32] = 0 } == field("name", 4))
        #expect(error { $0[32] = 0xC0 } == field("name", 4))
        #expect(error { $0.append(0) } == field("nameByteCount", 4))
        let short = FormatError.truncated(structure: "volume", needed: 32, found: 31)
        #expect(error { $0 = Array($0[..<31]) } == short)
    }

    @Test func `a volume without a name or with a long one is refused`() {
        #expect(
            error {
                $0[1] = 0
                $0 = Array($0[..<32])
            } == field("name", 0)
        )
        #expect(
            error {
                $0[1] = 129
                $0 = Array($0[..<32]) + [UInt8](repeating: 97, count: 129)
            } == field("name", 129)
        )
    }

    @Test func `its text tells name and size`() {
        let text = Sample.control.describe()
        #expect(text.contains("name       db01"))
        #expect(text.contains("200 GiB = 214,748,364,800 bytes"))
    }
}
