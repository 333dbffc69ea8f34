// The states that reports show.  A pool that is being served is ONLINE or READONLY; one that is not
// is OFFLINE, or UNAVAIL while a device of it is away.
//
//     state     pool  device  volume
//     ONLINE     x      x       x     works
//     DEGRADED          x             operations of it failed since the pool was opened
//     READONLY   x              x     a flush or the catalogue failed: no change is accepted
//     OFFLINE    x      x       x     the pool is not being served
//     UNAVAIL    x      x             is not there, or cannot be read

extension PoolFigures {
    enum State: String, CaseIterable {
        case online = "ONLINE"
        case readOnly = "READONLY"
        case offline = "OFFLINE"
        case unavailable = "UNAVAIL"
    }
}

extension DeviceFigures {
    enum State: String, CaseIterable {
        case online = "ONLINE"
        case degraded = "DEGRADED"
        case offline = "OFFLINE"
        case unavailable = "UNAVAIL"
    }
}

extension VolumeFigures {
    enum State: String, CaseIterable {
        case online = "ONLINE"
        case readOnly = "READONLY"
        case offline = "OFFLINE"
    }
}

extension CaseIterable where Self: RawRepresentable<String> {
    /// All of them for a sentence: `ONLINE, READONLY or OFFLINE`.
    static var alternatives: String {
        let names = allCases.map(\.rawValue)
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        return names.dropLast().joined(separator: ", ") + " or " + last
    }
}
