internal import IO

/// The replies of one send, while it is being built.
///
/// Headers are stored one behind the other into `area` and become one region of the list as long as
/// no data come between them.
struct Gather {
    let area: BufferRegion
    let list: RegionList
    /// Bytes of the area in use, and where the headers begin that are not in the list yet.
    private var filled = 0
    private var headersStart = 0

    init(area: BufferRegion, list: RegionList) {
        self.area = area
        self.list = list
    }

    /// Whether a header of at most `headerByteCount` bytes and `regionCount` regions fit beside
    /// what is there; one region stays for the headers that are still open.
    func hasRoom(headerByteCount: Int, regionCount: Int) -> Bool {
        area.byteCount - filled >= headerByteCount && list.headroom > regionCount
    }

    /// Where the next header is stored.
    var freeArea: BufferRegion { area[filled..<area.byteCount] }

    /// Takes `byteCount` bytes that were stored at the start of `freeArea`.
    mutating func addHeader(_ byteCount: Int) { filled += byteCount }

    /// Puts `data` behind the headers that were added.
    mutating func addData(_ data: BufferRegion) {
        endHeaders()
        list.append(data)
    }

    /// Puts the headers into the list that are not there yet.
    mutating func endHeaders() {
        guard headersStart < filled else { return }
        list.append(area[headersStart..<filled])
        headersStart = filled
    }
}
