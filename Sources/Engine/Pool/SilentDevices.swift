internal import Synchronization
internal import Units

// Which devices do not answer: said by whichever lane finds out first, and known to all.  Relaxed:
// a lane that hears of it late asks the device once more, and waits for it once more.
extension Pool {
    /// True when that is news.
    func noteSilent(_ device: DeviceIndex) -> Bool {
        let bit = bit(of: device)
        return silentDevices.bitwiseOr(bit, ordering: .relaxed).oldValue & bit == 0
    }

    /// True when that is news.
    func noteAnswered(_ device: DeviceIndex) -> Bool {
        let bit = bit(of: device)
        return silentDevices.bitwiseAnd(~bit, ordering: .relaxed).oldValue & bit != 0
    }

    @inline(__always)
    func isSilent(_ device: DeviceIndex) -> Bool {
        let silent = silentDevices.load(ordering: .relaxed)
        return silent != 0 && silent & bit(of: device) != 0
    }

    func isAnySilent(_ role: DeviceRole) -> Bool {
        guard silentDevices.load(ordering: .relaxed) != 0 else { return false }
        return devices.contains { $0.role == role && isSilent($0.index) }
    }

    /// Devices from 63 on share a bit: a pool of so many is taken as silent too early.
    private func bit(of device: DeviceIndex) -> UInt64 { 1 << UInt64(min(device.rawValue, 63)) }
}
