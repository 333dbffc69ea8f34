import Testing
import Units

@Suite struct ByteCountTests {
    @Test(
        arguments: [
            ("0", 0), ("4096", 4096), ("4096B", 4096), ("4K", 4096), ("4k", 4096),
            ("4KiB", 4096), ("4kiB", 4096), ("4KB", 4000), ("4kB", 4000), ("1M", 1 << 20),
            ("1MiB", 1 << 20), ("1MB", 1_000_000), ("100 GiB", 100 << 30), ("1G", 1 << 30),
            ("1GB", 1_000_000_000), ("2T", 2 << 40), ("2TiB", 2 << 40),
            ("2TB", 2_000_000_000_000), ("3P", 3 << 50), ("3PiB", 3 << 50),
            ("3PB", 3_000_000_000_000_000), ("1.5GiB", 3 << 29), ("0.5K", 512),
            ("1.0", 1), ("1.000B", 1), ("12.25 MiB", 49 << 18), ("0.001KB", 1),
            ("1.00000000000000000000000000000000000000000000K", 1024), ("007", 7),
            ("0.00000000000000088817841970012523233890533447265625P", 1),
            ("18446744073709551615", UInt64.max), ("16383.5P", 16_383 << 50 + 1 << 49),
            ("0.9999999999999991118215802998747676610946655273437500PiB", 1 << 50 - 1),
        ] as [(String, UInt64)]
    )
    func `a size is read`(text: String, byteCount: UInt64) throws {
        #expect(try ByteCount(parsing: text) == ByteCount(byteCount))
    }

    private func error(_ text: String) -> ByteCountError? {
        do throws(ByteCountError) {
            _ = try ByteCount(parsing: text)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        arguments: [
            " ", "K", "-1", "+1", ".5K", "1.K", "1.", "x4", " 4", "GiB", ".", "NaN", "-", "\0",
            "\u{664}",
        ])
    func `what does not begin with a number is refused`(text: String) {
        #expect(error(text) == .noNumber(text: text))
    }

    @Test(
        arguments: [
            ("4X", "X"), ("4Ki", "Ki"), ("4KIB", "KIB"), ("4Kb", "Kb"), ("4  K", " K"), ("4 ", " "),
            ("4K ", "K "), ("4,096", ",096"), ("1e3", "e3"), ("0x10", "x10"), ("4bytes", "bytes"),
            ("1E", "E"), ("1EiB", "EiB"), ("1.5.5K", ".5K"), ("4KiBs", "KiBs"), ("4\0", "\0"),
            ("10%", "%"),
        ])
    func `an unknown unit is refused by its name`(text: String, unit: String) {
        #expect(error(text) == .unknownUnit(text: text, unit: unit))
    }

    @Test(arguments: ["1.5", "0.1K", "1.0001KB", "0.3GiB", "1.5B", "0.0000000000000001P"])
    func `a fraction of a byte is refused`(text: String) {
        #expect(error(text) == .notWhole(text: text))
    }

    @Test(
        arguments: [
            "18446744073709551616", "16384P", "18446744073709551615K", "99999999999999999999",
            "16384PiB", "18447PB", "18446744073709551615.0KiB",
        ])
    func `more than 64 bits hold is refused`(text: String) {
        #expect(error(text) == .tooLarge(text: text))
    }

    @Test func `a refusal says what is accepted`() {
        #expect(error("") == .empty)
        for text in ["", "x", "4X", "1.5", "99999P"] {
            #expect(error(text)?.description.contains(ByteCountError.accepted) == true)
        }
        #expect(error("4X")?.description.hasPrefix("'4X' has the unknown unit 'X'; ") == true)
    }

    @Test(
        arguments: [
            (0, "0 bytes"), (1, "1 byte"), (512, "512 bytes"), (1023, "1,023 bytes"),
            (1024, "1 KiB"), (4096, "4 KiB"), (1536, "1.5 KiB"), (1 << 20 - 1, "1 MiB"),
            (1_048_000, "1023.4 KiB"), (3 << 19, "1.5 MiB"), (100 << 30, "100 GiB"),
            (1 << 40, "1 TiB"), (1 << 50, "1 PiB"), (UInt64.max, "16384 PiB"), (1075, "1 KiB"),
            (1076, "1.1 KiB"),
        ] as [(UInt64, String)]
    )
    func `a size is written in the largest unit that fits`(byteCount: UInt64, text: String) {
        #expect(ByteCount(byteCount).description == text)
    }

    @Test(
        arguments: [
            (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1,000 bytes"),
            (4096, "4,096 bytes"), (123_456, "123,456 bytes"), (1_234_567, "1,234,567 bytes"),
            (UInt64.max, "18,446,744,073,709,551,615 bytes"),
        ] as [(UInt64, String)]
    )
    func `all digits stand in groups of three`(byteCount: UInt64, text: String) {
        #expect(ByteCount(byteCount).exactText == text)
    }

    @Test func `what was understood is echoed, and a rounded text is marked`() {
        #expect(ByteCount(100 << 30).echo == "100 GiB = 107,374,182,400 bytes")
        #expect(ByteCount(1_000_000_000).echo == "about 953.7 MiB = 1,000,000,000 bytes")
        #expect(ByteCount(UInt64.max).echo.hasPrefix("about 16384 PiB = "))
        #expect(ByteCount(12).echo == "12 bytes")
    }

    @Test func `sizes are ordered`() {
        #expect(ByteCount(1) < ByteCount(2))
        #expect(!(ByteCount(2) < ByteCount(2)))
    }
}
