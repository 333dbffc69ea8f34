/// Numbers as `describe()` prints them where their bits matter more than their value.
enum HexText {
    /// All digits of `value`, with leading zeros, behind `0x`.
    static func of(_ value: some FixedWidthInteger & UnsignedInteger) -> String {
        let digits = String(value, radix: 16)
        return "0x" + String(repeating: "0", count: value.bitWidth / 4 - digits.count) + digits
    }
}
