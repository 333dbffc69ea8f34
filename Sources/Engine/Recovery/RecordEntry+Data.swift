internal import Format
internal import IO
internal import Units

extension RecordEntry {
    /// Whether an entry's blocks of data are those that its table tells.
    ///
    /// - Parameters:
    ///   - table: the record's header or tail.
    ///   - offset: where the entry begins in it, in bytes.
    ///   - sequence: the entry's number, that of each of its blocks.
    ///   - block: the entry's block of that index; nil when the device refuses it, which proves
    ///     nothing about what a host wrote, be it zeros.
    func hasData(
        _ table: RawSpan,
        at offset: Int,
        _ sequence: SequenceNumber,
        block: (Int) -> BufferRegion?
    ) -> Bool {
        let seed = Checksum.seed(of: volume)
        for index in 0..<Int(dataBlockCount) {
            guard let found = block(index) else { return false }
            let start = Checksum.blockStart(
                seed: seed,
                address: address &+ UInt64(index),
                sequence: sequence
            )
            guard found.checksum(from: start) == checksum(of: index, in: table, at: offset) else {
                return false
            }
        }
        return true
    }
}
