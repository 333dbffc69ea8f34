internal import Units

/// Numbers of bytes in reports.  `ByteCount` reads and writes single ones.
package enum ByteCountText {
    /// `41.2 GiB`.
    package static func short(_ byteCount: UInt64) -> String { ByteCount(byteCount).description }

    /// `100 GiB = 107,374,182,400 bytes`.
    package static func both(_ byteCount: UInt64) -> String { ByteCount(byteCount).echo }

    /// The number alone, in the unit that `short` gives the larger figure beside it.
    package static func number(_ byteCount: UInt64, like other: UInt64) -> String {
        var unit: UInt64 = 1
        while unit < 1 << 50, other / unit >= 1024 { unit <<= 10 }
        // So many that a tenth of the unit says nothing, and ten times as many are none.
        guard byteCount / unit < 1 << 60 else { return "\(byteCount / unit)" }
        let tenths = byteCount / unit * 10 + (byteCount % unit * 10 + unit / 2) / unit
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    /// Digits in groups of three: `204,800`.
    package static func grouped(_ value: UInt64) -> String {
        let digits = Array(String(value))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }
}

extension ByteCount {
    /// Reads a size from the command line.
    init(argument text: String) throws(ControlError) {
        do throws(ByteCountError) {
            try self.init(parsing: text)
        } catch {
            throw .size(error)
        }
    }
}
